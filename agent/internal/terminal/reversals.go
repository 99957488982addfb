package terminal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/internal/xlog"
	"tallystick.example/iso8583"
)

// reversals drives the queue of reversals that are owed to the host.
type reversals struct {
	t    *Terminal
	wake chan struct{} // has room for one

	mu      sync.Mutex
	queue   payment.Queue
	changed chan struct{} // closed and replaced at each change
}

func newReversals(t *Terminal) *reversals {
	c := t.o.Config.Reversals
	return &reversals{t: t, wake: make(chan struct{}, 1), changed: make(chan struct{}), queue: payment.Queue{Policy: payment.Policy{
		First: c.First, Max: c.Max, StuckAfter: c.StuckAfter, ResumeWhenStuck: c.ResumeWhenStuck,
	}}}
}

// now is the queue's clock: time since the start of the agent.
func (r *reversals) now() time.Duration { return r.t.o.Now().Sub(r.t.start) }

// handle gives the queue an event and returns what it wants done.
func (r *reversals) handle(e payment.QueueEvent) []payment.Action {
	r.mu.Lock()
	defer r.mu.Unlock()
	actions := r.queue.Handle(r.now(), e)
	close(r.changed)
	r.changed = make(chan struct{})
	return actions
}

// poke makes run look at the queue.
func (r *reversals) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// owe adds a reversal; the journal knows of it already.
func (r *reversals) owe(a journal.Attempt) {
	r.handle(payment.Owe{Attempt: a.Number, Tries: a.Tries, Stuck: a.Stuck != nil})
	r.poke()
}

func (r *reversals) reconnected() {
	r.handle(payment.Reconnected{})
	r.poke()
}

// blocks tells why a sale must wait, empty when it need not.
func (r *reversals) blocks() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue.Blocks()
}

// depth counts what waits and what needs an operator.
func (r *reversals) depth() (waiting, stuck int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range r.queue.Items {
		if i.Stuck {
			stuck++
		} else {
			waiting++
		}
	}
	return waiting, stuck
}

// flushed waits until a sale may begin and returns the reason when it may not:
// the host cannot be reached, an operator is needed, or the time is over.
func (r *reversals) flushed(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, r.t.o.Config.Reversals.WaitBeforeSale)
	defer cancel()
	for {
		r.mu.Lock()
		why, changed, needsOperator := r.queue.Blocks(), r.changed, true
		for _, i := range r.queue.Items {
			needsOperator = needsOperator && i.Stuck
		}
		r.mu.Unlock()
		if why == "" || needsOperator {
			return why
		}
		select {
		case <-ctx.Done():
			if s := r.t.link.Status(); !s.Up {
				return why + "; the host cannot be reached: " + s.Error
			}
			return why
		case <-changed:
		}
	}
}

// run sends reversals as they become due, one at a time, until ctx ends.
func (r *reversals) run(ctx context.Context) error {
	for {
		actions := r.handle(payment.Tick{Online: r.t.link.Status().Up})
		for len(actions) > 0 {
			next, err := r.do(ctx, actions[0])
			if err != nil {
				return err
			}
			actions = append(actions[1:], next...)
		}
		if !r.sleep(ctx) {
			return nil
		}
	}
}

// sleep waits until something is due or changed; false means that ctx has ended.
func (r *reversals) sleep(ctx context.Context) bool {
	r.mu.Lock()
	due, waiting := r.queue.NextDue()
	r.mu.Unlock()
	var timer <-chan time.Time
	if waiting {
		// While the host cannot be reached nothing is due: linkChanged wakes.
		wait := max(due-r.now(), 0)
		if !r.t.link.Status().Up {
			wait = max(wait, time.Second)
		}
		tm := time.NewTimer(wait)
		defer tm.Stop()
		timer = tm.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-r.wake:
	case <-timer:
	}
	return ctx.Err() == nil
}

// do carries out one action; an error ends the process.
func (r *reversals) do(ctx context.Context, a payment.Action) ([]payment.Action, error) {
	switch a := a.(type) {
	case payment.Transmit:
		e, err := r.transmit(ctx, a)
		if err != nil {
			return nil, err
		}
		return r.handle(e), nil
	case payment.WriteClosed:
		r.t.o.Log.WithFields(map[string]any{"attempt": a.Attempt, xlog.KeyRC: a.RC}).Info("the host has acknowledged a reversal")
		return nil, r.t.durable(r.t.o.Journal.CloseReversal(a.Attempt, journal.Closed{RC: a.RC}))
	case payment.WriteStuck:
		r.t.o.Log.WithFields(map[string]any{"attempt": a.Attempt, "reason": a.Reason}).Error("a reversal needs an operator")
		return nil, r.t.durable(r.t.o.Journal.Stuck(a.Attempt, journal.Stuck{Reason: a.Reason}))
	}
	panic(fmt.Sprintf("terminal: the queue wants %T", a))
}

