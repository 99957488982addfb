// Package framed reads ISO 8583 frames off a connection and gives each its
// deadline: a peer may be silent for as long as it likes between frames, up to
// Idle, but a frame that has begun must come within Frame. A peer that sends one
// byte a minute is so cut off by time, and one that announces 4 GiB by size
// ([iso8583.Framing]), before memory is taken for it.
package framed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"tallystick.example/iso8583"
)

// Deadlines bound the waits of a [Reader]. Both are required.
type Deadlines struct {
	// Idle is from the end of one frame to the first byte of the next, at least;
	// a peer may be silent for a sixteenth more, so that a busy connection does
	// not set its deadline for every frame.
	Idle  time.Duration
	Frame time.Duration // from the first byte of a frame to its last
}

// ErrIdle is in the error of [Reader.Next] when the connection ended or its
// deadline passed between two frames, where nothing is lost.
var ErrIdle = errors.New("between frames")

// A Reader reads frames off one connection. It belongs to one goroutine.
type Reader struct {
	conn    net.Conn
	in      *bufio.Reader
	framing iso8583.Framing
	wait    Deadlines
	until   time.Time // the deadline that is set; zero when it is a frame's
}

// NewReader reads frames of the given framing off conn, whose read deadline it
// sets from now on.
func NewReader(conn net.Conn, framing iso8583.Framing, wait Deadlines) (*Reader, error) {
	if wait.Idle <= 0 || wait.Frame <= 0 || framing.Header.Size() == 0 {
		return nil, fmt.Errorf("framed: the deadlines are %v and %v with %v; each must be positive and the header one of %v",
			wait.Idle, wait.Frame, framing.Header, iso8583.LengthHeaderNames())
	}
	return &Reader{conn: conn, framing: framing, wait: wait,
		in: bufio.NewReaderSize(conn, iso8583.MaxMessage+16)}, nil
}

// Next reads the next frame. buf is memory for it as with [iso8583.Framing.Read];
// nil takes new memory. When ctx has ended, its error is returned and the
// connection's deadline is left alone, so that who ends ctx can end a wait under
// way by a deadline that has passed.
//
// The error wraps [ErrIdle] between frames (with io.EOF when the peer has closed,
// os.ErrDeadlineExceeded when it was silent too long), [iso8583.ErrFrame] for a
// bad frame and os.ErrDeadlineExceeded for one that took too long. After any
// error the connection is to be closed.
func (r *Reader) Next(ctx context.Context, buf []byte) (iso8583.Frame, error) {
	if err := ctx.Err(); err != nil {
		return iso8583.Frame{}, err
	}
	if r.in.Buffered() == 0 {
		if err := r.idle(ctx); err != nil {
			return iso8583.Frame{}, err
		}
		if _, err := r.in.Peek(1); err != nil {
			return iso8583.Frame{}, fmt.Errorf("%w: %w", ErrIdle, err)
		}
	}
	if !r.whole() {
		r.until = time.Time{}
		if err := r.deadline(ctx, time.Now().Add(r.wait.Frame)); err != nil {
			return iso8583.Frame{}, err
		}
	}
	return r.framing.Read(r.in, buf)
}

// whole reports whether the next frame has come in full, as most do with their
// first byte; it then needs no deadline of its own. What is buffered is no reason
// to wait, and a length that lies is left to the framing to refuse.
func (r *Reader) whole() bool {
	size := r.framing.Header.Size()
	if r.in.Buffered() < size {
		return false
	}
	head, err := r.in.Peek(size)
	if err != nil {
		return false
	}
	n, err := r.framing.Size(head)
	return err == nil && n <= r.in.Buffered()
}

// idle makes sure that the deadline leaves a peer its silence.
func (r *Reader) idle(ctx context.Context) error {
	now := time.Now()
	if r.until.Sub(now) >= r.wait.Idle {
		return ctx.Err()
	}
	r.until = now.Add(r.wait.Idle + r.wait.Idle/16)
	return r.deadline(ctx, r.until)
}

// deadline sets the read deadline. It looks at ctx afterwards: who ends it sets a
// deadline that must stay, and does so after ending it.
func (r *Reader) deadline(ctx context.Context, at time.Time) error {
	if err := r.conn.SetReadDeadline(at); err != nil {
		return fmt.Errorf("setting a deadline: %w", err)
	}
	return ctx.Err()
}

// Closed reports whether err says that the peer closed between two frames.
func Closed(err error) bool { return errors.Is(err, ErrIdle) && errors.Is(err, io.EOF) }
