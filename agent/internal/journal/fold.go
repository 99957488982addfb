package journal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// An Attempt is what the journal knows of one attempt.
type Attempt struct {
	Number  uint64
	ID      [16]byte // epoch and number: the attempt's identity towards the host
	At      time.Time
	Begin   Begin
	Intent  *Intent  // nil before the request was about to leave
	Outcome *Outcome // nil while open
	Tries   int      // reversals sent so far
	Closed  *Closed  // the host's acknowledgement of the reversal
	Stuck   *Stuck   // the reversal has gone to the operators
	Ended   time.Time
}

// End is the attempt's end as far as it is known.
func (a Attempt) End() End {
	switch {
	case a.Outcome == nil:
		return EndOpen
	case a.Closed != nil:
		return EndReversed
	default:
		return a.Outcome.End
	}
}

// Final reports whether nothing remains to be done for the attempt.
func (a Attempt) Final() bool {
	e := a.End()
	return e != EndOpen && e != EndReversing
}

// OwesReversal reports whether a reversal must still reach the host: one that
// was decided, or a request whose outcome a power loss has taken.
func (a Attempt) OwesReversal() bool {
	return a.End() == EndReversing || (a.End() == EndOpen && a.Intent != nil)
}

// maxRecent is how many finished attempts are kept in memory for questions of
// the till; older ones are read from the file by Export.
const maxRecent = 256

// fold is the journal's state: what all records together say.
type fold struct {
	epoch      [8]byte
	base       uint64 // records up to here have been pruned
	open       map[uint64]*Attempt
	recent     []*Attempt // finished ones, oldest first
	lastNumber map[string]uint64
	nextSTAN   uint32 // first STAN that no record covers
	counter    uint32 // highest DUKPT counter since the last key load
	keySet     string
	// checkpoints are the newest of each host node, the last one heard of at the end.
	checkpoints []Checkpoint
	// unconfirmed are approvals whose completion the host has not been told,
	// oldest first.
	unconfirmed []*Attempt
}

func newFold(epoch [8]byte) *fold {
	return &fold{epoch: epoch, open: map[uint64]*Attempt{}, lastNumber: map[string]uint64{}, nextSTAN: 1}
}

// maxNodes is of how many host nodes a checkpoint is kept.
const maxNodes = 64

// keepCheckpoint replaces the checkpoint of a node by the one that came last.
func (f *fold) keepCheckpoint(c Checkpoint) {
	f.checkpoints = slices.DeleteFunc(f.checkpoints, func(o Checkpoint) bool { return o.Node == c.Node })
	if len(f.checkpoints) == maxNodes {
		f.checkpoints = slices.Delete(f.checkpoints, 0, 1)
	}
	f.checkpoints = append(f.checkpoints, c)
}

// check refuses a record that contradicts the ones before it: an attempt has one
// intent, one outcome, and one end.
func (f *fold) check(r Record) error {
	if r.Type == TypeBegin || r.Attempt == 0 {
		return nil
	}
	if r.Attempt <= f.base {
		return nil // the rest of a finished attempt whose beginning has been pruned
	}
	a := f.open[r.Attempt]
	if a == nil {
		return fmt.Errorf("%v record for attempt %d, which is not open", r.Type, r.Attempt)
	}
	switch r.Type {
	case TypeIntent:
		if a.Intent != nil || a.Outcome != nil {
			return fmt.Errorf("second intent for attempt %d", r.Attempt)
		}
	case TypeOutcome:
		if a.Outcome != nil {
			return fmt.Errorf("second outcome for attempt %d", r.Attempt)
		}
		return checkOutcome(a, r)
	case TypeSent, TypeClosed, TypeStuck:
		if a.End() != EndReversing {
			return fmt.Errorf("%v record for attempt %d, which owes no reversal", r.Type, r.Attempt)
		}
	}
	return nil
}

// checkOutcome refuses an outcome that does not fit what was sent.
func checkOutcome(a *Attempt, r Record) error {
	var o Outcome
	if err := json.Unmarshal(r.Body, &o); err != nil {
		return err
	}
	switch o.End {
	case EndReversing:
		if a.Intent == nil {
			return fmt.Errorf("attempt %d would be reversed but was never sent", r.Attempt)
		}
	case EndApproved, EndDeclined, EndCancelled:
	default:
		return fmt.Errorf("attempt %d cannot end as %q", r.Attempt, o.End)
	}
	return nil
}

