package app

import (
	"fmt"
	"time"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/gateway"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

// A Core is the host as one pure machine: the exchanges of package gateway and the
// calls of package authorize, joined as the running host joins them by
// goroutines. It does no I/O and reads no clock; [Parts] carry out its actions.
type Core struct {
	auth       *authorize.Core
	checkpoint func() (api.Checkpoint, bool)
	lines      map[uint64]terminalLine
	exchanges  map[uint64]*exchange
	calls      map[uint64]uint64 // call: its exchange, 0 for the host's own work
	last       uint64            // number of the newest exchange
	delivery   uint64            // the call that works on the outbox, 0 for none
	again      bool              // the outbox has more work
	out        []Action
}

// terminalLine is a connection of an authenticated terminal.
type terminalLine struct {
	who   xtls.Identity
	print []byte
}

// exchange is a message on its way, and the terminal that it came from.
type exchange struct {
	terminalLine
	line    uint64
	machine *gateway.Exchange
}

// Event is something that happened to a Core.
type Event interface{ hostEvent() }

// The events of a Core.
type (
	// HostStarted is the first: what the last run left undecided is settled.
	HostStarted struct{}
	// LineUp says that a terminal has connected, with the identity and the SHA-256
	// of its certificate; LineDown that the connection has ended.
	LineUp struct {
		Line  uint64
		Who   xtls.Identity
		Print []byte
	}
	LineDown struct{ Line uint64 }
	// FrameIn brings a frame of a terminal.
	FrameIn struct {
		Line  uint64
		Frame iso8583.Frame
	}
	// OutboxDue has the outbox looked at, SweepDue what is undecided for too long;
	// both come every now and then.
	OutboxDue struct{}
	SweepDue  struct{}
	// GatewayDid and AuthorizeDid bring the result of an action.
	GatewayDid struct {
		Exchange uint64
		Input    gateway.Input
	}
	AuthorizeDid struct{ Input authorize.Input }
)

func (HostStarted) hostEvent()  {}
func (LineUp) hostEvent()       {}
func (LineDown) hostEvent()     {}
func (FrameIn) hostEvent()      {}
func (OutboxDue) hostEvent()    {}
func (SweepDue) hostEvent()     {}
func (GatewayDid) hostEvent()   {}
func (AuthorizeDid) hostEvent() {}

// Action is something for the host's loop to do.
type Action interface{ hostAction() }

// The actions of a Core. Gateway and Authorize bring GatewayDid and AuthorizeDid
// for those orders that have a result.
type (
	Gateway struct {
		Exchange uint64
		Who      xtls.Identity
		Print    []byte
		Order    gateway.Order
	}
	Authorize struct{ Order authorize.Order }
	// FrameOut sends a frame to a terminal, Cut ends its connection.
	FrameOut struct {
		Line  uint64
		Frame iso8583.Frame
	}
	Cut struct{ Line uint64 }
	// Settled says what HostStarted, OutboxDue or SweepDue came to.
	Settled struct {
		Count int
		Err   error
	}
)

func (Gateway) hostAction()   {}
func (Authorize) hostAction() {}
func (FrameOut) hostAction()  {}
func (Cut) hostAction()       {}
func (Settled) hostAction()   {}

// The orders that a simulation carries out otherwise than [Parts] would: a commit
// whose outcome is not known, an issuer that is slow or silent, a time that passes.
type (
	Commit     = authorize.Commit
	Committed  = authorize.Committed
	Ask        = authorize.Ask
	IssuerSaid = authorize.IssuerSaid
	Offer      = authorize.Offer
	Offered    = authorize.Offered
	Pause      = authorize.Pause
	Woken      = authorize.Woken
)

// newCore returns the Core of a starting host.
func newCore(auth *authorize.Core, checkpoint func() (api.Checkpoint, bool)) *Core {
	return &Core{auth: auth, checkpoint: checkpoint, lines: map[uint64]terminalLine{}, exchanges: map[uint64]*exchange{}, calls: map[uint64]uint64{}}
}

// Step is the whole machine: it takes an event that happened at now and returns
// the actions to carry out, in order.
func (c *Core) Step(now time.Time, e Event) []Action {
	c.out = nil
	switch e := e.(type) {
	case HostStarted:
		c.own(now, func(call uint64) authorize.Input {
			return authorize.SettlementAsked{Call: call, Before: now.UnixMicro() + 1}
		})
	case SweepDue:
		before := now.Add(-authorize.Stale).UnixMicro()
		c.own(now, func(call uint64) authorize.Input { return authorize.SettlementAsked{Call: call, Before: before} })
	case OutboxDue:
		c.deliver(now)
	case LineUp:
		c.lines[e.Line] = terminalLine{who: e.Who, print: e.Print}
	case LineDown:
		delete(c.lines, e.Line)
	case FrameIn:
		if l, up := c.lines[e.Line]; up {
			c.last++
			x := &exchange{terminalLine: l, line: e.Line}
			c.exchanges[c.last] = x
			var orders []gateway.Order
			x.machine, orders = gateway.Begin(l.who, c.checkpoint, e.Frame)
			c.gateway(now, c.last, orders)
		}
	case GatewayDid:
		if x := c.exchanges[e.Exchange]; x != nil {
			c.gateway(now, e.Exchange, x.machine.Step(e.Input))
		}
	case AuthorizeDid:
		c.authorize(now, e.Input)
	default:
		panic(fmt.Sprintf("app: the event %T is unknown", e)) // a mistake of the loop
	}
	return c.out
}

func (c *Core) do(a ...Action) { c.out = append(c.out, a...) }

// gateway passes on the orders of an exchange, and ends it after a list without
// one that brings a result. What has been decided is finished also when the
// terminal has gone: only its answer has nowhere to go.
func (c *Core) gateway(now time.Time, number uint64, orders []gateway.Order) {
	x, open := c.exchanges[number], false
	var decide *gateway.Decide
	for _, o := range orders {
		switch o := o.(type) {
		case gateway.Decide:
			open, decide = true, &o
		case gateway.Send:
			if _, up := c.lines[x.line]; up {
				c.do(FrameOut{x.line, o.Frame})
			}
		case gateway.End:
			c.do(Cut{x.line})
		default:
			switch o.(type) {
			case gateway.LookUp, gateway.Open, gateway.Seal:
				open = true
			}
			c.do(Gateway{number, x.who, x.print, o})
		}
	}
	if !open {
		delete(c.exchanges, number)
	}
	if decide != nil {
		call := c.auth.Call()
		c.calls[call] = number
		c.authorize(now, decide.Make(call))
	}
}

// own begins a call of the host itself.
func (c *Core) own(now time.Time, begin func(call uint64) authorize.Input) uint64 {
	call := c.auth.Call()
	c.calls[call] = 0
	c.authorize(now, begin(call))
	return call
}

// deliver has the outbox worked on, by one call at a time.
func (c *Core) deliver(now time.Time) {
	if c.delivery != 0 {
		c.again = true
		return
	}
	c.again = false
	c.delivery = c.own(now, func(call uint64) authorize.Input { return authorize.DeliveryAsked{Call: call} })
}

// authorize gives the authorization an input and passes its orders on.
func (c *Core) authorize(now time.Time, in authorize.Input) {
	woken := false
	for _, o := range c.auth.Step(now, in) {
		switch o := o.(type) {
		case authorize.Wake:
			woken = true
		case authorize.Done:
			c.done(now, o)
		default:
			c.do(Authorize{o})
		}
	}
	if woken {
		c.deliver(now)
	}
}

// done ends a call.
func (c *Core) done(now time.Time, d authorize.Done) {
	number, known := c.calls[d.Call]
	delete(c.calls, d.Call)
	if x := c.exchanges[number]; known && x != nil {
		c.gateway(now, number, x.machine.Step(gateway.DecideDone{Reply: d.Reply, Err: d.Err}))
		return
	}
	c.do(Settled{d.Count, d.Err})
	if d.Call != c.delivery {
		return
	}
	c.delivery = 0
	if c.again {
		c.deliver(now)
	}
}
