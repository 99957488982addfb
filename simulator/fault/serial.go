package fault

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A Serial stands on a serial line: it offers a pseudo-terminal of its own under
// a link and forwards to the device behind it.
type Serial struct {
	s              *state
	near, far, tty *os.File
	link           string
}

// NewSerial opens the device at target and makes link, a symbolic link to the
// pseudo-terminal that the client opens in its place. hook may be nil.
func NewSerial(link, target string, hook Hook) (*Serial, error) {
	far, err := os.OpenFile(target, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("fault line: %w", err)
	}
	near, tty, err := pty.Open()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fault line: %w", err), far.Close())
	}
	name := tty.Name()
	l := &Serial{s: newState(hook), link: link}
	for _, end := range []struct {
		from *os.File
		to   **os.File
	}{{far, &l.far}, {near, &l.near}, {tty, &l.tty}} {
		f, rawErr := raw(end.from)
		*end.to, err = f, errors.Join(err, rawErr)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fault line: %w", err), l.close())
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("fault line: %w", err), l.close())
	}
	if err := os.Symlink(name, link); err != nil {
		return nil, errors.Join(fmt.Errorf("fault line: %w", err), l.close())
	}
	return l, nil
}

// Set changes what happens to one direction; Up is towards the device.
func (l *Serial) Set(d Direction, p Policy) error { return l.s.set(d, p) }

// Status tells what the line has seen.
func (l *Serial) Status() Status { return l.s.status() }

// Serve forwards until ctx ends or the device goes, then removes the link. The
// proxy keeps the near terminal open, so that the client may come and go.
func (l *Serial) Serve(ctx context.Context) error {
	l.s.link(1)
	defer l.s.link(-1)
	Join(ctx, l.s, l.near, l.far)
	return errors.Join(os.Remove(l.link), l.tty.Close())
}

// raw turns line editing off and returns the terminal as a file whose waiting
// Read ends with Close: the pty package and File.Fd leave files blocking, which
// is why the descriptor is taken anew. f is closed.
func raw(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if _, err := term.MakeRaw(fd); err != nil && !errors.Is(err, unix.ENOTTY) {
		return nil, errors.Join(err, unix.Close(fd))
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func (l *Serial) close() error { return errors.Join(l.near.Close(), l.far.Close(), l.tty.Close()) }
