package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// maxPrune bounds what one Prune removes, so that one transaction stays small.
const maxPrune = 20_000

// Prune removes the oldest records until about keep are left, never those of an
// attempt that is not finished or not confirmed to the host. What later records build on (STAN, key set,
// DUKPT counter, checkpoint) is written anew first. It returns how many records
// it removed.
func (j *Journal) Prune(keep uint64) (removed uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last-j.base.number <= keep {
		return 0, nil
	}
	cut := min(j.last-keep, j.base.number+maxPrune)
	for n := range j.state.open {
		cut = min(cut, n-1)
	}
	for _, a := range j.state.unconfirmed {
		cut = min(cut, a.Number-1)
	}
	if cut <= j.base.number {
		return 0, nil
	}
	s := Snapshot{NextSTAN: j.state.nextSTAN, KeySet: j.state.keySet, Counter: j.state.counter, Checkpoints: j.state.checkpoints}
	if _, err := j.append(TypeSnapshot, 0, s); err != nil {
		return 0, err
	}
	base := j.base
	err = j.guard(func() error {
		return j.db.Update(func(tx *bolt.Tx) (err error) {
			base, err = j.cut(tx, cut)
			return err
		})
	})
	if err != nil {
		j.dead = fmt.Errorf("journal: pruning: %w: %w", ErrUnknown, err)
		return 0, j.dead
	}
	removed = base.number - j.base.number
	j.base = base
	j.state.base = base.number
	return removed, nil
}

// cut removes the records up to number and moves the base mark there.
func (j *Journal) cut(tx *bolt.Tx, number uint64) (mark, error) {
	log := tx.Bucket(bucketLog)
	var k [8]byte
	binary.BigEndian.PutUint64(k[:], number)
	stored := log.Get(k[:])
	if len(stored) < macSize {
		return mark{}, errors.New("the record at the cut is missing")
	}
	base := mark{number: number, mac: [macSize]byte(stored[len(stored)-macSize:])}
	for n := j.base.number + 1; n <= number; n++ {
		binary.BigEndian.PutUint64(k[:], n)
		if err := log.Delete(k[:]); err != nil {
			return mark{}, err
		}
	}
	return base, tx.Bucket(bucketMeta).Put(keyBase, base.encode(j.key, "base", j.state.epoch))
}
