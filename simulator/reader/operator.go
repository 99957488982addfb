package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
	"tallystick.example/internal/xlog"
	"tallystick.example/simulator/card"
)

// source is where the card comes from: made here once, or served elsewhere and
// connected to at each insertion.
type source struct {
	local  *card.Card
	socket string
	client *card.Client
}

func newSource(name, state string) (*source, error) {
	if path, remote := strings.CutPrefix(name, "unix:"); remote {
		if state != "" {
			return nil, errors.New("--state belongs to the process that serves the card")
		}
		return &source{socket: path}, nil
	}
	c, err := card.Open(name, state, nil)
	return &source{local: c}, err
}

// Waiting for the socket of a card that starts at the same time.
const (
	dialTime  = 5 * time.Second
	dialPause = 50 * time.Millisecond
)

// contacts gives the card as it is put into the reader.
func (s *source) contacts(ctx context.Context) (Contacts, error) {
	if s.local != nil {
		return card.NewSlot(s.local), nil
	}
	if err := s.pull(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	for {
		c, err := card.Dial(ctx, s.socket)
		if err == nil {
			s.client = c
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(dialPause):
		}
	}
}

// pull ends the connection to a card that is served elsewhere.
func (s *source) pull() error {
	if s.client == nil {
		return nil
	}
	err := s.client.Close()
	s.client = nil
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func (s *source) close() error {
	if s.local != nil {
		s.local.Wipe()
	}
	return s.pull()
}

// operator moves the card on command.
type operator struct {
	mu      sync.Mutex // one movement at a time
	service *Service
	source  *source
}

// state is what "status" tells.
type state struct {
	Present bool `json:"present"`
	Powered bool `json:"powered"`
}

// move inserts or pulls the card, or neither, and tells the state after it.
func (o *operator) move(ctx context.Context, command string) (state, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var (
		after  state
		failed error
	)
	err := o.service.Do(ctx, func(ctx context.Context, m *Machine) []byte {
		var out []byte
		switch {
		case command == "insert" && !m.Present():
			var c Contacts
			if c, failed = o.source.contacts(ctx); failed == nil {
				out = m.Insert(c)
			}
		case command == "remove":
			out = m.Remove(ctx)
			failed = o.source.pull()
		}
		after = state{Present: m.Present(), Powered: m.Powered()}
		return out
	})
	return after, errors.Join(err, failed)
}

// watchSignals moves the card on USR1 and USR2; what goes wrong is said on
// problems. The result ends it.
func (o *operator) watchSignals(ctx context.Context, problems io.Writer) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				command := "insert"
				if s == syscall.SIGUSR2 {
					command = "remove"
				}
				if _, err := o.move(ctx, command); err != nil && ctx.Err() == nil {
					fmt.Fprintf(problems, "%s: %v\n", command, err)
				}
			}
		}
	}()
	return func() { signal.Stop(signals); <-done }
}

// serveControl serves the control socket at path, if there is one. The channel
// gives the end of it.
func (o *operator) serveControl(ctx context.Context, cancel context.CancelFunc, path string, logTo io.Writer) (<-chan error, error) {
	ended := make(chan error, 1)
	if path == "" {
		ended <- nil
		return ended, nil
	}
	log, err := xlog.New(logTo, "warning")
	if err != nil {
		ended <- nil
		return ended, err
	}
	server, err := control.Listen(path, o.handle, log)
	if err != nil {
		ended <- nil
		return ended, err
	}
	go func() {
		err := server.Serve(ctx)
		cancel()
		ended <- err
	}()
	return ended, nil
}

func (o *operator) handle(ctx context.Context, r control.Request, _ func(any) error) (any, error) {
	switch r.Command {
	case "insert", "remove", "status":
		s, err := o.move(ctx, r.Command)
		if err != nil {
			return nil, &control.Error{What: fmt.Sprintf("%s: %v", r.Command, err), Exit: cli.ExitUnavailable}
		}
		return s, nil
	default:
		return nil, &control.Error{What: "no command " + r.Command, Next: "use insert, remove or status", Exit: cli.ExitUsage}
	}
}
