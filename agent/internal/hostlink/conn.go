package hostlink

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/xlog"
	"tallystick.example/iso8583"
)

// Options says what a Conn needs.
type Options struct {
	// Dial makes a connection; DialTLS gives the usual one.
	Dial func(ctx context.Context) (net.Conn, error)
	// Tap sees each message as it leaves or comes; it may be nil.
	Tap       func(sent bool, body []byte)
	FrameTime time.Duration // time from the first to the last byte of a frame
	WriteTime time.Duration // time to hand a message to the network
	Log       logrus.FieldLogger
}

// DialTLS dials address and completes the TLS handshake, within ten seconds.
func DialTLS(address string, config *tls.Config) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		d := tls.Dialer{Config: config}
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("connecting to the host at %s: %w", address, err)
		}
		return c, nil
	}
}

// A Conn is one connection. Send and Close may be called from any goroutine.
type Conn struct {
	o      Options
	conn   net.Conn
	writes chan []byte
	once   sync.Once
	ended  chan struct{}
	cause  error // valid once ended is closed
	group  sync.WaitGroup
}

// Open starts reader and writer over c. came is called with the body of each
// frame, by one goroutine; Wait tells why the connection ended.
func Open(c net.Conn, o Options, came func(body []byte)) *Conn {
	s := &Conn{o: o, conn: c, writes: make(chan []byte, 2*maxPending), ended: make(chan struct{})}
	for name, work := range map[string]func() error{
		"host link reader": func() error { return s.read(came) }, "host link writer": s.write,
	} {
		s.group.Add(1)
		go func() {
			defer s.group.Done()
			defer xlog.Recover(o.Log, name, func() { s.Close(errors.New("the " + name + " died")) })
			s.Close(work())
		}()
	}
	return s
}

// errFull means that a message was not taken: the peer reads nothing.
var errFull = errors.New("the host does not read")

// Send hands a message to the writer. It never blocks.
func (s *Conn) Send(body []byte) {
	select {
	case s.writes <- body:
	default:
		s.Close(errFull)
	}
}

// Close closes the connection, which is what ends a blocked read or write. The
// first cause counts.
func (s *Conn) Close(cause error) {
	s.once.Do(func() {
		s.cause = cause
		close(s.ended)
		// What the peer or the network thinks of the close changes nothing for us.
		_ = s.conn.Close()
	})
}

// Wait returns when the connection has ended and came is no longer called, with
// the reason.
func (s *Conn) Wait() error {
	s.group.Wait()
	return s.cause
}

// write is the only goroutine that writes to the connection.
func (s *Conn) write() error {
	for {
		select {
		case <-s.ended:
			return nil
		case body := <-s.writes:
			if s.o.Tap != nil {
				s.o.Tap(true, body)
			}
			if err := s.conn.SetWriteDeadline(time.Now().Add(s.o.WriteTime)); err != nil {
				return fmt.Errorf("sending to the host: %w", err)
			}
			if err := iso8583.WriteFrame(s.conn, iso8583.Frame{Body: body}); err != nil {
				return fmt.Errorf("sending to the host: %w", err)
			}
		}
	}
}

// read takes frames from the connection until it breaks. A frame that has begun
// must end in time, a connection may stay silent: the echo finds out about it.
func (s *Conn) read(came func(body []byte)) error {
	r := bufio.NewReaderSize(s.conn, 4096)
	for {
		if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
			return fmt.Errorf("reading from the host: %w", err)
		}
		if _, err := r.Peek(1); err != nil {
			return fmt.Errorf("the connection to the host ended: %w", err)
		}
		if err := s.conn.SetReadDeadline(time.Now().Add(s.o.FrameTime)); err != nil {
			return fmt.Errorf("reading from the host: %w", err)
		}
		f, err := iso8583.ReadFrame(r, nil, iso8583.Limits{})
		if err != nil {
			return fmt.Errorf("reading from the host: %w", err)
		}
		if s.o.Tap != nil {
			s.o.Tap(false, f.Body)
		}
		came(f.Body)
	}
}
