package authorize

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
)

// Numbers gives retrieval reference numbers; rrn.Allocator is one.
type Numbers interface {
	Next(ctx context.Context) (string, error)
}

// Config is what an engine is made of. Every field without "optional" is
// required.
type Config struct {
	Store   *store.Store
	Node    string // 1 to 16 letters, digits, '-'
	Audit   *audit.Log
	Issuer  issuer.Issuer
	Rules   *score.Rules
	Numbers Numbers
	Now     func() time.Time
	Log     logrus.FieldLogger
	// IssuerWithin bounds one question to the issuer, and AnswerWithin the whole
	// message: issuer 10 s < host 15 s < agent 25 s.
	IssuerWithin, AnswerWithin time.Duration
	// OutboxTries is how often a reversal is offered to an issuer before it goes
	// to the operators.
	OutboxTries int
	// Decided, optional, is told of every outcome once it is durable. It must be
	// quick and must not change the record.
	Decided func(Record)
}

// An Engine drives a Core: it carries out the orders of each call in the
// goroutine that made it. It is safe for concurrent use.
type Engine struct {
	cfg  Config
	kick chan struct{} // has a token when the outbox may have work

	mu    sync.Mutex
	core  *Core
	boxes map[uint64]chan Order // of the calls under way
}

// roomForOrders is more than a call can be given between two of its inputs.
const roomForOrders = 8

// NewEngine returns an engine over cfg.
func NewEngine(cfg Config) (*Engine, error) {
	if cfg.Store == nil || cfg.Node == "" || cfg.Audit == nil || cfg.Issuer == nil || cfg.Rules == nil ||
		cfg.Numbers == nil || cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("authorize: the engine's configuration is not complete")
	}
	if cfg.IssuerWithin <= 0 || cfg.AnswerWithin <= cfg.IssuerWithin || cfg.OutboxTries < 1 {
		return nil, errors.New("authorize: want 0 < IssuerWithin < AnswerWithin and at least one outbox try")
	}
	if cfg.Decided == nil {
		cfg.Decided = func(Record) {}
	}
	core := NewCore(CoreConfig{Node: cfg.Node, Audit: cfg.Audit, Issuer: cfg.Issuer.Name(), Rules: cfg.Rules,
		IssuerWithin: cfg.IssuerWithin, AnswerWithin: cfg.AnswerWithin, OutboxTries: cfg.OutboxTries})
	return &Engine{cfg: cfg, core: core, boxes: map[uint64]chan Order{}, kick: make(chan struct{}, 1)}, nil
}

// serve makes a call and carries out its orders until it is done.
func (e *Engine) serve(ctx context.Context, begin func(call uint64) Input) Done {
	call, box := e.enter()
	defer e.leave(call)
	e.step(begin(call))
	for {
		var o Order
		select {
		case o = <-box:
		default:
			panic("authorize: a call that is not done has no order")
		}
		if d, done := o.(Done); done {
			return d
		}
		if w, wait := o.(Pause); wait {
			if o = e.wait(w, box); o == nil {
				e.step(Woken{Call: call, Turn: w.Turn})
				continue
			}
		}
		if in := e.carryOut(ctx, o); in != nil {
			e.step(in)
		}
	}
}

func (e *Engine) enter() (uint64, chan Order) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, box := e.core.Call(), make(chan Order, roomForOrders)
	e.boxes[n] = box
	return n, box
}

func (e *Engine) leave(call uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.boxes, call)
	e.core.Forget(call)
}

// step gives the Core an input and its orders to the calls that they are for.
func (e *Engine) step(in Input) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range e.core.Step(e.cfg.Now(), in) {
		if box := e.boxes[o.call()]; box != nil {
			box <- o // has room: a call does its orders before it gives another input
		}
	}
}

// wait waits for an order that another call brings; nil when the time is over.
func (e *Engine) wait(w Pause, box chan Order) Order {
	t := time.NewTimer(w.Within)
	defer t.Stop()
	select {
	case o := <-box:
		return o
	case <-t.C:
		return nil
	}
}

