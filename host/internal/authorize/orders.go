package authorize

import (
	"time"

	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// An Input is something that happened to a call.
type Input interface {
	call() uint64 // its number
	input()
}

// Inputs that start a call; Done ends each of them. Call comes from Core.Call.
type (
	// PaymentAsked is a request that posts at once (0200) or its repeat,
	// ReversalAsked any reversal.
	PaymentAsked struct {
		Call    uint64
		Message Message
	}
	ReversalAsked struct {
		Call    uint64
		Message Message
	}
	// RefusalAsked refuses with a code and spends the message's counter;
	// RejectionAsked spends nothing, for messages that are not authentic.
	RefusalAsked struct {
		Call    uint64
		Message Message
		Code    string // DE 39
	}
	RejectionAsked struct {
		Call    uint64
		Message Message
		Code    string // DE 39
	}
	// AlarmAsked audits a message whose counter was refused, and answers 63.
	AlarmAsked struct {
		Call    uint64
		Message Message
		Cause   error
	}
	// ConfirmationAsked spends the counter of a message that is no transaction and
	// notes what it confirms. Inside, optional, runs in the same commit.
	ConfirmationAsked struct {
		Call    uint64
		Message Message
		Inside  func(*store.Tx) error
	}
	// DeliveryAsked offers what is due in the outbox to the issuer.
	DeliveryAsked struct{ Call uint64 }
	// SettlementAsked ends undecided rows that came before a time (microseconds)
	// and that no call is working on.
	SettlementAsked struct {
		Call   uint64
		Before int64
	}
	// RetryAsked puts what waits for operators back into the outbox.
	RetryAsked struct {
		Call  uint64
		Actor string
	}
)

// Inputs that bring the result of an order.
type (
	Numbered struct {
		Call uint64
		RRN  string
		Err  error
	}
	Committed struct {
		Call uint64
		Err  error // store.ErrUnknown when nobody knows
	}
	ReadDone struct {
		Call uint64
		Err  error
	}
	// IssuerSaid brings the issuer's decision, or the error of one that was silent.
	IssuerSaid struct {
		Call     uint64
		Response issuer.Response
		Err      error
	}
	Verified struct {
		Call    uint64
		Verdict api.CryptogramVerdict
		Err     error
	}
	// Offered says whether the issuer took a reversal. Ending: it was no try, since
	// the program ends.
	Offered struct {
		Call   uint64
		Err    error
		Ending bool
	}
	// Woken ends a Pause of the same turn.
	Woken struct{ Call, Turn uint64 }
)

// An Order is something for the driver to do.
type Order interface {
	call() uint64 // its number
	order()
}

// The orders. Each brings one input, but for Decided, Wake, Warn and Done, which
// bring none.
type (
	// Number takes a retrieval reference number: Numbered.
	Number struct {
		Call   uint64
		Within time.Duration
	}
	// Commit runs Fn in the next commit and is done when that is durable:
	// Committed. Sale marks one that a full disk refuses.
	Commit struct {
		Call   uint64
		Name   string
		Sale   bool
		Within time.Duration
		Fn     func(*store.Tx) error
	}
	// Read runs Fn over what is committed: ReadDone.
	Read struct {
		Call uint64
		Fn   func(store.Querier) error
	}
	// Ask puts a question to the issuer: IssuerSaid.
	Ask struct {
		Call    uint64
		Request issuer.Request
		Within  time.Duration
	}
	// Verify has a cryptogram verified once more: Verified.
	Verify struct {
		Call    uint64
		Request issuer.Request
	}
	// Offer gives a reversal to the issuer: Offered.
	Offer struct {
		Call     uint64
		Reversal issuer.Reversal
		Within   time.Duration
	}
	// Pause asks for Woken after a time; another order of the call ends it before.
	Pause struct {
		Call, Turn uint64
		Within     time.Duration
	}
	// Decided tells of a durable outcome.
	Decided struct {
		Call   uint64
		Record Record
	}
	// Wake says that the outbox may have work.
	Wake struct{ Call uint64 }
	// Warn is for the log.
	Warn struct {
		Call   uint64
		Text   string
		Fields map[string]any
		Err    error
	}
	// Done ends the call. After an error nothing may be answered.
	Done struct {
		Call  uint64
		Reply Reply
		Count int // of what was delivered, settled or retried
		Err   error
	}
)

func (i PaymentAsked) call() uint64      { return i.Call }
func (i ReversalAsked) call() uint64     { return i.Call }
func (i RefusalAsked) call() uint64      { return i.Call }
func (i RejectionAsked) call() uint64    { return i.Call }
func (i AlarmAsked) call() uint64        { return i.Call }
func (i ConfirmationAsked) call() uint64 { return i.Call }
func (i DeliveryAsked) call() uint64     { return i.Call }
func (i SettlementAsked) call() uint64   { return i.Call }
func (i RetryAsked) call() uint64        { return i.Call }
func (i Numbered) call() uint64          { return i.Call }
func (i Committed) call() uint64         { return i.Call }
func (i ReadDone) call() uint64          { return i.Call }
func (i IssuerSaid) call() uint64        { return i.Call }
func (i Verified) call() uint64          { return i.Call }
func (i Offered) call() uint64           { return i.Call }
func (i Woken) call() uint64             { return i.Call }

func (PaymentAsked) input()      {}
func (ReversalAsked) input()     {}
func (RefusalAsked) input()      {}
func (RejectionAsked) input()    {}
func (AlarmAsked) input()        {}
func (ConfirmationAsked) input() {}
func (DeliveryAsked) input()     {}
func (SettlementAsked) input()   {}
func (RetryAsked) input()        {}
func (Numbered) input()          {}
func (Committed) input()         {}
func (ReadDone) input()          {}
func (IssuerSaid) input()        {}
func (Verified) input()          {}
func (Offered) input()           {}
func (Woken) input()             {}

func (o Number) call() uint64  { return o.Call }
func (o Commit) call() uint64  { return o.Call }
func (o Read) call() uint64    { return o.Call }
func (o Ask) call() uint64     { return o.Call }
func (o Verify) call() uint64  { return o.Call }
func (o Offer) call() uint64   { return o.Call }
func (o Pause) call() uint64   { return o.Call }
func (o Decided) call() uint64 { return o.Call }
func (o Wake) call() uint64    { return o.Call }
func (o Warn) call() uint64    { return o.Call }
func (o Done) call() uint64    { return o.Call }

func (Number) order()  {}
func (Commit) order()  {}
func (Read) order()    {}
func (Ask) order()     {}
func (Verify) order()  {}
func (Offer) order()   {}
func (Pause) order()   {}
func (Decided) order() {}
func (Wake) order()    {}
func (Warn) order()    {}
func (Done) order()    {}
