package payment

import (
	"fmt"
	"slices"
	"time"
)

// Policy says how reversals are repeated.
type Policy struct {
	First time.Duration // wait before the first repeat
	Max   time.Duration // longest wait between repeats
	// StuckAfter is how many unanswered or refused transmissions make a reversal
	// an operator's item.
	StuckAfter int
	// ResumeWhenStuck lets sales go on while only operators' items are left.
	ResumeWhenStuck bool
}

// A Reversal is one item of the queue.
type Reversal struct {
	Attempt  uint64
	Tries    int           // transmissions so far
	Due      time.Duration // when the next one may leave, on the caller's clock
	InFlight bool
	Stuck    bool // an operator's item; still repeated, unless Manual
	Manual   bool // the host refused it for good: only an operator can close it
}

// A Queue holds the reversals that a terminal owes, oldest first. It is a pure
// machine like Next: a value that its owner changes through Handle. Only one
// reversal is in flight at a time, so their order holds.
type Queue struct {
	Policy Policy
	Items  []Reversal
}

// A QueueEvent is something that happened to the queue.
type QueueEvent interface{ queueEvent() }

// The events of the queue.
type (
	// Owe adds an attempt, with what the journal says of it.
	Owe struct {
		Attempt uint64
		Tries   int
		Stuck   bool
	}
	// Tick says that time has passed, and whether the host can be reached.
	Tick struct{ Online bool }
	// Acknowledged brings the host's valid answer to a reversal.
	Acknowledged struct {
		Attempt uint64
		Outcome AckOutcome
		RC      string
	}
	// Unanswered says that a transmission got no valid answer.
	Unanswered struct{ Attempt uint64 }
	// Reconnected says that the host can be reached again: what waits is due.
	Reconnected struct{}
	// Retry is an operator's wish to send a manual item again.
	Retry struct{ Attempt uint64 }
)

// AckOutcome is what the message table says about DE 39 of a 0430.
type AckOutcome uint8

// The outcomes of an acknowledgement.
const (
	AckClose  AckOutcome = iota // the reversal is done
	AckRetry                    // the host could not now
	AckManual                   // the host will not: an operator must look
)

func (Owe) queueEvent()          {}
func (Tick) queueEvent()         {}
func (Acknowledged) queueEvent() {}
func (Unanswered) queueEvent()   {}
func (Reconnected) queueEvent()  {}
func (Retry) queueEvent()        {}

// The actions of the queue.
type (
	// Transmit journals and sends the reversal: the 0420 when Try is 1, a 0421
	// after that. Acknowledged or Unanswered must follow.
	Transmit struct {
		Attempt uint64
		Try     int
	}
	// WriteClosed journals that the host has acknowledged.
	WriteClosed struct {
		Attempt uint64
		RC      string
	}
	// WriteStuck journals that an operator must look.
	WriteStuck struct {
		Attempt uint64
		Reason  string
	}
)

func (Transmit) action()    {}
func (WriteClosed) action() {}
func (WriteStuck) action()  {}

// Handle is the machine's step at the time now of the caller's clock.
func (q *Queue) Handle(now time.Duration, e QueueEvent) []Action {
	switch e := e.(type) {
	case Owe:
		if q.find(e.Attempt) == nil {
			q.Items = append(q.Items, Reversal{Attempt: e.Attempt, Tries: e.Tries, Due: now, Stuck: e.Stuck})
		}
	case Reconnected:
		for i := range q.Items {
			q.Items[i].Due = min(q.Items[i].Due, now)
		}
	case Retry:
		if r := q.find(e.Attempt); r != nil {
			r.Manual, r.Due = false, min(r.Due, now)
		}
	case Tick:
		return q.tick(now, e.Online)
	case Unanswered:
		if r := q.find(e.Attempt); r != nil && r.InFlight {
			return q.failed(now, r, "the host does not answer it")
		}
	case Acknowledged:
		return q.acknowledged(now, e)
	}
	return nil
}

func (q *Queue) find(attempt uint64) *Reversal {
	i := slices.IndexFunc(q.Items, func(r Reversal) bool { return r.Attempt == attempt })
	if i < 0 {
		return nil
	}
	return &q.Items[i]
}

// tick sends the oldest reversal that is due, one at a time.
func (q *Queue) tick(now time.Duration, online bool) []Action {
	r := q.head()
	if !online || r == nil || r.InFlight || r.Due > now {
		return nil
	}
	r.InFlight = true
	r.Tries++
	return []Action{Transmit{Attempt: r.Attempt, Try: r.Tries}}
}

// head is the item whose turn it is: the oldest that is not yet an operator's
// item, else the operators' one that is due first, so that a reversal that the
// host does not take never holds up the others for ever.
func (q *Queue) head() *Reversal {
	var best *Reversal
	for i := range q.Items {
		r := &q.Items[i]
		switch {
		case r.InFlight:
			return r
		case r.Manual:
		case best == nil, best.Stuck && (!r.Stuck || r.Due < best.Due):
			best = r
		}
	}
	return best
}

func (q *Queue) acknowledged(now time.Duration, e Acknowledged) []Action {
	r := q.find(e.Attempt)
	if r == nil || !r.InFlight {
		return nil
	}
	switch e.Outcome {
	case AckClose:
		q.Items = slices.DeleteFunc(q.Items, func(r Reversal) bool { return r.Attempt == e.Attempt })
		return []Action{WriteClosed{Attempt: e.Attempt, RC: e.RC}}
	case AckManual:
		r.InFlight, r.Manual = false, true
		if r.Stuck {
			return nil
		}
		r.Stuck = true
		return []Action{WriteStuck{Attempt: e.Attempt, Reason: fmt.Sprintf("the host refuses it with response code %s", e.RC)}}
	default:
		return q.failed(now, r, fmt.Sprintf("the host cannot take it, response code %s", e.RC))
	}
}

// failed plans the next repeat, twice as long after each, and makes the item an
// operator's when it has had its tries.
func (q *Queue) failed(now time.Duration, r *Reversal, why string) []Action {
	r.InFlight = false
	r.Due = now + q.Policy.wait(r.Tries)
	if r.Stuck || r.Tries < q.Policy.StuckAfter {
		return nil
	}
	r.Stuck = true
	return []Action{WriteStuck{Attempt: r.Attempt, Reason: fmt.Sprintf("%s, after %d transmissions", why, r.Tries)}}
}

// wait is the time from a failed transmission to the next one.
func (p Policy) wait(tries int) time.Duration {
	d := p.First
	for range tries - 1 {
		if d *= 2; d >= p.Max {
			return p.Max
		}
	}
	return min(d, p.Max)
}

// Blocks tells why a sale must wait for the queue, empty when it need not.
func (q *Queue) Blocks() string {
	stuck := 0
	for _, r := range q.Items {
		if !r.Stuck {
			return "a reversal must reach the host before the next sale"
		}
		stuck++
	}
	if stuck > 0 && !q.Policy.ResumeWhenStuck {
		return fmt.Sprintf("%d reversal(s) need an operator (see \"agent reversals list\")", stuck)
	}
	return ""
}

// NextDue is when the next transmission may leave; false when none waits.
func (q *Queue) NextDue() (time.Duration, bool) {
	r := q.head()
	if r == nil || r.InFlight {
		return 0, false
	}
	return r.Due, true
}
