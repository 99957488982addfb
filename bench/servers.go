package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	moov "github.com/moov-io/iso8583"
	connection "github.com/moov-io/iso8583-connection"

	"tallystick.example/internal/framed"
	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// Kinds of servers and clients.
const (
	kindRaw  = "raw"
	kindOurs = "ours"
	kindMoov = "moov"
)

// deadlines of our server, as the host's gateway has them.
var deadlines = framed.Deadlines{Idle: 15 * time.Minute, Frame: 10 * time.Second}

// serve accepts connections of a kind until l is closed.
func serve(l net.Listener, kind string, config *tls.Config) error {
	handler := map[string]func(*tls.Conn) error{kindRaw: serveRaw, kindOurs: serveOurs, kindMoov: serveMoov}[kind]
	if handler == nil {
		return fmt.Errorf("there is no server %q", kind)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			conn := tls.Server(c, config)
			if err := handler(conn); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				fmt.Fprintln(os.Stderr, "bench: serving:", err)
			}
			_ = conn.Close() // the client has gone
		}()
	}
}

// serveRaw gives back the bytes that come.
func serveRaw(c *tls.Conn) error {
	buf := make([]byte, iso8583.MaxMessage)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// A worker is what the answering of one request needs. Workers are shared by all
// connections, so that what one has just used is still near the processor.
type worker struct {
	m         *codec.Message
	body, out []byte
}

var workers = sync.Pool{New: func() any { return &worker{m: codec.NewMessage(program)} }}

// serveOurs reads frames under deadlines, unpacks, checks every field, answers.
func serveOurs(c *tls.Conn) error {
	in, err := framed.NewReader(c, iso8583.Framing{}, deadlines)
	if err != nil {
		return err
	}
	buf := make([]byte, 1024)
	for {
		f, err := in.Next(context.Background(), buf)
		if errors.Is(err, framed.ErrIdle) {
			return io.EOF
		}
		if err == nil {
			err = answerFrame(c, f)
		}
		if err != nil {
			return err
		}
	}
}

// answerFrame answers one request.
func answerFrame(c *tls.Conn, f iso8583.Frame) error {
	w := workers.Get().(*worker)
	defer workers.Put(w)
	if err := w.answer(f); err != nil {
		return err
	}
	_, err := c.Write(w.out)
	return err
}

// answer makes the frame of the answer in w.out.
func (w *worker) answer(f iso8583.Frame) (err error) {
	if w.body, err = answerOurs(w.m, w.body[:0], f.Body); err == nil {
		w.out, err = iso8583.Framing{}.Append(w.out[:0], iso8583.Frame{TPDU: f.TPDU.Swap(), Body: w.body})
	}
	return err
}

// serveMoov is the peer as its documentation shows it.
func serveMoov(c *tls.Conn) error {
	conn, err := connection.NewFrom(c, moovSpec, readLength, writeLength,
		connection.InboundMessageHandler(func(conn *connection.Connection, m *moov.Message) {
			if err := errors.Join(answerMoov(m), conn.Reply(m)); err != nil {
				fmt.Fprintln(os.Stderr, "bench: moov:", err)
			}
		}))
	if err != nil {
		return err
	}
	<-conn.Done()
	return nil
}

func readLength(r io.Reader) (int, error) {
	var head [2]byte
	_, err := io.ReadFull(r, head[:])
	return int(binary.BigEndian.Uint16(head[:])), err
}

func writeLength(w io.Writer, n int) (int, error) {
	return w.Write(binary.BigEndian.AppendUint16(nil, uint16(n)))
}