// apply adds a checked record to the state.
func (f *fold) apply(r Record) error {
	switch r.Type {
	case TypeReserve:
		var b Reserve
		err := json.Unmarshal(r.Body, &b)
		f.nextSTAN = b.Next
		return err
	case TypeKeyLoad:
		var b KeyLoad
		err := json.Unmarshal(r.Body, &b)
		f.keySet, f.counter = b.Set, 0
		return err
	case TypeCheckpoint:
		var b Checkpoint
		err := json.Unmarshal(r.Body, &b)
		f.keepCheckpoint(b)
		return err
	case TypeSnapshot:
		var b Snapshot
		err := json.Unmarshal(r.Body, &b)
		f.nextSTAN, f.keySet, f.counter, f.checkpoints = b.NextSTAN, b.KeySet, b.Counter, b.Checkpoints
		return err
	case TypeConfirmed:
		var b Confirmed
		err := json.Unmarshal(r.Body, &b)
		f.unconfirmed = slices.DeleteFunc(f.unconfirmed, func(a *Attempt) bool { return slices.Contains(b.Attempts, a.Number) })
		return err
	case TypeBegin:
		return f.begin(r)
	case TypeKey:
		var b KeyUse
		err := json.Unmarshal(r.Body, &b)
		f.counter = max(f.counter, b.Counter)
		return err
	default:
		return f.applyAttempt(r)
	}
}

func (f *fold) begin(r Record) error {
	a := &Attempt{Number: r.Number, At: r.At, ID: attemptID(f.epoch, r.Number)}
	if err := json.Unmarshal(r.Body, &a.Begin); err != nil {
		return err
	}
	f.open[r.Number] = a
	if a.Begin.Sale != "" {
		f.lastNumber[a.Begin.Sale] = r.Number
	}
	return nil
}

func (f *fold) applyAttempt(r Record) error {
	if r.Attempt <= f.base {
		return nil
	}
	a := f.open[r.Attempt]
	if a == nil {
		return fmt.Errorf("%v record for attempt %d, which is not open", r.Type, r.Attempt)
	}
	var err error
	switch r.Type {
	case TypeIntent:
		a.Intent = new(Intent)
		err = json.Unmarshal(r.Body, a.Intent)
		f.counter = max(f.counter, a.Intent.Counter)
	case TypeOutcome:
		a.Outcome, a.Ended = new(Outcome), r.At
		err = json.Unmarshal(r.Body, a.Outcome)
	case TypeSent:
		var b Sent
		err = json.Unmarshal(r.Body, &b)
		a.Tries = max(a.Tries, b.Try)
		f.counter = max(f.counter, b.Counter)
	case TypeClosed:
		a.Closed, a.Ended = new(Closed), r.At
		err = json.Unmarshal(r.Body, a.Closed)
	case TypeStuck:
		a.Stuck = new(Stuck)
		err = json.Unmarshal(r.Body, a.Stuck)
	default:
		err = fmt.Errorf("unknown record type %d", byte(r.Type))
	}
	if err == nil && a.Final() {
		f.finish(a)
	}
	return err
}

// finish moves an attempt from the open ones to the recent ones.
func (f *fold) finish(a *Attempt) {
	delete(f.open, a.Number)
	if a.End() == EndApproved {
		f.unconfirmed = append(f.unconfirmed, a)
	}
	f.recent = append(f.recent, a)
	if len(f.recent) > maxRecent {
		old := f.recent[0]
		if f.lastNumber[old.Begin.Sale] == old.Number {
			delete(f.lastNumber, old.Begin.Sale)
		}
		f.recent = append(f.recent[:0:0], f.recent[1:]...)
	}
}

// find returns the newest attempt of a sale.
func (f *fold) find(sale string) (Attempt, bool) {
	n, ok := f.lastNumber[sale]
	if !ok {
		return Attempt{}, false
	}
	if a := f.open[n]; a != nil {
		return *a, true
	}
	for _, a := range f.recent {
		if a.Number == n {
			return *a, true
		}
	}
	return Attempt{}, false
}

func attemptID(epoch [8]byte, number uint64) (id [16]byte) {
	copy(id[:], epoch[:])
	binary.BigEndian.PutUint64(id[8:], number)
	return id
}
