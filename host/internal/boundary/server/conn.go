package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/soft"
	"tallystick.example/internal/hsm/wire"
	"tallystick.example/internal/xlog"
)

const (
	greetTimeout = 5 * time.Second
	writeTimeout = 5 * time.Second
	// maxRunning is how many requests of a connection run at once; more wait
	// unread, so that a host that is too fast is slowed down, not served memory.
	maxRunning   = 128
	sweepPeriod  = time.Second
	notSessioned = "the boundary waits for its custodians"
)

// A conn is one connection from a host or an operator.
type conn struct {
	s     *server
	nc    *net.UnixConn
	log   logrus.FieldLogger
	uid   uint32
	table map[byte]handler

	writing sync.Mutex

	mu      sync.Mutex
	session *soft.Session // nil until the boundary is unlocked
}

// serve answers one connection until it ends.
func (s *server) serve(ctx context.Context, nc *net.UnixConn, admin bool, users []uint32) {
	defer nc.Close()
	uid, err := peerUser(nc)
	log := s.log.WithFields(logrus.Fields{"uid": uid, "admin": admin})
	if err != nil || !slices.Contains(users, uid) {
		log.Warn("a connection of another user was refused")
		return
	}
	c := &conn{s: s, nc: nc, log: log, uid: uid}
	c.table = c.payments()
	if admin {
		c.table = c.administration()
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() }) // ends the read; there is no more to tell
	defer stop()
	r := bufio.NewReader(nc)
	if err := c.greet(r, admin); err != nil {
		log.WithError(err).Warn("a connection did not greet")
		return
	}
	c.run(ctx, r)
}

// greet answers the hello of the client with the version that both speak.
func (c *conn) greet(r io.Reader, admin bool) error {
	if err := c.nc.SetReadDeadline(time.Now().Add(greetTimeout)); err != nil {
		return err
	}
	f, err := wire.ReadFrame(r)
	if err != nil {
		return err
	}
	h, err := wire.Greet.Req.Decode(f.Payload)
	if err != nil || f.Op != wire.Greet.Code || f.Answer || h.Magic != wire.Magic {
		return wire.ErrFrame
	}
	if h.Min > wire.Version || h.Max < wire.Version {
		c.answer(f, wire.Refused, nil)
		return errors.New("the client speaks other versions of the protocol")
	}
	res, err := wire.Greet.Res.Append(nil, wire.Welcome{Version: wire.Version, Administration: admin})
	if err != nil {
		return err
	}
	c.answer(f, wire.OK, res)
	return c.nc.SetReadDeadline(time.Time{})
}

// run reads requests and starts each in a goroutine of its own. At the end it
// waits for them and wipes all handles.
func (c *conn) run(ctx context.Context, r io.Reader) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	slots := make(chan struct{}, maxRunning)
	running.Add(1)
	xlog.Go(c.log, "handle sweep", func() { defer running.Done(); c.sweep(ctx) }, nil)
	for {
		f, err := wire.ReadFrame(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				c.log.WithError(err).Warn("a connection broke")
			}
			break
		}
		if c.table[f.Op] == nil || f.Answer {
			f.Wipe()
			c.log.WithField("op", f.Op).Warn("a connection asked for what it may not have, and was closed")
			break
		}
		slots <- struct{}{}
		running.Add(1)
		go func() {
			defer func() { <-slots; running.Done() }()
			defer xlog.Recover(c.log, "boundary operation", func() { c.answer(f, wire.Unavailable, nil) })
			defer f.Wipe()
			status, res := c.table[f.Op](ctx, f.Payload)
			c.answer(f, status, res)
		}()
	}
	_ = c.nc.Close() // answers of what still runs have nobody to go to
	cancel()
	running.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.Close()
	}
}

// sweep wipes handles that grew old, also on an idle connection.
func (c *conn) sweep(ctx context.Context) {
	t := time.NewTicker(sweepPeriod)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.mu.Lock()
			s := c.session
			c.mu.Unlock()
			if s != nil {
				s.Expire()
			}
		}
	}
}

// hsm is the session of the connection, or why there is none yet.
func (c *conn) hsm() (*soft.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		h := c.s.vault.hsm()
		if h == nil {
			return nil, api.ErrUnavailable
		}
		c.session = h.NewSession()
	}
	return c.session, nil
}

// answer writes one answer and clears it. A connection that does not take it is
// closed.
func (c *conn) answer(f wire.Frame, status wire.Status, res []byte) {
	payload := append([]byte{byte(status)}, res...)
	defer clear(payload)
	defer clear(res)
	c.writing.Lock()
	defer c.writing.Unlock()
	err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		err = wire.WriteFrame(c.nc, wire.Frame{Op: f.Op, Answer: true, ID: f.ID, Payload: payload})
	}
	if err != nil {
		_ = c.nc.Close() // the reading loop sees it and ends the connection
	}
}
