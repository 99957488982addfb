package authorize

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
)

// CoreConfig is what a node decides by. All fields are required.
type CoreConfig struct {
	Node   string
	Audit  *audit.Log // entries are written within commits
	Issuer string     // its name in the ledger
	Rules  *score.Rules
	// IssuerWithin bounds one question to the issuer, AnswerWithin the whole
	// message.
	IssuerWithin, AnswerWithin time.Duration
	// OutboxTries is how often a reversal is offered to an issuer before it goes
	// to the operators.
	OutboxTries int
}

// A Core decides for one node, without I/O, clock or goroutine: Step takes what
// happened and returns what to do. Each message, delivery or settlement is a call
// with a number; an order of a call is carried out, and its result given back as
// an input, before the call has another. A commit is a function over a
// transaction of the store, carried by its order: the store may run it again.
//
// One goroutine uses a Core at a time; [Engine] is the driver with goroutines.
type Core struct {
	cfg    CoreConfig
	calls  map[uint64]*call
	last   uint64 // number of the newest call
	claims uint64
	out    []Order
}

// NewCore returns a Core without calls, as after a start.
func NewCore(cfg CoreConfig) *Core { return &Core{cfg: cfg, calls: map[uint64]*call{}} }

// Call gives the number of a new call.
func (c *Core) Call() uint64 {
	c.last++
	return c.last
}

// Forget drops a call whose driver has died.
func (c *Core) Forget(number uint64) { delete(c.calls, number) }

// Step is the whole machine. Inputs of calls that have ended change nothing.
func (c *Core) Step(now time.Time, in Input) []Order {
	c.out = nil
	if k := c.calls[in.call()]; k != nil {
		if w, woken := in.(Woken); woken && (!k.waiting || w.Turn != k.turn) {
			return nil // something else has woken it before
		}
		k.then(now, in)
		return c.out
	}
	k := &call{core: c, number: in.call()}
	if begin := k.begin(in); begin != nil {
		c.calls[k.number] = k
		begin(now)
	}
	return c.out
}

// begin is how a call starts; nil for an input that starts none.
func (k *call) begin(in Input) func(now time.Time) {
	switch in := in.(type) {
	case PaymentAsked:
		k.m = in.Message
		return k.pay
	case ReversalAsked:
		k.m = in.Message
		return k.reverse
	case RefusalAsked:
		k.m = in.Message
		return func(now time.Time) { k.refuse(now, in.Code) }
	case RejectionAsked:
		k.m = in.Message
		return func(now time.Time) { k.refusal(now, in.Code) }
	case AlarmAsked:
		k.m = in.Message
		return func(now time.Time) { k.alarm(now, in.Cause) }
	case ConfirmationAsked:
		k.m = in.Message
		return func(now time.Time) { k.confirm(now, in.Inside) }
	case DeliveryAsked:
		return k.deliverDue
	case SettlementAsked:
		return func(now time.Time) { k.settleAll(now, in.Before) }
	case RetryAsked:
		return func(now time.Time) { k.retry(now, in.Actor) }
	}
	return nil
}

// A call is one message on its way. Its steps are written in the order in which
// they happen: each names an order, and what is done with its result.
type call struct {
	core   *Core
	number uint64
	m      Message
	by     time.Time // when the time of the message is over
	ad     admission
	key    string // id of the transaction that it is concerned with
	again  bool   // the transaction was decided while this call looked at it
	// waiting says that another call is deciding; turn numbers the waits.
	waiting bool
	turn    uint64
	then    func(now time.Time, in Input)
}

func (k *call) order(o Order) { k.core.out = append(k.core.out, o) }

// finish ends the call.
func (k *call) finish(r Reply, count int, err error) {
	k.order(Done{Call: k.number, Reply: r, Count: count, Err: err})
	delete(k.core.calls, k.number)
}

func (k *call) fail(doing string, err error) { k.finish(Reply{}, 0, fmt.Errorf("%s: %w", doing, err)) }

// numbered takes a retrieval reference number.
func (k *call) numbered(doing string, then func(now time.Time, rrn string)) {
	k.order(Number{Call: k.number, Within: k.core.cfg.AnswerWithin})
	k.then = func(now time.Time, in Input) {
		n := in.(Numbered)
		if n.Err != nil {
			k.fail(doing, n.Err)
			return
		}
		then(now, n.RRN)
	}
}

// closeWithin bounds a commit that is no new sale. It has nothing to do with the
// time in which the terminal wants its answer: an outcome that comes too late for
// that must still be written down, also on a disk that stalls or a database that
// fails over.
const closeWithin = time.Minute

// commit runs fn in a commit of its own time, until its outcome is known: what a
// payment has become must not depend on a connection that breaks or on an answer
// that is late. An unknown commit is asked again by the same write (rule 7), so fn
// must do nothing when it finds its own work done.
func (k *call) commit(now time.Time, name string, fn func(*store.Tx) error, then func(now time.Time, err error)) {
	k.write(now, Commit{Call: k.number, Name: name, Fn: fn}, now.Add(closeWithin), then)
}

func (k *call) write(now time.Time, c Commit, by time.Time, then func(now time.Time, err error)) {
	c.Within = by.Sub(now)
	k.order(c)
	k.then = func(now time.Time, in Input) {
		err := in.(Committed).Err
		if errors.Is(err, store.ErrUnknown) && now.Before(by) {
			k.write(now, c, by, then)
			return
		}
		then(now, err)
	}
}

// read reads the committed state.
func (k *call) read(doing string, fn func(store.Querier) error, then func(now time.Time)) {
	k.order(Read{Call: k.number, Fn: fn})
	k.then = func(now time.Time, in Input) {
		if err := in.(ReadDone).Err; err != nil {
			k.fail(doing, err)
			return
		}
		then(now)
	}
}

// land tells all calls that are concerned with a transaction to look at it again.
func (c *Core) land(now time.Time, id string) {
	for _, n := range c.numbers() {
		k := c.calls[n]
		switch {
		case k == nil || k.key != id:
		case k.waiting:
			k.waiting = false
			k.admit(now)
		default:
			k.again = true
		}
	}
}

// flying reports whether another call than k is concerned with a transaction.
func (c *Core) flying(k *call, id string) bool {
	for _, o := range c.calls {
		if o != k && o.key == id {
			return true
		}
	}
	return false
}

// numbers are the calls in order, so that a Step never depends on a map's order.
func (c *Core) numbers() []uint64 {
	out := make([]uint64, 0, len(c.calls))
	for n := range c.calls {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// work is what a commit's function knows besides its transaction: it runs in the
// store's goroutine, while the Core goes on.
type work struct {
	cfg CoreConfig
	at  int64 // microseconds UTC
}

func (c *Core) work(now time.Time) work { return work{cfg: c.cfg, at: now.UnixMicro()} }

// Outcomes that a commit reports besides what it wrote.
var (
	errCounter = errors.New("authorize: another message under a used counter")
	errKeySet  = errors.New("authorize: the key set is retired or not registered")
)

// IsCounterFault reports whether an error of a confirmation means that the counter
// or key set of the message was refused; an alarm then answers it.
func IsCounterFault(err error) bool { return errors.Is(err, errCounter) || errors.Is(err, errKeySet) }
