package terminals

import (
	"fmt"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// A Set is a registered key set of a terminal with its counter.
type Set struct {
	api.KeySet
	Status  Status // active, or retired: stored advices and reversals only
	Highest int64  // highest counter accepted, -1 before the first
}

// setLength is how long the ID of a set of each scheme is: the initial key ID
// (X9.24-3:2017, 6.3.1) or the initial KSN (X9.24-1:2009, A.1).
var setLength = map[api.Scheme]int{api.SchemeAES: 8, api.SchemeTDES: 10}

// AddKeySet registers a key set of a terminal. An ID is registered once for
// ever (ErrExists): its counters must not start again.
func AddKeySet(tx *store.Tx, id string, set api.KeySet) error {
	if n, ok := setLength[set.Scheme]; !ok || len(set.ID) != n || set.BDK == "" || (!set.PIN && !set.MAC && !set.Data) {
		return fmt.Errorf("%w: key set of scheme %q with an id of %d bytes", ErrInput, set.Scheme, len(set.ID))
	}
	if _, err := Get(tx, id); err != nil {
		return err
	}
	n, err := tx.Exec(`INSERT INTO terminal_key_set (terminal, set_id, scheme, bdk, pin, mac, data, status, highest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, -1) ON CONFLICT (terminal, set_id) DO NOTHING`,
		id, set.ID, string(set.Scheme), string(set.BDK), flag(set.PIN), flag(set.MAC), flag(set.Data), string(Active))
	return added(n, err, fmt.Sprintf("key set %X of terminal %s", set.ID, id))
}

// flag is how a bool is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// RetireKeySet leaves a set valid for stored advices and reversals only, or
// answers ErrNotFound.
func RetireKeySet(tx *store.Tx, id string, setID []byte) error {
	n, err := tx.Exec(`UPDATE terminal_key_set SET status = $3 WHERE terminal = $1 AND set_id = $2`, id, setID, string(Retired))
	return changed(n, err, fmt.Sprintf("key set %X of terminal %s", setID, id))
}

// DropRetired ends the retired sets of a terminal, once it reported empty
// queues. Their rows stay without a key, so that no ID can be used again.
func DropRetired(tx *store.Tx, id string) error {
	if _, err := tx.Exec(`DELETE FROM terminal_counter WHERE terminal = $1 AND set_id IN
		(SELECT set_id FROM terminal_key_set WHERE terminal = $1 AND status = $2)`, id, string(Retired)); err != nil {
		return fmt.Errorf("dropping the counters of %s: %w", id, err)
	}
	if _, err := tx.Exec(`UPDATE terminal_key_set SET status = $3, bdk = '' WHERE terminal = $1 AND status = $2`, id, string(Retired), string(Blocked)); err != nil {
		return fmt.Errorf("dropping the retired key sets of %s: %w", id, err)
	}
	return nil
}

// KeySets reads the usable sets of a terminal, active ones first.
func KeySets(q store.Querier, id string) ([]Set, error) {
	var sets []Set
	err := q.Each(func(scan store.Scan) error {
		var s Set
		var pin, mac, data int64
		if err := scan(&s.ID, &s.Scheme, &s.BDK, &pin, &mac, &data, &s.Status, &s.Highest); err != nil {
			return err
		}
		s.PIN, s.MAC, s.Data = pin != 0, mac != 0, data != 0
		sets = append(sets, s)
		return nil
	}, `SELECT set_id, scheme, bdk, pin, mac, data, status, highest FROM terminal_key_set
		WHERE terminal = $1 AND status <> $2 ORDER BY status, set_id`, id, string(Blocked))
	if err != nil {
		return nil, fmt.Errorf("reading the key sets of %s: %w", id, err)
	}
	return sets, nil
}
