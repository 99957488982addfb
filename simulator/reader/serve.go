package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tallystick.example/internal/reader/ccid"
)

// A Line is the reader's end of a serial line.
type Line interface {
	io.ReadWriter
	SetWriteDeadline(time.Time) error
}

// writeTime bounds how long a host may leave the line unread. What cannot be
// written then is lost, as on a line that nobody listens to.
const writeTime = 2 * time.Second

// A Service is a reader on a line. Commands of operators come through Do.
type Service struct {
	machine *Machine
	line    Line
	log     *Log
	echo    bool
	last    []byte // the last answer, for a host that asks for it again
	do      chan func(context.Context, *Machine) []byte
}

// NewService puts a machine on a line. With echo every command is sent back
// before its answer, as GemPC Twin readers do. log may be nil.
func NewService(m *Machine, line Line, echo bool, log *Log) *Service {
	return &Service{machine: m, line: line, log: log, echo: echo, do: make(chan func(context.Context, *Machine) []byte)}
}

// Serve answers the host until ctx ends or the line fails; the caller closes the
// line to end the reading of it.
func (s *Service) Serve(ctx context.Context) error {
	in := make(chan []byte)
	ended := make(chan error, 1)
	// The caller's context: one derived from it ends a little later, and the line
	// may have been closed in between.
	caller := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { ended <- s.read(ctx, in) }()
	var decoder ccid.Decoder
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-ended:
			if caller.Err() != nil {
				return nil
			}
			return fmt.Errorf("the reader's line: %w", err)
		case f := <-s.do:
			err = s.notify(f(ctx, s.machine))
		case b := <-in:
			for _, e := range decoder.Write(b) {
				err = errors.Join(err, s.event(ctx, e))
			}
		}
		if err = errors.Join(err, s.log.Err()); err != nil {
			return err
		}
	}
}

// read carries bytes from the line to in. Its last read ends when the line is
// closed.
func (s *Service) read(ctx context.Context, in chan<- []byte) error {
	buf := make([]byte, ccid.MaxFrame)
	for {
		n, err := s.line.Read(buf)
		if n > 0 {
			select {
			case in <- append([]byte(nil), buf[:n]...):
			case <-ctx.Done():
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// Do runs f on the machine between two commands of the host and sends what it
// returns.
func (s *Service) Do(ctx context.Context, f func(context.Context, *Machine) []byte) error {
	done := make(chan struct{})
	job := func(ctx context.Context, m *Machine) []byte {
		defer close(done)
		return f(ctx, m)
	}
	select {
	case s.do <- job:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Service) event(ctx context.Context, e ccid.Event) error {
	switch e.Kind {
	case ccid.Frame:
		if !e.Message.Type.IsCommand() {
			return nil // an answer on the host's side of the line makes no sense
		}
		return s.command(ctx, e.Message)
	case ccid.Broken:
		s.log.event("host", "broken")
		s.log.event("reader", "nak")
		return s.write(ccid.NAK())
	case ccid.Refused:
		s.log.event("host", "nak")
		return s.write(s.last)
	default:
		return nil // notifications go the other way: noise
	}
}

func (s *Service) command(ctx context.Context, c ccid.Message) error {
	s.log.frame("host", c)
	if s.echo {
		frame, err := ccid.AppendFrame(nil, c)
		if err != nil {
			return err
		}
		if err := s.write(frame); err != nil {
			return err
		}
	}
	a := s.machine.Command(ctx, c)
	if err := s.notify(a.Notification); err != nil {
		return err
	}
	for range a.Waits {
		s.log.event("reader", "time_request")
		if err := s.write([]byte{0x80}); err != nil {
			return err
		}
	}
	frame, err := ccid.AppendFrame(nil, a.Message)
	if err != nil {
		return fmt.Errorf("framing an answer: %w", err)
	}
	s.last = frame
	s.log.frame("reader", a.Message)
	return s.write(frame)
}

func (s *Service) notify(n []byte) error {
	switch string(n) {
	case "":
		return nil
	case string(ccid.Notification(true)):
		s.log.event("reader", "inserted")
	default:
		s.log.event("reader", "removed")
	}
	return s.write(n)
}

// write gives the host time to read. A host that does not is no error: on a real
// line the bytes would be gone too.
func (s *Service) write(b []byte) error {
	if err := s.line.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return fmt.Errorf("the reader's line: %w", err)
	}
	if _, err := s.line.Write(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the reader's line: %w", err)
	}
	return nil
}
