// Package terminal joins the parts of the agent: its loop drives the pure machine
// of package core over the card reader, the EMV kernel, the DUKPT registers, the
// journal and the connection to the host. One payment is served at a time;
// reversals and the link go on in the background.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/device"
	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/agent/internal/register"
	"tallystick.example/agent/internal/trace"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/version"
	"tallystick.example/internal/xlog"
	"tallystick.example/iso8583"
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
	o      Options
	kernel *kernel.Config
	books  *Books
	events chan core.Event
	timer  *time.Timer
	first  []core.Action // of the start, for when Run begins
	done   chan struct{} // closed when the loop has ended

	dialling sync.WaitGroup
	busy     sync.Mutex // held by the payment that is served
	calls    atomic.Uint64

	mu      sync.Mutex // guards what follows
	core    *core.Core
	current *call
	lines   map[uint64]*line
	over    bool  // the loop has ended
	failed  error // why it has ended early
}

// roomForEvents is more than all goroutines of a terminal can have to say at once.
const roomForEvents = 64

// New checks the parts and settles what the last run left behind: every attempt
// without an outcome gets one now, before anything else happens.
func New(o Options) (*Terminal, error) {
	k, err := o.Config.Kernel()
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	h := o.Config.Host
	o.Dial.Tap, o.Dial.FrameTime, o.Dial.WriteTime, o.Dial.Log = o.Trace.Wire, h.AnswerWithin, h.WriteWithin, o.Log
	t := &Terminal{o: o, kernel: k, events: make(chan core.Event, roomForEvents), timer: time.NewTimer(time.Hour),
		done: make(chan struct{}), lines: map[uint64]*line{}}
	t.timer.Stop()
	t.books = &Books{Journal: o.Journal, Register: o.Register, Ready: func() string {
		if o.Reader.Name() == "" {
			return "the card reader is not connected"
		}
		return ""
	}}
	c := CoreConfig(o.Config, o.Journal, o.Random, o.PINPad != nil)
	c.SendFirst = o.SendFirst
	t.core = core.New(c)
	if err := t.settle(); err != nil {
		return nil, err
	}
	return t, nil
}

// CoreConfig is what the Core must know of a terminal's configuration.
func CoreConfig(c *params.Config, books core.Books, random io.Reader, pinPad bool) core.Config {
	capabilities := iso8583.CapCashback
	if pinPad {
		capabilities |= iso8583.CapOnlinePIN
	}
	h, r := c.Host, c.Reversals
	return core.Config{
		Terminal: c.Terminal.ID, Merchant: c.Terminal.Merchant, Software: version.Number, Capabilities: capabilities,
		Currency: c.Currency(), MerchantName: c.Terminal.Name, Address: c.Terminal.Address, Footer: c.Receipt.Footer,
		Reversals:      payment.Policy{First: r.First, Max: r.Max, StuckAfter: r.StuckAfter, ResumeWhenStuck: r.ResumeWhenStuck},
		WaitBeforeSale: r.WaitBeforeSale,
		Link:           hostlink.Policy{EchoEvery: h.EchoEvery, AnswerTime: h.AnswerWithin, RetryFirst: h.RetryFirst, RetryMax: h.RetryMax},
		Books:          books, Random: random, Lab: c.Mode == conf.Lab,
	}
}

// settle makes the Core's first step: what it writes is done now, and the rest
// when Run begins.
func (t *Terminal) settle() error {
	queue := []core.Event{core.Started{}}
	for len(queue) > 0 {
		actions := t.step(queue[0])
		queue = queue[1:]
		for _, a := range actions {
			e, mine, err := t.books.Do(a)
			switch {
			case err != nil:
				return fmt.Errorf("terminal: settling what the last run has left: %w", err)
			case e != nil:
				queue = append(queue, e)
			case !mine:
				t.first = append(t.first, a)
			}
		}
	}
	return nil
}

// Run serves until ctx ends or a write has failed whose effect is unknown; the
// process must end then, and its error says why. A payment under way is stopped
// and its outcome written before Run returns.
func (t *Terminal) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for name, work := range map[string]func(context.Context) error{"card reader": t.o.Reader.Run, "terminal": t.loop} {
		group.Add(1)
		go func() {
			defer group.Done()
			defer xlog.Recover(t.o.Log, name, func() { cancel(errors.New("the " + name + " died")) })
			if err := work(ctx); err != nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		}()
	}
	group.Wait()
	t.busy.Lock() // the payment that was served has told its till; no further one begins
	if t.o.PINPad != nil {
		t.o.PINPad.Close()
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (t *Terminal) lab() bool { return t.o.Config.Mode == conf.Lab }
