package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/xlog"
)

// Limits of a server.
const (
	maxClients   = 32               // clients at once
	readRequest  = 5 * time.Second  // a client must send its request within
	writeTimeout = 10 * time.Second // a client must take a line within
)

// A Handler carries out one request. emit sends an event and fails when the
// client has gone; ctx ends then too, and tells who asks (see [Peer]). The result
// is encoded as JSON.
type Handler func(ctx context.Context, r Request, emit func(any) error) (any, error)

// A Server listens on a control socket.
type Server struct {
	l       *net.UnixListener
	lock    *os.File
	handler Handler
	log     logrus.FieldLogger
	clients chan struct{}
	done    sync.WaitGroup
}

// Listen makes the socket at path with mode 0600 and holds path+".lock", so that
// a second program on the same socket is refused and a socket that a killed
// program left behind is replaced.
func Listen(path string, h Handler, log logrus.FieldLogger) (*Server, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket %s: another program holds it: %w", path, err), lock.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), lock.Close())
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), lock.Close())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close(), lock.Close())
	}
	return &Server{l: l, lock: lock, handler: h, log: log, clients: make(chan struct{}, maxClients)}, nil
}

// Serve answers requests until ctx ends, then waits for those under way. A
// client of another user than the program's own, or root, is refused.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.l.Close() })
	defer stop()
	defer s.lock.Close()
	defer s.done.Wait()
	for {
		c, err := s.l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("control socket: %w", err)
		}
		select {
		case s.clients <- struct{}{}:
		default:
			c.Close() // too many at once: the client sees the connection end
			continue
		}
		s.done.Add(1)
		xlog.Go(s.log, "control", func() {
			defer func() { <-s.clients; s.done.Done() }()
			defer c.Close()
			s.serve(ctx, c)
		}, nil)
	}
}

func (s *Server) serve(ctx context.Context, c *net.UnixConn) {
	uid, err := peer(c)
	if err != nil || (uid != 0 && uid != os.Geteuid()) {
		s.log.WithField("uid", uid).Warn("a control client of another user was refused")
		return
	}
	r, rest, err := readRequestLine(c)
	if err != nil {
		s.log.WithError(err).Warn("a control request was refused")
		return
	}
	s.log.WithFields(logrus.Fields{"command": r.Command, "uid": uid}).Info("control request")
	ctx, cancel := context.WithCancel(context.WithValue(ctx, peerKey{}, uid))
	defer cancel()
	// The client sends nothing more: a read that returns means it has gone.
	go func() {
		defer cancel()
		_, _ = rest.ReadByte() // either way the client is done
	}()
	var mu sync.Mutex // events may come from several goroutines of a handler
	emit := func(v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encoding an event: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		return send(c, line{Event: b})
	}
	result, err := s.handler(ctx, r, emit)
	mu.Lock()
	defer mu.Unlock()
	if err := send(c, last(result, err)); err != nil {
		s.log.WithError(err).Debug("a control client left before its answer")
	}
}

func last(result any, err error) line {
	if err == nil {
		b, encErr := json.Marshal(result)
		if encErr == nil {
			return line{Result: b, Done: true}
		}
		err = encErr
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return line{Error: e, Done: true}
	}
	e := &Error{What: err.Error(), Exit: cli.ExitInternal}
	if f, ok := errors.AsType[*cli.Failure](err); ok {
		e = &Error{What: f.Error(), Next: f.Next, Exit: f.Code}
	}
	return line{Error: e, Done: true}
}

func send(c net.Conn, l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}

func readRequestLine(c net.Conn) (Request, *bufio.Reader, error) {
	if err := c.SetReadDeadline(time.Now().Add(readRequest)); err != nil {
		return Request{}, nil, err
	}
	rest := bufio.NewReader(io.LimitReader(c, maxLine))
	b, err := rest.ReadBytes('\n')
	if err != nil {
		return Request{}, nil, fmt.Errorf("reading a request: %w", err)
	}
	var r Request
	if err := decodeStrict(b, &r); err != nil {
		return Request{}, nil, fmt.Errorf("reading a request: %w", err)
	}
	return r, rest, c.SetReadDeadline(time.Time{})
}

func decodeStrict(b []byte, v any) error {
	if len(bytes.TrimSpace(b)) == 0 {
		b = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one JSON value")
	}
	return nil
}

type peerKey struct{}

// Peer returns the user id at the other end of the socket, as the kernel says,
// from the context of a [Handler]; false in any other context.
func Peer(ctx context.Context) (uid int, ok bool) {
	uid, ok = ctx.Value(peerKey{}).(int)
	return uid, ok
}

// peer is the user of the other end (SO_PEERCRED).
func peer(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
