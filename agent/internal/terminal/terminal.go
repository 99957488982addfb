// Package terminal joins the parts of the agent: it drives the pure machines of
// package payment over the card reader, the EMV kernel, the DUKPT registers, the
// journal and the link to the host. One payment is served at a time; reversals
// and the link go on in the background.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/agent/internal/device"
	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/register"
	"tallystick.example/agent/internal/trace"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xlog"
)

// A Card is a powered card.
type Card interface {
	kernel.Card
	PowerOff(ctx context.Context) error
}

// A Reader is the card reader as the terminal uses it.
type Reader interface {
	Run(ctx context.Context) error
	WaitCard(ctx context.Context, present bool) error
	PowerOn(ctx context.Context, tap device.Tap) (Card, error)
	Name() string // empty while it is not connected
}

// SerialReader is the Reader on a serial line.
type SerialReader struct{ *device.Reader }

// PowerOn resets the card; see [device.Reader.PowerOn].
func (r SerialReader) PowerOn(ctx context.Context, tap device.Tap) (Card, error) {
	c, err := r.Reader.PowerOn(ctx, tap)
	if err != nil {
		return nil, err // and no typed nil
	}
	return c, nil
}

// A PINPad takes a PIN of 4 to 12 digits; *device.Keypad is one.
type PINPad interface {
	PIN(ctx context.Context, progress func(digits int)) (secret.Secret, error)
	Close()
}

// Options are the parts of a terminal.
type Options struct {
	Config   *params.Config // checked
	Journal  *journal.Journal
	Register *register.Register // nil while no DUKPT key is loaded
	Reader   Reader
	PINPad   PINPad           // nil without one
	Dial     hostlink.Options // Dial is used, the rest is filled in
	Trace    *trace.Trace     // nil for none
	Random   io.Reader
	Now      func() time.Time
	Log      logrus.FieldLogger
	// SendFirst is a mistake that crash tests plant: the request leaves, and is
	// answered, before its intent is written. It breaks rule 1.
	SendFirst bool
}

// A Terminal is a running agent. Its methods may be called by many goroutines.
type Terminal struct {
	o         Options
	kernel    *kernel.Config
	link      *hostlink.Link
	reversals *reversals
	start     time.Time

	busy    sync.Mutex // held by the payment that is served
	mu      sync.Mutex
	current *sale
	fail    context.CancelCauseFunc
}

// New checks the parts and settles what the last run left behind: every attempt
// without an outcome gets one now, before anything else happens.
func New(o Options) (*Terminal, error) {
	k, err := o.Config.Kernel()
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	t := &Terminal{o: o, kernel: k, start: o.Now()}
	t.reversals = newReversals(t)
	if err := t.recover(); err != nil {
		return nil, err
	}
	l := o.Dial
	h := o.Config.Host
	l.SignOn, l.Echo, l.Up, l.Tap = t.signOn, t.echo, t.linkChanged, o.Trace.Wire
	l.EchoEvery, l.AnswerTime, l.WriteTime = h.EchoEvery, h.AnswerWithin, h.WriteWithin
	l.RetryFirst, l.RetryMax, l.Log = h.RetryFirst, h.RetryMax, o.Log
	t.link = hostlink.New(l)
	return t, nil
}

// Run serves until ctx ends or a write has failed whose effect is unknown; the
// process must end then, and its error says why. A payment under way is stopped
// and its outcome written before Run returns.
func (t *Terminal) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.mu.Lock()
	t.fail = cancel
	t.mu.Unlock()
	var group sync.WaitGroup
	for name, work := range map[string]func(context.Context) error{
		"card reader": t.o.Reader.Run, "host link": t.link.Run, "reversals": t.reversals.run,
	} {
		group.Add(1)
		go func() {
			defer group.Done()
			defer xlog.Recover(t.o.Log, name, func() { cancel(errors.New("the " + name + " died")) })
			if err := work(ctx); err != nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		}()
	}
	<-ctx.Done()
	t.abortForShutdown()
	group.Wait()
	if t.o.PINPad != nil {
		t.o.PINPad.Close()
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// abortForShutdown stops the payment under way and waits for its end, so that
// its outcome is in the journal.
func (t *Terminal) abortForShutdown() {
	t.mu.Lock()
	s := t.current
	t.mu.Unlock()
	if s != nil {
		s.abort()
	}
	t.busy.Lock() // never released: no further payment begins
}

// durable passes an error of journal or registers on. One after which the state
// on disk is unknown ends the process: nothing is done on top of it.
func (t *Terminal) durable(err error) error {
	if errors.Is(err, journal.ErrUnknown) || errors.Is(err, register.ErrUnknown) {
		t.o.Log.WithError(err).Error("a write may or may not be durable: the agent ends and must be started again")
		t.mu.Lock()
		fail := t.fail
		t.mu.Unlock()
		if fail != nil {
			fail(err)
		}
	}
	return err
}

// linkChanged hurries what waits when the host can be reached again.
func (t *Terminal) linkChanged(up bool) {
	if up {
		t.reversals.reconnected()
	}
}

func (t *Terminal) lab() bool { return t.o.Config.Mode == conf.Lab }
