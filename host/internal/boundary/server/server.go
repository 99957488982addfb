// Package server is the HSM boundary as a process: [Serve] opens the software
// HSM and answers the protocol of package wire on two Unix sockets.
//
// The socket for payments serves [api.Boundary], the one for administration
// [api.Administration] and the unlocking by custodians; no connection may do
// both. Each has its own list of users, and the kernel tells who connected.
// A socket has mode 0600 when only the boundary's own user is listed; otherwise
// its mode is 0666 and the list decides.
//
// The process makes no core files, cannot be attached to by others of its user,
// and survives panics without printing what they were about.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"tallystick.example/internal/harden"
	"tallystick.example/internal/xlog"
)

// Options are what [Serve] needs.
type Options struct {
	Config Config
	Log    logrus.FieldLogger
	// Random is the source of all keys, nonces, tokens and handles; it must be
	// fit for cryptography and may be used by one goroutine at a time.
	Random io.Reader
	// Now is the clock that handles age by.
	Now func() time.Time
	// Parent, when not nil, is the standard input of a child: its end means that
	// the parent is gone, and so ends the boundary.
	Parent io.Reader
	// Ready, when not nil, is called once when both sockets take connections.
	Ready func()
	// Version is what Info tells.
	Version string
}

// Serve runs a boundary until ctx ends, the parent goes away or a state file can
// no longer be written. It returns nil for the first two.
func Serve(ctx context.Context, o Options) error {
	if err := o.Config.Check(); err != nil {
		return err
	}
	if o.Log == nil || o.Random == nil || o.Now == nil {
		return errors.New("boundary: a logger, a source of randomness and a clock are needed")
	}
	if err := harden.Process(); err != nil {
		return err
	}
	debug.SetTraceback("none") // a crash of the runtime itself prints no stack either
	lockMemory(o.Log)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	v, err := newVault(o, func(err error) {
		select {
		case failed <- err:
		default: // the first failure says why
		}
		cancel()
	})
	if err != nil {
		return err
	}
	defer v.close()
	s := &server{vault: v, log: o.Log, now: o.Now}
	payments, err := listen(o.Config.SocketPath(), usersOrSelf(o.Config.Users))
	if err != nil {
		return err
	}
	defer payments.Close()
	admin, err := listen(o.Config.AdminSocketPath(), usersOrSelf(o.Config.Admins))
	if err != nil {
		return err
	}
	defer admin.Close()
	if o.Parent != nil {
		xlog.Go(o.Log, "parent watch", func() { watchParent(o.Parent); cancel() }, cancel)
	}
	o.Log.WithFields(logrus.Fields{
		"socket": o.Config.SocketPath(), "admin_socket": o.Config.AdminSocketPath(),
		"mode": string(o.Config.Mode), "locked": v.locked(),
	}).Info("the HSM boundary serves")
	if o.Ready != nil {
		o.Ready()
	}
	err = s.run(ctx, payments, admin, usersOrSelf(o.Config.Users), usersOrSelf(o.Config.Admins))
	select {
	case cause := <-failed:
		return errors.Join(fmt.Errorf("a state file can no longer be written: %w", cause), err)
	default:
		return err
	}
}

// watchParent returns when the pipe from the parent ends.
func watchParent(r io.Reader) {
	// Nothing is ever sent; the end and a failure mean the same.
	_, _ = io.Copy(io.Discard, r)
}

// lockMemory keeps keys out of swap where the limits allow it. With a small
// limit, locking everything would make later growth of the heap fail.
func lockMemory(log logrus.FieldLogger) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim); err != nil || lim.Cur != unix.RLIM_INFINITY {
		log.Warn("memory is not locked: RLIMIT_MEMLOCK is limited; raise it or encrypt the swap")
		return
	}
	if err := harden.LockMemory(); err != nil {
		log.WithError(err).Warn("memory is not locked: encrypt the swap")
	}
}

// listen takes the place of a socket that a dead boundary left.
func listen(path string, users []uint32) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of a socket: %w", err)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another boundary listens on %s", path)
	}
	if i, err := os.Lstat(path); err == nil && i.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("removing a dead socket: %w", err)
		}
	}
	old := unix.Umask(0o177) // from its first moment nobody else may connect
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	if len(users) != 1 || users[0] != uint32(os.Getuid()) {
		if err := os.Chmod(path, 0o666); err != nil {
			return nil, errors.Join(fmt.Errorf("opening the socket to other users: %w", err), l.Close())
		}
	}
	return l, nil
}

// A server is what all connections share.
type server struct {
	vault *vault
	log   logrus.FieldLogger
	now   func() time.Time

	wg sync.WaitGroup
}

// maxConns bounds the connections of one socket: a host has one of each.
const maxConns = 32

// run accepts until ctx ends, then waits for all connections.
func (s *server) run(ctx context.Context, payments, admin *net.UnixListener, users, admins []uint32) error {
	stop := context.AfterFunc(ctx, func() {
		// Closing is how Accept is told; its error would tell nothing new.
		_ = payments.Close()
		_ = admin.Close()
	})
	defer stop()
	errs := make(chan error, 2)
	for _, l := range []struct {
		*net.UnixListener
		admin bool
		users []uint32
	}{{payments, false, users}, {admin, true, admins}} {
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			errs <- s.accept(ctx, l.UnixListener, l.admin, l.users)
		}()
	}
	err := <-errs
	_ = payments.Close()
	_ = admin.Close()
	err = errors.Join(err, <-errs)
	s.wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// acceptPause is how long accepting rests when the system refuses, such as for
// lack of file descriptors.
const acceptPause = 100 * time.Millisecond

func (s *server) accept(ctx context.Context, l *net.UnixListener, admin bool, users []uint32) error {
	free := make(chan struct{}, maxConns)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		nc, err := l.AcceptUnix()
		if err != nil {
			<-free
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			s.log.WithError(err).Warn("accepting a connection failed")
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		s.wg.Add(1)
		xlog.Go(s.log, "boundary connection", func() {
			defer s.wg.Done()
			defer func() { <-free }()
			s.serve(ctx, nc, admin, users)
		}, nil)
	}
}
