package terminals

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"

	"tallystick.example/host/internal/store"
)

// A Verdict is what CheckCounter found.
type Verdict string

// Verdicts of CheckCounter.
const (
	Fresh       Verdict = "fresh"        // never seen, now stored
	SameMessage Verdict = "same_message" // the same bytes again
	Refused     Verdict = "refused"      // another message under a used counter, or below the window: DE 39 = 63 and an alarm
)

// Window is how far below the highest counter a message may still come.
const Window = 1024

// ring is the number of slots that remember digests: a power of two above
// Window, so that all counters of the window have slots of their own.
const ring = 2048

// CheckCounter applies rule 8 to one received message whose MAC is valid, and
// stores the counter with the digest in the commit of tx. The same digest under
// the same counter is the same message; another digest is refused, and so is a
// counter more than Window below the highest. An unknown set is ErrNotFound.
//
// A set of the card data only (a pad's own) is checked the same way, with the
// digest of the message that carries it.
func CheckCounter(tx *store.Tx, id string, setID []byte, counter uint32, digest [32]byte) (Verdict, error) {
	highest, err := lockHighest(tx, id, setID)
	if err != nil {
		return Refused, err
	}
	slot := int64(counter) % ring
	var seen int64
	var seenDigest []byte
	err = tx.QueryRow(`SELECT counter, digest FROM terminal_counter WHERE terminal = $1 AND set_id = $2 AND slot = $3`, id, setID, slot).Scan(&seen, &seenDigest)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Refused, fmt.Errorf("reading a counter of %s: %w", id, err)
	}
	switch {
	case known && seen == int64(counter):
		if bytes.Equal(seenDigest, digest[:]) {
			return SameMessage, nil
		}
		return Refused, nil
	case int64(counter) < highest-Window:
		return Refused, nil
	}
	if _, err := tx.Exec(`INSERT INTO terminal_counter (terminal, set_id, slot, counter, digest) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (terminal, set_id, slot) DO UPDATE SET counter = excluded.counter, digest = excluded.digest`,
		id, setID, slot, counter, digest[:]); err != nil {
		return Refused, fmt.Errorf("storing a counter of %s: %w", id, err)
	}
	if int64(counter) > highest {
		if _, err := tx.Exec(`UPDATE terminal_key_set SET highest = $3 WHERE terminal = $1 AND set_id = $2`, id, setID, counter); err != nil {
			return Refused, fmt.Errorf("raising the counter of %s: %w", id, err)
		}
	}
	return Fresh, nil
}

// CheckStoredData tells whether card data of a stored advice may come under
// counter: any that the set has reached, since advices are resent with the blob
// of their first sending.
func CheckStoredData(tx *store.Tx, id string, setID []byte, counter uint32) (bool, error) {
	highest, err := lockHighest(tx, id, setID)
	return err == nil && int64(counter) <= highest, err
}

// lockHighest reads the highest counter and keeps other nodes from the set.
func lockHighest(tx *store.Tx, id string, setID []byte) (highest int64, err error) {
	err = tx.Lock(`SELECT highest FROM terminal_key_set WHERE terminal = $1 AND set_id = $2 AND status <> $3`, id, setID, string(Blocked)).Scan(&highest)
	return highest, found(err, fmt.Sprintf("key set %X of terminal %s", setID, id))
}