// transmit sends one reversal and returns what came of it. Whatever hinders it
// short of the disk is a failed transmission: the queue tries again.
func (r *reversals) transmit(ctx context.Context, a payment.Transmit) (payment.QueueEvent, error) {
	answer, err := r.send(ctx, a)
	if err != nil {
		if errors.Is(r.t.durable(err), journal.ErrUnknown) {
			return nil, err
		}
		r.t.o.Log.WithFields(map[string]any{"attempt": a.Attempt, "try": a.Try}).WithError(err).Warn("a reversal was not acknowledged")
		return payment.Unanswered{Attempt: a.Attempt}, nil
	}
	rc := answer.ResponseCode()
	action, _ := iso8583.ActionFor(answer.MTI(), rc)
	outcome := payment.AckManual
	switch action {
	case iso8583.Close:
		outcome = payment.AckClose
	case iso8583.Retry:
		outcome = payment.AckRetry
	}
	return payment.Acknowledged{Attempt: a.Attempt, Outcome: outcome, RC: rc}, nil
}

// send builds, journals and sends one reversal under a fresh counter.
func (r *reversals) send(ctx context.Context, a payment.Transmit) (*iso8583.Message, error) {
	m, err := r.message(a)
	if err != nil {
		return nil, err
	}
	keys, err := r.t.nextKeys(func(c uint32) error {
		return r.t.o.Journal.Sent(a.Attempt, journal.Sent{Counter: c, Try: a.Try})
	})
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	body, err := seal(m, keys)
	if err != nil {
		return nil, err
	}
	return r.t.link.Exchange(ctx, hostlink.Request{Message: m, Body: body, Verify: verifier(keys)})
}

// message is the 0420 of an attempt, built from its stored request, or the 0421
// that repeats it: same STAN, same times.
func (r *reversals) message(x payment.Transmit) (*iso8583.Message, error) {
	a, ok := r.t.o.Journal.Attempt(x.Attempt)
	if !ok || a.Intent == nil || a.Outcome == nil {
		return nil, fmt.Errorf("the journal holds no reversal for attempt %d", x.Attempt)
	}
	request, err := iso8583.Unpack(a.Intent.Request)
	if err != nil {
		return nil, fmt.Errorf("reading the stored request of attempt %d: %w", x.Attempt, err)
	}
	m, err := iso8583.NewReversal(request, iso8583.Reversal{
		STAN: a.Begin.ReversalSTAN, At: a.Ended, RRN: a.Outcome.RRN,
		Private: iso8583.Private{Reason: iso8583.ReversalReason(a.Outcome.Owes), ScriptResults: a.Outcome.Scripts, FinalChipData: a.Outcome.Final},
	})
	if err != nil {
		return nil, fmt.Errorf("building the reversal of attempt %d: %w", x.Attempt, err)
	}
	if x.Try == 1 {
		return m, nil
	}
	repeat, ok := m.AsRepeat()
	if !ok {
		return nil, errors.New("the message table knows no repeat of a reversal")
	}
	return repeat, nil
}

// A Owed is one reversal for people.
type Owed struct {
	Attempt  uint64 `json:"attempt"`
	Sale     string `json:"sale"`
	STAN     string `json:"stan"`
	Amount   int64  `json:"amount"`
	Currency uint16 `json:"currency"`
	Reason   string `json:"reason"`
	Tries    int    `json:"tries"`
	Stuck    string `json:"stuck,omitempty"` // why an operator must look
	Since    int64  `json:"since"`           // microseconds
}

// Reversals lists what the terminal owes the host, oldest first.
func (t *Terminal) Reversals() []Owed {
	var out []Owed
	for _, a := range t.o.Journal.Unfinished() {
		if a.End() != journal.EndReversing {
			continue
		}
		o := Owed{Attempt: a.Number, Sale: a.Begin.Sale, STAN: fmt.Sprintf("%06d", a.Begin.STAN), Amount: a.Begin.Amount,
			Currency: a.Begin.Currency, Reason: a.Outcome.Reason, Tries: a.Tries, Since: a.Ended.UnixMicro()}
		if a.Stuck != nil {
			o.Stuck = a.Stuck.Reason
		}
		out = append(out, o)
	}
	return out
}

// RetryReversal sends a reversal again at an operator's wish, at once.
func (t *Terminal) RetryReversal(attempt uint64) error {
	a, ok := t.o.Journal.Attempt(attempt)
	if !ok || a.End() != journal.EndReversing {
		return fmt.Errorf("attempt %d owes no reversal", attempt)
	}
	t.reversals.handle(payment.Retry{Attempt: attempt})
	t.reversals.poke()
	return nil
}
