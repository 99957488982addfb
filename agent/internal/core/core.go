package core

import (
	"fmt"
	"io"
	"time"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/dukpt"
	"tallystick.example/emv"
	"tallystick.example/iso8583"
)

// Books is what is durable, read from memory; *journal.Journal is it.
type Books interface {
	// Attempt returns an attempt that is not finished, Unfinished all of them,
	// oldest first.
	Attempt(number uint64) (journal.Attempt, bool)
	Unfinished() []journal.Attempt
	// Find returns the newest attempt of a sale, finished or not.
	Find(sale string) (journal.Attempt, bool)
	// Unconfirmed returns up to n approvals whose completion the host has not been
	// told, oldest first.
	Unconfirmed(n int) []journal.Attempt
}

// Config is what a terminal is. All fields but the last two are required.
type Config struct {
	Terminal, Merchant string // DE 41, DE 42
	Software           string
	Capabilities       iso8583.Capabilities
	Currency           emv.Currency
	// MerchantName, Address and Footer are printed on receipts.
	MerchantName string
	Address      []string
	Footer       []string
	Reversals    payment.Policy
	// WaitBeforeSale is how long a sale waits for reversals that go first.
	WaitBeforeSale time.Duration
	Link           hostlink.Policy
	Books          Books
	Random         io.Reader
	Lab            bool // prints TEST
	// SendFirst is a mistake that crash tests plant: the request leaves, and is
	// answered, before its intent is written. It breaks rule 1.
	SendFirst bool
}

// A Core is a terminal between two events. One goroutine uses it at a time.
type Core struct {
	cfg    Config
	start  time.Time // origin of the queue's clock
	link   hostlink.Machine
	queue  payment.Queue
	sale   *sale // nil while no payment is served
	ending bool
	armed  time.Time
	turn   uint64 // number of the newest Purpose of a link message

	signing  *iso8583.Message               // the sign-on whose key is being taken
	reversal *iso8583.Message               // the reversal whose key is being taken
	confirms []uint64                       // what the sign-on confirms
	accepted *iso8583.Message               // its answer, while the registers skip forward
	keys     map[Purpose]*dukpt.WorkingKeys // of messages in flight
	out      []Action                       // of the step that is being made
}

// New returns the Core of a starting program. Its first event is Started.
func New(cfg Config) *Core {
	return &Core{cfg: cfg, link: hostlink.Machine{Policy: cfg.Link}, queue: payment.Queue{Policy: cfg.Reversals}, keys: map[Purpose]*dukpt.WorkingKeys{}}
}

// Step is the whole machine: it takes an event that happened at now and returns
// the actions to carry out, in order. Events that come too late change nothing.
func (c *Core) Step(now time.Time, e Event) []Action {
	c.out = nil
	switch e := e.(type) {
	case Started:
		c.started(now)
	case Ending:
		c.end(now)
	case Tick:
		c.tick(now)
	case PayAsked:
		c.pay(now, e)
	case TillGone:
		if c.sale != nil && c.sale.Call == e.Call && c.sale.state.Phase <= payment.Reading {
			c.payment(now, payment.Abort{})
		}
	case AbortAsked:
		c.payment(now, payment.Abort{})
	case RetryAsked:
		c.queued(now, payment.Retry{Attempt: e.Attempt})
	case Ended:
		c.ended(now, e.Attempt)
	case Skipped:
		c.skipped(now, e)
	case STANTaken:
		c.numbered(now, e)
	case KeyTaken:
		c.keyed(now, e)
	case NotTaken:
		c.notTaken(now, e)
	case Connected:
		c.linked(now, c.link.Dialed(now, e.Conn))
	case Disconnected:
		c.linked(now, c.link.Lost(now, e.Conn, e.Why))
	case FrameCame:
		c.linked(now, c.link.Came(now, e.Conn, e.Body))
	default:
		c.card(now, e)
	}
	c.send(now)
	c.arm()
	return c.out
}

// do adds actions to the step.
func (c *Core) do(a ...Action) { c.out = append(c.out, a...) }

func (c *Core) note(l Level, text string, fields map[string]any) {
	c.do(Note{Level: l, Text: text, Fields: fields})
}

// started settles every attempt that the last run has left without an outcome
// (rule 1): one that may have been sent is reversed, another one is cancelled.
// Reversals that were owed are owed again.
func (c *Core) started(now time.Time) {
	c.start = now
	for _, a := range c.cfg.Books.Unfinished() {
		if a.End() == journal.EndReversing {
			c.ended(now, a.Number)
			continue
		}
		for _, action := range payment.Recover(a.Intent != nil) {
			if w, ok := action.(payment.WriteOutcome); ok {
				c.note(Warning, "settling an attempt that a power loss or restart has cut off", map[string]any{"attempt": a.Number, "end": w.End})
				c.do(WriteOutcome{a.Number, journal.Outcome{End: journal.End(w.End), Reason: w.Why, Owes: uint8(w.Owes)}})
			}
		}
	}
	c.linked(now, c.link.Start(now))
}

// ended hands an attempt that owes a reversal to the queue, now that the journal
// says so.
func (c *Core) ended(now time.Time, attempt uint64) {
	if a, open := c.cfg.Books.Attempt(attempt); open && a.End() == journal.EndReversing {
		c.queued(now, payment.Owe{Attempt: a.Number, Tries: a.Tries, Stuck: a.Stuck != nil})
	}
}

// end stops everything; the payment under way still gets its outcome.
func (c *Core) end(now time.Time) {
	c.ending = true
	c.payment(now, payment.Abort{})
	c.linked(now, c.link.End(now))
}

// tick acts on the time that has passed.
func (c *Core) tick(now time.Time) {
	c.armed = time.Time{}
	c.linked(now, c.link.Tick(now))
	if s := c.sale; s != nil && !s.flushBy.IsZero() && !now.Before(s.flushBy) {
		c.flushed(now, true)
	}
}

// arm asks for the next Tick when it is another than the one that was asked for.
func (c *Core) arm() {
	next, _ := c.link.Next()
	consider := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if due, waits := c.queue.NextDue(); waits && c.link.Status().Up && !c.ending {
		consider(c.start.Add(due))
	}
	if c.sale != nil && !c.sale.flushBy.IsZero() {
		consider(c.sale.flushBy)
	}
	if !next.Equal(c.armed) {
		c.armed = next
		c.do(Arm{At: next})
	}
}

// Link tells whether the host can be reached.
func (c *Core) Link() hostlink.Status { return c.link.Status() }

// Blocks tells why a sale must wait for reversals, empty when it need not.
func (c *Core) Blocks() string { return c.queue.Blocks() }

// Busy reports whether a payment is under way.
func (c *Core) Busy() bool { return c.sale != nil }

// Depth counts the reversals that wait and those that need an operator.
func (c *Core) Depth() (waiting, stuck int) {
	for _, i := range c.queue.Items {
		if i.Stuck {
			stuck++
		} else {
			waiting++
		}
	}
	return waiting, stuck
}

// header begins a message of this terminal.
func (c *Core) header(stan uint32, at time.Time) iso8583.Header {
	return iso8583.Header{Terminal: c.cfg.Terminal, Merchant: c.cfg.Merchant, STAN: stan, At: at}
}

// currency is the numeric code of the terminal's currency.
func (c *Core) currency() uint16 {
	var n uint16
	for _, d := range c.cfg.Currency.Numeric {
		n = n*10 + uint16(d-'0')
	}
	return n
}

// unexpected is a mistake of the loop.
func unexpected(e Event) string { return fmt.Sprintf("core: event %T is unknown", e) }
