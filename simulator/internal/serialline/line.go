// Package serialline makes the device end of a serial line out of a
// pseudo-terminal, for simulated readers and keypads.
package serialline

import (
	"errors"
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A Line is the device's end of a pseudo-terminal whose other end lies at a
// path, where a program opens it like a serial port.
type Line struct {
	*os.File          // the device's end
	host     *os.File // kept open, so that a host may come and go
	link     string
}

// Open makes a pseudo-terminal, transparent for all bytes, and a symbolic link
// at path to the host's end. An older link is replaced, anything else at path is
// refused.
func Open(path string) (*Line, error) {
	device, host, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("making a pseudo-terminal: %w", err)
	}
	l := &Line{File: device, host: host, link: path}
	if l.File, err = pollable(device); err != nil {
		return nil, errors.Join(fmt.Errorf("making the line closable: %w", err), host.Close())
	}
	if _, err := term.MakeRaw(int(host.Fd())); err != nil {
		return nil, errors.Join(fmt.Errorf("making the line transparent: %w", err), l.closeFiles())
	}
	if err := link(host.Name(), path); err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	return l, nil
}

// pollable returns f anew as a file whose waiting Read ends with Close, whoever
// else holds the line: the pty package leaves files blocking. f is closed.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// link puts the link in place in one step, so that a host that waits for it
// never sees half of it.
func link(target, path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("%s exists and is no link; name another path", path)
	}
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Symlink(target, temporary); err != nil {
		return fmt.Errorf("linking the line: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(fmt.Errorf("linking the line: %w", err), os.Remove(temporary))
	}
	return nil
}

// Close removes the link, when it is still ours, and closes the line: reads end,
// and a host's port reports that the device has gone.
func (l *Line) Close() error {
	var err error
	if target, readErr := os.Readlink(l.link); readErr == nil && target == l.host.Name() {
		err = os.Remove(l.link)
	}
	return errors.Join(err, l.closeFiles())
}

func (l *Line) closeFiles() error { return errors.Join(l.File.Close(), l.host.Close()) }
