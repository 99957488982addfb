package core

import (
	"errors"
	"fmt"
	"time"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/iso8583"
)

// queued gives the queue of reversals an event and carries out what it wants.
func (c *Core) queued(now time.Time, e payment.QueueEvent) {
	for _, a := range c.queue.Handle(now.Sub(c.start), e) {
		switch a := a.(type) {
		case payment.Transmit:
			c.transmit(now, a)
		case payment.WriteClosed:
			c.note(Info, "the host has acknowledged a reversal", map[string]any{"attempt": a.Attempt, "rc": a.RC})
			c.do(WriteClosed{a.Attempt, journal.Closed{RC: a.RC}})
		case payment.WriteStuck:
			c.note(Failure, "a reversal needs an operator", map[string]any{"attempt": a.Attempt, "reason": a.Reason})
			c.do(WriteStuck{a.Attempt, journal.Stuck{Reason: a.Reason}})
		}
	}
	c.flushed(now, false)
}

// send has the queue's next reversal leave when it is due.
func (c *Core) send(now time.Time) {
	if !c.ending {
		c.queued(now, payment.Tick{Online: c.link.Status().Up})
	}
}

// transmit builds one reversal and takes its key. What hinders it short of the
// disk is a failed transmission: the queue tries again.
func (c *Core) transmit(now time.Time, a payment.Transmit) {
	p := Purpose{Task: ForReversal, Attempt: a.Attempt, Turn: uint64(a.Try)}
	m, err := c.reversalOf(a)
	if err != nil {
		c.untransmitted(now, p, err.Error())
		return
	}
	c.reversal = m
	c.do(TakeKey{For: p, Try: a.Try})
}

// untransmitted says that a reversal got no answer that counts.
func (c *Core) untransmitted(now time.Time, p Purpose, why string) {
	c.note(Warning, "a reversal was not acknowledged", map[string]any{"attempt": p.Attempt, "try": p.Turn, "error": why})
	c.queued(now, payment.Unanswered{Attempt: p.Attempt})
}

// acknowledged acts on the host's answer to a reversal.
func (c *Core) acknowledged(now time.Time, p Purpose, r hostlink.Result) {
	if r.Err != nil {
		c.untransmitted(now, p, r.Err.Error())
		return
	}
	rc := r.Answer.ResponseCode()
	action, _ := iso8583.ActionFor(r.Answer.MTI(), rc)
	outcome := payment.AckManual
	switch action {
	case iso8583.Close:
		outcome = payment.AckClose
	case iso8583.Retry:
		outcome = payment.AckRetry
	}
	c.queued(now, payment.Acknowledged{Attempt: p.Attempt, Outcome: outcome, RC: rc})
}

// reversalOf is the 0420 of an attempt, built from its stored request, or the 0421
// that repeats it: same STAN, same times.
func (c *Core) reversalOf(x payment.Transmit) (*iso8583.Message, error) {
	a, ok := c.cfg.Books.Attempt(x.Attempt)
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

// flushed lets the sale go on that waits for reversals, when nothing is owed any
// more, an operator is needed, or its time is over.
func (c *Core) flushed(now time.Time, over bool) {
	s := c.sale
	if s == nil || s.flushBy.IsZero() {
		return
	}
	why, needsOperator := c.queue.Blocks(), true
	for _, i := range c.queue.Items {
		needsOperator = needsOperator && i.Stuck
	}
	if why != "" && !needsOperator && !over {
		return
	}
	if link := c.link.Status(); why != "" && over && !link.Up {
		why += "; the host cannot be reached: " + link.Error
	}
	s.flushBy = time.Time{}
	c.payment(now, payment.Flushed{Blocked: why})
}
