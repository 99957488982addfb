package gateway

import (
	"errors"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

// An Exchange is one message of a terminal on its way through identity, MAC, row
// and counter to its answer, or to being dropped with a counted reason. It is
// pure: Begin and Step give orders, and Step takes the result of the last order
// of a list; a list whose last order brings no result is the end. Its steps are
// written in the order in which they happen.
type Exchange struct {
	who        xtls.Identity
	checkpoint func() (api.Checkpoint, bool)
	frame      iso8583.Frame
	m          *iso8583.Message
	opened     api.Opened
	out        []Order
	then       func(Input)
}

// An Input is the result of an order.
type Input interface{ input() }

// The inputs.
type (
	LookedUp struct {
		KeySets []api.KeySet
		Err     error // ErrNotAdmitted when the connection must end
	}
	OpenDone struct {
		Opened api.Opened
		Err    error
	}
	DecideDone struct {
		Reply authorize.Reply
		Err   error
	}
	SealDone struct {
		Sealed api.Sealed
		Err    error
	}
)

func (LookedUp) input()   {}
func (OpenDone) input()   {}
func (DecideDone) input() {}
func (SealDone) input()   {}

// An Order is something for the driver to do.
type Order interface{ order() }

// The orders. The first four bring the input of their name.
type (
	// LookUp reads the terminal's state and key sets, in one snapshot: LookedUp. A
	// payment needs an active set, what is stored may come under a retired one.
	LookUp struct{ Payment bool }
	// Open has the boundary open the message: OpenDone.
	Open struct{ Request api.OpenRequest }
	// Decide makes a call to the authorization: DecideDone.
	Decide struct {
		Make func(call uint64) authorize.Input
	}
	// Seal has the boundary finish the answer: SealDone.
	Seal struct{ Request api.SealRequest }

	// Release forgets a handle that gets no answer.
	Release struct{ Handle api.Handle }
	// Send sends an answer; Verdict is for the trace.
	Send struct {
		Frame   iso8583.Frame
		Verdict string
	}
	// Came is for the trace of what came.
	Came struct{ Verdict string }
	// Count counts a reason; Bad counts it against the connection too, and Good
	// ends a row of bad messages.
	Count struct{ Reason string }
	Bad   struct{ Reason string }
	Good  struct{}
	// End closes the connection.
	End struct{}
	// Note is for the log.
	Note struct {
		Level  Level
		Text   string
		Fields map[string]any
		Err    error
	}
)

func (LookUp) order()  {}
func (Open) order()    {}
func (Decide) order()  {}
func (Seal) order()    {}
func (Release) order() {}
func (Send) order()    {}
func (Came) order()    {}
func (Count) order()   {}
func (Bad) order()     {}
func (Good) order()    {}
func (End) order()     {}
func (Note) order()    {}

// Level is the weight of a Note.
type Level uint8

// The levels.
const (
	Info Level = iota
	Warning
	Failure
)

// Begin takes the frame of a terminal that its certificate names. checkpoint
// gives the newest audit checkpoint.
func Begin(who xtls.Identity, checkpoint func() (api.Checkpoint, bool), f iso8583.Frame) (*Exchange, []Order) {
	x := &Exchange{who: who, checkpoint: checkpoint, frame: f}
	x.read()
	return x, x.out
}

// Step goes on with the result of the last order.
func (x *Exchange) Step(in Input) []Order {
	x.out = nil
	then := x.then
	x.then = nil
	then(in)
	return x.out
}

func (x *Exchange) do(o ...Order) { x.out = append(x.out, o...) }

// read takes the message apart.
func (x *Exchange) read() {
	m, err := iso8583.Unpack(x.frame.Body)
	if err != nil {
		x.do(Came{"unreadable"})
		x.unreadable()
		return
	}
	_, answerable := m.MTI().Answer()
	if !answerable || m.STAN() == "" || m.Terminal() != x.who.Terminal {
		x.do(Came{"dropped"}, Bad{"identity"})
		return
	}
	x.m = m
	x.do(LookUp{Payment: m.MTI().Class() == iso8583.ClassPayment})
	x.then = func(in Input) { x.lookedUp(in.(LookedUp)) }
}

// lookedUp has the boundary look at the MAC.
func (x *Exchange) lookedUp(in LookedUp) {
	switch {
	case errors.Is(in.Err, ErrNotAdmitted):
		x.do(End{})
		return
	case in.Err != nil:
		x.fault("reading the register", in.Err)
		return
	case x.m.MTI().Class() == iso8583.ClassNetwork && x.m.Digits(70) == iso8583.Echo:
		x.do(Came{"echo"})
		x.echo()
		return
	}
	x.do(Open{api.OpenRequest{Message: x.frame.Body, KeySets: in.KeySets}})
	x.then = func(in Input) {
		o := in.(OpenDone)
		if o.Err != nil {
			x.do(Came{"not opened"})
			x.notOpened(o.Err)
			return
		}
		x.opened = o.Opened
		x.do(Came{"mac " + string(o.Opened.MAC)})
		if o.Opened.MAC != api.MACValid {
			x.badMAC()
			return
		}
		x.do(Good{})
		x.decide()
	}
}

// ask makes a call to the authorization.
func (x *Exchange) ask(make func(call uint64) authorize.Input, then func(authorize.Reply, error)) {
	x.do(Decide{make})
	x.then = func(in Input) {
		d := in.(DecideDone)
		then(d.Reply, d.Err)
	}
}

// refuse answers with a code; the counter of the message is spent.
func (x *Exchange) refuse(in authorize.Message, code string) {
	x.ask(func(c uint64) authorize.Input { return authorize.RefusalAsked{Call: c, Message: in, Code: code} }, x.decided)
}

// decide finds what becomes of an authenticated message.
func (x *Exchange) decide() {
	in := authorize.Message{Message: x.m, Opened: x.opened}
	if err := iso8583.Validate(x.m, iso8583.ToHost); err != nil {
		x.do(Count{"rule"})
		x.note(Info, "a message breaks a rule of the interface", err)
		code := iso8583.RefusalCode(err)
		if code == "" {
			x.decided(authorize.Reply{}, nil)
			return
		}
		x.refuse(in, code)
		return
	}
	p, err := x.m.Private()
	if err != nil {
		x.refuse(in, authorize.CodeBadFormat)
		return
	}
	in.Private = p
	if x.m.Merchant() != x.who.Merchant {
		x.do(Count{"merchant"})
		x.refuse(in, codeMerchant)
		return
	}
	switch x.m.MTI().Class() {
	case iso8583.ClassReversal:
		x.ask(func(c uint64) authorize.Input { return authorize.ReversalAsked{Call: c, Message: in} }, x.decided)
		return
	case iso8583.ClassNetwork:
		x.network(in)
		return
	case iso8583.ClassPayment:
		if t, ok := x.m.Transaction(); ok && posts(t.Type) {
			x.ask(func(c uint64) authorize.Input { return authorize.PaymentAsked{Call: c, Message: in} }, x.decided)
			return
		}
	}
	x.do(Count{"unsupported"})
	x.refuse(in, codeUnsupported)
}

// decided has the answer sealed, if there is one.
func (x *Exchange) decided(r authorize.Reply, err error) {
	switch {
	case err != nil:
		// Nothing may be answered; what is durable is found by the reversal.
		x.release()
		x.fault("deciding", err)
	case r.Answer == nil:
		x.release()
		x.do(Count{"not answered"})
	default:
		x.seal(r)
	}
}

// seal finishes an answer inside the boundary and sends it.
func (x *Exchange) seal(r authorize.Reply) {
	packed, err := iso8583.PackForMAC(r.Answer)
	if err != nil {
		x.release()
		x.fault("packing an answer", err)
		return
	}
	x.do(Seal{api.SealRequest{Handle: x.opened.Handle, Answer: packed, ARC: r.ARC}})
	x.then = func(in Input) {
		s := in.(SealDone)
		if s.Err != nil {
			x.fault("sealing an answer", s.Err)
			return
		}
		x.send(s.Sealed.Answer, "rc "+r.Answer.ResponseCode())
		x.do(Count{"answered"}, Note{Text: "answered", Fields: x.fields("rrn", r.Answer.RRN(), "rc", r.Answer.ResponseCode())})
	}
}

// send gives an answer back with the TPDU of the message, swapped.
func (x *Exchange) send(body []byte, verdict string) {
	f := iso8583.Frame{Body: body}
	if !x.frame.TPDU.IsZero() {
		f.TPDU = x.frame.TPDU.Swap()
	}
	x.do(Send{f, verdict})
}
