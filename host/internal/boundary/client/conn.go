package client

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/wire"
	"tallystick.example/internal/xlog"
)

const (
	// maxPending bounds the calls in flight; a boundary that is that far behind
	// is not there.
	maxPending   = 1 << 14
	writeTimeout = 5 * time.Second
)

// A conn is one living connection: calls in flight by their number, and one
// goroutine that reads the answers.
type conn struct {
	nc   net.Conn
	done chan struct{} // closed when the reading goroutine has ended

	writing sync.Mutex

	mu      sync.Mutex
	err     error // why the connection ended, nil while it lives
	next    uint64
	pending map[uint64]*waiting
}

// A waiting call gets its answer on reply, which has room for it. When the
// caller has left, late is given the answer instead.
type waiting struct {
	op    byte
	reply chan []byte
	late  func(payload []byte)
}

func newConn(nc net.Conn, log logrus.FieldLogger) *conn {
	c := &conn{nc: nc, done: make(chan struct{}), pending: make(map[uint64]*waiting)}
	go func() {
		defer close(c.done)
		defer xlog.Recover(log, "boundary client", func() { c.end(unavailable("the client failed")) })
		c.read()
	}()
	return c
}

func (c *conn) broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// end closes the connection; all waiting calls learn why.
func (c *conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	_ = c.nc.Close() // it is given up, and its error would tell nothing new
	for id, w := range c.pending {
		delete(c.pending, id)
		close(w.reply)
	}
}

func (c *conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// read hands answers to their calls until the connection ends.
func (c *conn) read() {
	r := bufio.NewReader(c.nc)
	for {
		f, err := wire.ReadFrame(r)
		if err != nil {
			c.end(unavailable("the connection ended"))
			return
		}
		c.mu.Lock()
		w := c.pending[f.ID]
		delete(c.pending, f.ID)
		c.mu.Unlock()
		if w == nil || !f.Answer || f.Op != w.op {
			c.end(unavailable("the connection is out of step"))
			if w != nil {
				close(w.reply) // only now: its call asks for the cause
			}
			return
		}
		if w.late != nil {
			w.late(f.Payload)
			continue
		}
		w.reply <- f.Payload
	}
}

// send starts a call.
func (c *conn) send(op byte, payload []byte) (uint64, *waiting, error) {
	w := &waiting{op: op, reply: make(chan []byte, 1)}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return 0, nil, c.err
	}
	if len(c.pending) >= maxPending {
		c.mu.Unlock()
		return 0, nil, unavailable("too many calls in flight")
	}
	c.next++
	id := c.next
	c.pending[id] = w
	c.mu.Unlock()
	if err := c.write(wire.Frame{Op: op, ID: id, Payload: payload}); err != nil {
		err = unavailable(err.Error())
		c.end(err)
		return 0, nil, err
	}
	return id, w, nil
}

func (c *conn) write(f wire.Frame) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return wire.WriteFrame(c.nc, f)
}

// leave tells that nobody waits for call id any more. It reports false when the
// answer has come already.
func (c *conn) leave(id uint64, late func([]byte)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.pending[id]
	if ok {
		w.late = late
	}
	return ok
}

// call does one operation over the living connection of l.
func call[Req, Res any](ctx context.Context, l *link, op wire.Op[Req, Res], req Req) (Res, error) {
	var none Res
	if l == nil {
		return none, fmt.Errorf("%w: no socket for administration is configured", api.ErrPolicy)
	}
	if err := ctx.Err(); err != nil {
		return none, context.Cause(ctx)
	}
	payload, err := op.Req.Append(nil, req)
	if err != nil {
		return none, fmt.Errorf("%w: a field is longer than its limit", api.ErrInput)
	}
	defer clear(payload)
	c, err := l.get(ctx)
	if err != nil {
		return none, err
	}
	id, w, err := c.send(op.Code, payload)
	if err != nil {
		return none, err
	}
	var answer []byte
	var came bool
	select {
	case answer, came = <-w.reply:
	case <-ctx.Done():
		if c.leave(id, func(late []byte) { c.abandon(op.Code, late) }) {
			return none, context.Cause(ctx)
		}
		answer, came = <-w.reply // it came at the same moment, or the connection ended
	}
	if !came {
		return none, c.cause()
	}
	res, err := result(answer, op.Res)
	if op.Code == wire.NewTransport.Code {
		clear(answer) // its Secrets are copies
	}
	return res, err
}

// abandon releases the handle of an Open that nobody waits for any more.
func (c *conn) abandon(op byte, late []byte) {
	if op != wire.Open.Code {
		return
	}
	o, err := result(late, wire.Open.Res)
	if err != nil || o.Handle == 0 {
		return
	}
	payload, err := wire.Release.Req.Append(nil, o.Handle)
	if err != nil {
		return // cannot be: a handle has no limit
	}
	id, _, err := c.send(wire.Release.Code, payload)
	if err == nil {
		c.leave(id, func([]byte) {})
	}
}

// result reads an answer: a status and, when that is OK, the result.
func result[Res any](payload []byte, k wire.Kind[Res]) (Res, error) {
	var none Res
	if len(payload) == 0 {
		return none, unavailable("an empty answer")
	}
	err := wire.Status(payload[0]).Err()
	if err != nil {
		if len(payload) != 1 || wire.StatusOf(err) != wire.Status(payload[0]) {
			return none, unavailable("a malformed answer")
		}
		return none, err
	}
	res, err := k.Decode(payload[1:])
	if err != nil {
		return none, unavailable("a malformed answer")
	}
	return res, nil
}
