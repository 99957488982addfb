package journal

import (
	"errors"
	"fmt"
)

// maxSTAN is the largest value of DE 11; after it comes 1.
const maxSTAN = 999_999

// stanBlock is how many STANs one durable reservation covers. A restart skips
// what is left of a block and never hands out a number twice in a round.
const stanBlock = 64

// Begin writes that an attempt begins and returns it with its identity and its
// two STANs, which b leaves zero. It makes sure first that what must follow
// (intent, outcome, reversal) has room: ErrNoRoom otherwise.
func (j *Journal) Begin(b Begin) (Attempt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead != nil {
		return Attempt{}, j.dead
	}
	if err := j.ensureRoom(); err != nil {
		return Attempt{}, err
	}
	var err error
	if b.STAN, err = j.takeSTAN(); err != nil {
		return Attempt{}, err
	}
	if b.ReversalSTAN, err = j.takeSTAN(); err != nil {
		return Attempt{}, err
	}
	r, err := j.append(TypeBegin, 0, b)
	if err != nil {
		return Attempt{}, err
	}
	return *j.state.open[r.Number], nil
}

// STAN returns a number for a message outside a sale (sign-on, echo).
func (j *Journal) STAN() (uint32, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.takeSTAN()
}

// takeSTAN takes the next number, after reserving a block when it must; mu is held.
func (j *Journal) takeSTAN() (uint32, error) {
	if j.stanLeft == 0 {
		next := advanceSTAN(j.state.nextSTAN, stanBlock)
		if _, err := j.append(TypeReserve, 0, Reserve{Next: next}); err != nil {
			return 0, err
		}
		j.stanLeft = stanBlock
	}
	n := advanceSTAN(j.state.nextSTAN, maxSTAN-j.stanLeft)
	j.stanLeft--
	return n, nil
}

// advanceSTAN is the STAN that comes by steps after n, counting 1…999999 round.
func advanceSTAN(n, by uint32) uint32 { return (n-1+by)%maxSTAN + 1 }

// UseKey writes that a DUKPT counter is about to be used; attempt is 0 outside a
// sale. It is called after the register state is durable and before the key is
// released.
func (j *Journal) UseKey(attempt uint64, u KeyUse) error { return j.write(TypeKey, attempt, u) }

// Intent writes that the request of an attempt is about to leave.
func (j *Journal) Intent(attempt uint64, i Intent) error { return j.write(TypeIntent, attempt, i) }

// Outcome writes what an attempt came to; nobody may be told before it returns.
func (j *Journal) Outcome(attempt uint64, o Outcome) error {
	return j.write(TypeOutcome, attempt, o)
}

// Sent writes that a reversal is about to leave.
func (j *Journal) Sent(attempt uint64, s Sent) error { return j.write(TypeSent, attempt, s) }

// CloseReversal writes that the host has acknowledged a reversal.
func (j *Journal) CloseReversal(attempt uint64, c Closed) error {
	return j.write(TypeClosed, attempt, c)
}

// Stuck writes that a reversal has gone to the operators.
func (j *Journal) Stuck(attempt uint64, s Stuck) error { return j.write(TypeStuck, attempt, s) }

// KeyLoad writes that a key set was loaded, whose counters start again.
func (j *Journal) KeyLoad(k KeyLoad) error { return j.write(TypeKeyLoad, 0, k) }

// Confirm writes that the host knows that these approvals were completed.
func (j *Journal) Confirm(c Confirmed) error { return j.write(TypeConfirmed, 0, c) }

// Checkpoint keeps a host node's newest audit checkpoint.
func (j *Journal) Checkpoint(c Checkpoint) error { return j.write(TypeCheckpoint, 0, c) }

func (j *Journal) write(t Type, attempt uint64, body any) error {
	if attempt == 0 && t != TypeKey && t != TypeKeyLoad && t != TypeCheckpoint && t != TypeConfirmed {
		return fmt.Errorf("journal: a %v record needs an attempt", t)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := j.append(t, attempt, body)
	return err
}

// Err tells whether the journal can still be written: nil, or an error that says
// why not.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dead
}

// Room tells whether a new sale may begin: nil, ErrNoRoom or ErrUnknown.
func (j *Journal) Room() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead != nil {
		return j.dead
	}
	return j.ensureRoom()
}

// errNoRoom adds what to do.
func errNoRoom(cause error) error {
	return errors.Join(fmt.Errorf("journal: %w: free some space on the disk of the data directory", ErrNoRoom), cause)
}
