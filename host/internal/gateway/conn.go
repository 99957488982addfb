package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/framed"
	"tallystick.example/internal/xlog"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

// A conn is the connection of one terminal.
type conn struct {
	g     *Gateway
	tls   *tls.Conn
	id    xtls.Identity
	print []byte // SHA-256 of the certificate
	log   *logrus.Entry
	out   chan iso8583.Frame // answers to the writer
	bad   atomic.Int32       // bad messages in a row
	gone  chan struct{}      // closed by end
	once  sync.Once
}

func newConn(g *Gateway, c *tls.Conn, id xtls.Identity, print []byte, log *logrus.Entry) *conn {
	return &conn{g: g, tls: c, id: id, print: print, log: log,
		out: make(chan iso8583.Frame, g.cfg.Limits.InFlight), gone: make(chan struct{})}
}

// end makes the connection useless; its goroutines then finish.
func (c *conn) end() {
	c.once.Do(func() {
		close(c.gone)
		// The close notification must not wait for a peer that reads nothing.
		_ = c.tls.NetConn().SetWriteDeadline(time.Now())
		_ = c.tls.NetConn().Close() // errors say that it was closed already
	})
}

// serve reads frames until the connection or ctx ends, then lets the messages
// under way finish and their answers leave.
func (c *conn) serve(ctx context.Context) {
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	// A program that ends stops reading, but still answers what it has read.
	stop := context.AfterFunc(reading, func() { _ = c.tls.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var messages, writer sync.WaitGroup
	writer.Add(1)
	xlog.Go(c.log, "gateway.writer", func() { defer writer.Done(); c.write() }, c.end)
	c.read(reading, &messages)
	messages.Wait()
	close(c.out)
	writer.Wait()
	c.end()
}

// read is the loop over frames. Handlers are counted in messages.
func (c *conn) read(ctx context.Context, messages *sync.WaitGroup) {
	in, err := framed.NewReader(c.tls, iso8583.Framing{}, framed.Deadlines{Idle: c.g.cfg.Limits.Idle, Frame: c.g.cfg.Limits.Frame})
	if err != nil {
		c.log.WithError(err).Error("a connection cannot be read")
		return
	}
	mine := make(chan struct{}, c.g.cfg.Limits.InFlight)
	for ctx.Err() == nil {
		f, err := in.Next(ctx, nil) // in memory of its own: its handler keeps it
		if err != nil {
			c.ended(ctx, err)
			return
		}
		// Taking both tokens here, and not in the handler, holds the reader back
		// when the terminal or the host has enough to do.
		for _, tokens := range []chan struct{}{mine, c.g.workers} {
			select {
			case tokens <- struct{}{}:
			case <-c.gone:
				return
			}
		}
		messages.Add(1)
		xlog.Go(c.log, "gateway.message", func() {
			defer func() { <-c.g.workers; <-mine; messages.Done() }()
			c.handle(context.WithoutCancel(ctx), f)
		}, nil)
		if int(c.bad.Load()) >= c.g.cfg.Limits.BadMessages {
			c.g.counts.add("stream of bad messages")
			c.log.Warn("too many bad messages in a row; the connection is closed")
			messages.Wait() // the last refusal still leaves
			return
		}
	}
}

// ended counts why a connection ended.
func (c *conn) ended(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil || framed.Closed(err):
	case errors.Is(err, framed.ErrIdle) && errors.Is(err, os.ErrDeadlineExceeded):
		c.g.counts.add("idle")
	case errors.Is(err, iso8583.ErrFrame), errors.Is(err, os.ErrDeadlineExceeded):
		c.g.counts.add("frame")
		c.log.WithError(err).Warn("a bad frame ended the connection")
	default:
		c.g.counts.add("connection lost")
	}
}

// write sends answers until out is closed; after an error it only drains.
func (c *conn) write() {
	broken := false
	for f := range c.out {
		if broken {
			continue
		}
		err := c.tls.SetWriteDeadline(time.Now().Add(c.g.cfg.Limits.Write))
		if err == nil {
			err = iso8583.WriteFrame(c.tls, f)
		}
		if err != nil {
			broken = true
			c.g.counts.add("write")
			c.end()
		}
	}
}

// send hands an answer to the writer.
func (c *conn) send(f iso8583.Frame, verdict string) {
	c.trace(false, f.Body, verdict)
	select {
	case c.out <- f:
	case <-c.gone: // the answer is stored; the terminal reverses or asks again
	}
}

// trace tells the lab's trace of a message.
func (c *conn) trace(in bool, raw []byte, verdict string) {
	c.g.cfg.Wire(WireEvent{At: c.g.cfg.Now().UnixMicro(), Terminal: c.id.Terminal, Peer: c.tls.RemoteAddr().String(),
		In: in, Raw: raw, Verdict: verdict})
}
