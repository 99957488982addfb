// Package device drives what is plugged into the terminal: serial lines, the
// dumb card reader (CCID over serial) and the lab's PIN keypad. It is the only
// package of the agent that uses go.bug.st/serial.
package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// Errors of a serial line. Once one of the first two has come, the line must be
// closed and opened again.
var (
	// ErrClosed means that the line was closed or unplugged.
	ErrClosed = errors.New("the serial line is closed or unplugged")
	// ErrWriteTimeout means that the peer takes no bytes; how many it took is
	// unknown, so the line is closed.
	ErrWriteTimeout = errors.New("the device does not take what is sent to it")
	// ErrLineLocked means that another process uses the line.
	ErrLineLocked = errors.New("another process uses the serial line")
)

// Line says how a serial line is opened.
type Line struct {
	Path     string // such as /dev/serial/by-id/…; a pseudo-terminal will do
	Baud     int
	TwoStops bool   // 2 stop bits, as the GemPC Twin wants
	LockDir  string // where the lock file goes, such as /run/lock
}

// A Port is an open serial line. It wraps the library's port, whose Write after
// Close would reach whatever file has the old descriptor by then: every call
// here holds the descriptor against Close. Read and Write may run at once, each
// from one goroutine; Close from any.
type Port struct {
	raw  serial.Port
	lock *os.File

	mu       sync.Mutex
	closed   bool
	users    int           // calls that are using the descriptor
	gone     chan struct{} // closed by Close
	released chan struct{} // closed when the descriptor is
}

// readSlice is how long one look at the line lasts before Close and deadlines
// are looked at again.
const readSlice = 50 * time.Millisecond

// OpenPort takes the lock file and opens the line, raw, without flow control. It
// leaves the modem status lines alone: a pseudo-terminal has none.
func OpenPort(l Line) (*Port, error) {
	lock, err := lockLine(l)
	if err != nil {
		return nil, err
	}
	mode := &serial.Mode{BaudRate: l.Baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit}
	if l.TwoStops {
		mode.StopBits = serial.TwoStopBits
	}
	raw, err := serial.Open(l.Path, mode)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the serial line %s: %w", l.Path, err), lock.Close())
	}
	if err := errors.Join(raw.SetReadTimeout(readSlice), raw.ResetInputBuffer()); err != nil {
		return nil, errors.Join(fmt.Errorf("setting up the serial line %s: %w", l.Path, err), raw.Close(), lock.Close())
	}
	return &Port{raw: raw, lock: lock, gone: make(chan struct{}), released: make(chan struct{})}, nil
}

// acquire keeps the descriptor open until release. It reports false when the
// port is closed.
func (p *Port) acquire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.users++
	return true
}

// release ends what acquire began; the last one closes a closed port's descriptor.
func (p *Port) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users--
	p.closeUnused()
}

// closeUnused closes the descriptor when nobody uses it any more; mu is held.
func (p *Port) closeUnused() {
	if !p.closed || p.users > 0 {
		return
	}
	// Nobody is left to hear of an error of either.
	_ = p.raw.Close()
	_ = p.lock.Close()
	close(p.released)
}

// lockLine takes an exclusive lock on a file named after the device. The
// terminal's own exclusive mode does not stop a second process of root.
func lockLine(l Line) (*os.File, error) {
	dev, err := filepath.EvalSymlinks(l.Path)
	if err != nil {
		return nil, fmt.Errorf("finding the serial line: %w", err)
	}
	name := "tallystick-" + strings.NewReplacer("/", "-").Replace(strings.TrimPrefix(dev, "/dev/")) + ".lock"
	f, err := os.OpenFile(filepath.Join(l.LockDir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock file of %s: %w", l.Path, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrLineLocked, l.Path), f.Close())
	}
	return f, nil
}

// Read waits for at least one byte, until ctx ends. It returns ErrClosed when
// the line is gone.
func (p *Port) Read(ctx context.Context, b []byte) (int, error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		n, err := p.readOnce(b)
		if err != nil {
			return 0, err
		}
		if n > 0 { // the library answers a time-out with no bytes and no error
			return n, nil
		}
	}
}

func (p *Port) readOnce(b []byte) (int, error) {
	if !p.acquire() {
		return 0, ErrClosed
	}
	defer p.release()
	n, err := p.raw.Read(b)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return n, nil
}

// Write sends all of b or fails. When the deadline of ctx passes, the line is
// closed: the library's Write cannot be stopped, so it is left behind in its own
// goroutine, which ends when the peer takes the bytes or goes away.
func (p *Port) Write(ctx context.Context, b []byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	own := append([]byte(nil), b...)
	done := make(chan error, 1)
	go func() { done <- p.writeAll(own) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%w: %w", ErrClosed, err)
		}
		return nil
	case <-p.gone:
		return ErrClosed
	case <-ctx.Done():
		_ = p.Close() // the reason for it is what the caller must learn
		return fmt.Errorf("%w: %w", ErrWriteTimeout, context.Cause(ctx))
	}
}

func (p *Port) writeAll(b []byte) error {
	defer clear(b)
	if !p.acquire() {
		return ErrClosed
	}
	defer p.release()
	for len(b) > 0 {
		n, err := p.raw.Write(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Discard throws away what has come in and was not read.
func (p *Port) Discard() error {
	if !p.acquire() {
		return ErrClosed
	}
	defer p.release()
	return p.raw.ResetInputBuffer()
}

// Close closes the line. It returns at once; the descriptor is closed when the
// last call that uses it has returned, so a peer that takes no bytes delays that
// until the device goes away, and no other file gets the bytes. It is safe to
// call more than once.
func (p *Port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	close(p.gone)
	p.closeUnused()
	return nil
}

// Reopener opens a line again after it was lost, waiting longer each time.
type Reopener struct {
	wait time.Duration
}

// Limits of the waits between attempts to open a line.
const (
	reopenFirst = 250 * time.Millisecond
	reopenMax   = 5 * time.Second
)

// Wait waits before the next attempt, 0.25 s at first and at most 5 s. It
// returns the cause when ctx ends first.
func (r *Reopener) Wait(ctx context.Context) error {
	r.wait = min(max(2*r.wait, reopenFirst), reopenMax)
	t := time.NewTimer(r.wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Opened says that the line works again.
func (r *Reopener) Opened() { r.wait = 0 }
