package client

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/wire"
)

// The pause between two attempts to dial grows from the first to the second.
const (
	minPause    = 20 * time.Millisecond
	maxPause    = 250 * time.Millisecond // a socket of this machine costs little to try
	dialTimeout = 5 * time.Second        // for connecting and greeting
)

// A link is one socket of the boundary, dialled anew whenever its connection
// broke.
type link struct {
	socket string
	admin  bool
	log    logrus.FieldLogger

	mu      sync.Mutex
	conn    *conn
	dialing chan struct{} // closed when the attempt that runs has ended; nil when none runs
	pause   time.Duration
	retryAt time.Time
	closed  bool
}

func newLink(socket string, admin bool, log logrus.FieldLogger) *link {
	return &link{socket: socket, admin: admin, log: log.WithField("socket", socket)}
}

func unavailable(why string) error { return fmt.Errorf("%w: %s", api.ErrUnavailable, why) }

// get returns the living connection, dialling one when it is time to. Callers
// that come while another dials wait for it.
func (l *link) get(ctx context.Context) (*conn, error) {
	for {
		l.mu.Lock()
		switch {
		case l.closed:
			l.mu.Unlock()
			return nil, unavailable("the client is closed")
		case l.conn != nil && !l.conn.broken():
			c := l.conn
			l.mu.Unlock()
			return c, nil
		case l.dialing != nil:
			wait := l.dialing
			l.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		case time.Now().Before(l.retryAt):
			l.mu.Unlock()
			return nil, unavailable("no connection, the next attempt follows shortly")
		}
		l.dialing = make(chan struct{})
		l.mu.Unlock()
		return l.dial()
	}
}

// dial makes one attempt. It has a deadline of its own: others wait for it.
func (l *link) dial() (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	c, err := greet(ctx, l.socket, l.admin, l.log)
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.dialing)
	l.dialing = nil
	if err == nil && l.closed {
		c.end(unavailable("the client is closed"))
		return nil, unavailable("the client is closed")
	}
	if err != nil {
		l.pause = min(max(2*l.pause, minPause), maxPause)
		l.retryAt = time.Now().Add(l.pause)
		return nil, unavailable(err.Error())
	}
	l.conn, l.pause = c, 0
	return c, nil
}

func (l *link) close() {
	l.mu.Lock()
	c := l.conn
	l.closed, l.conn = true, nil
	l.mu.Unlock()
	if c != nil {
		c.end(unavailable("the client is closed"))
		<-c.done
	}
}

// greet connects and agrees on the version of the protocol.
func greet(ctx context.Context, socket string, admin bool, log logrus.FieldLogger) (*conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c, err := welcome(nc, admin, log)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

func welcome(nc net.Conn, admin bool, log logrus.FieldLogger) (*conn, error) {
	if err := nc.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	hello, err := wire.Greet.Req.Append(nil, wire.Hello{Magic: wire.Magic, Min: wire.Version, Max: wire.Version})
	if err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if err := wire.WriteFrame(nc, wire.Frame{Op: wire.Greet.Code, Payload: hello}); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	f, err := wire.ReadFrame(nc)
	if err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	w, err := result(f.Payload, wire.Greet.Res)
	if err != nil || f.Op != wire.Greet.Code || !f.Answer {
		return nil, fmt.Errorf("greeting: the boundary refuses version %d", wire.Version)
	}
	if w.Version != wire.Version || w.Administration != admin {
		return nil, fmt.Errorf("greeting: the socket is of another version or purpose")
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	return newConn(nc, log), nil
}