// carryOut does one order and returns the input that it brings, if any.
func (e *Engine) carryOut(ctx context.Context, o Order) Input {
	switch o := o.(type) {
	case Number:
		ctx, cancel := context.WithTimeout(ctx, o.Within)
		defer cancel()
		rrn, err := e.cfg.Numbers.Next(ctx)
		return Numbered{Call: o.Call, RRN: rrn, Err: err}
	case Commit:
		return Committed{Call: o.Call, Err: e.commit(ctx, o)}
	case Read:
		return ReadDone{Call: o.Call, Err: e.cfg.Store.Read(ctx, o.Fn)}
	case Ask:
		ctx, cancel := context.WithTimeout(ctx, o.Within)
		defer cancel()
		r, err := e.cfg.Issuer.Authorize(ctx, o.Request)
		return IssuerSaid{Call: o.Call, Response: r, Err: err}
	case Verify:
		v, err := e.cfg.Issuer.Reauthenticate(ctx, o.Request)
		return Verified{Call: o.Call, Verdict: v, Err: err}
	case Offer:
		within, cancel := context.WithTimeout(ctx, o.Within)
		defer cancel()
		err := e.cfg.Issuer.Reverse(within, o.Reversal)
		return Offered{Call: o.Call, Err: err, Ending: err != nil && ctx.Err() != nil}
	case Decided:
		e.cfg.Decided(o.Record)
	case Wake:
		e.wake()
	case Warn:
		e.cfg.Log.WithFields(o.Fields).WithError(o.Err).Warn(o.Text)
	default:
		panic(fmt.Sprintf("authorize: the Core orders %T", o))
	}
	return nil
}

// commit runs a commit. What is no new sale has a time of its own, which does not
// end with the connection that asked for it.
func (e *Engine) commit(ctx context.Context, o Commit) error {
	if !o.Sale {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Within)
	defer cancel()
	if o.Sale {
		return e.cfg.Store.DoSale(ctx, o.Name, o.Fn)
	}
	return e.cfg.Store.Do(ctx, o.Name, o.Fn)
}

// Request carries a purchase, a purchase with cashback or a cash advance (0200)
// through its two commits and returns the answer. A repeat waits for the answer
// of its original. An error means that nothing may be answered.
func (e *Engine) Request(ctx context.Context, m Message) (Reply, error) {
	return e.Reply(ctx, func(c uint64) Input { return PaymentAsked{c, m} })
}

// Reversal carries a reversal (0420, 0421, 0400, 0401) through its one commit and
// returns the answer. A row that does not exist is created as reversed, an
// undecided one is marked, a decided one is undone (rule 4). An error means that
// nothing may be answered.
func (e *Engine) Reversal(ctx context.Context, m Message) (Reply, error) {
	return e.Reply(ctx, func(c uint64) Input { return ReversalAsked{c, m} })
}

// Reply makes a call and returns its answer. An error means that nothing may be
// answered.
func (e *Engine) Reply(ctx context.Context, begin func(call uint64) Input) (Reply, error) {
	d := e.serve(ctx, begin)
	return d.Reply, d.Err
}

// Settle ends every intent of this node that has no outcome, as reversed, with a
// reversal to the issuer. It runs at start, before the first connection is
// accepted, and returns how many there were.
func (e *Engine) Settle(ctx context.Context) (int, error) {
	return e.abandon(ctx, e.cfg.Now().UnixMicro()+1)
}

// Sweep does the same for intents that no call of this process is working on any
// more, such as after a commit whose outcome stayed unknown. It is called every
// now and then.
func (e *Engine) Sweep(ctx context.Context) (int, error) {
	return e.abandon(ctx, e.cfg.Now().Add(-Stale).UnixMicro())
}

func (e *Engine) abandon(ctx context.Context, before int64) (int, error) {
	d := e.serve(ctx, func(c uint64) Input { return SettlementAsked{c, before} })
	return d.Count, d.Err
}

// wake has the outbox looked at soon.
func (e *Engine) wake() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// Deliver sends what waits in the outbox of this node until ctx ends. One call
// runs at a time.
func (e *Engine) Deliver(ctx context.Context) {
	t := time.NewTicker(OutboxEvery)
	defer t.Stop()
	for {
		// A failure is logged and tried again at the next tick.
		if _, err := e.DeliverDue(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Log.WithError(err).Warn("the outbox to issuers could not be worked on")
		}
		select {
		case <-ctx.Done():
			return
		case <-e.kick:
		case <-t.C:
		}
	}
}

// DeliverDue sends every reversal that is due now and returns how many were
// taken by an issuer.
func (e *Engine) DeliverDue(ctx context.Context) (int, error) {
	d := e.serve(ctx, func(c uint64) Input { return DeliveryAsked{c} })
	return d.Count, d.Err
}

// Retry puts every reversal that waits for operators back into the queue and
// returns how many.
func (e *Engine) Retry(ctx context.Context, actor string) (int64, error) {
	d := e.serve(ctx, func(c uint64) Input { return RetryAsked{c, actor} })
	return int64(d.Count), d.Err
}
