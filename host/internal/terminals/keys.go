package terminals

import (
	"fmt"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// A HostKey is a named key of the host: a key block under the LMK with what may
// be known of it.
type HostKey struct {
	Name  string // such as "bdk.aes.1" or "issuer.imk", 1 to 64 characters
	Key   api.Key
	Label string // for people
	Since int64  // microseconds UTC
}

// PutKey stores a key under a new name, or answers ErrExists: a key is replaced
// under another name, so that blocks in use never change.
func PutKey(tx *store.Tx, k HostKey) error {
	if len(k.Name) < 1 || len(k.Name) > 64 || k.Key.Block == "" {
		return fmt.Errorf("%w: a key needs a name of 1 to 64 characters and a block", ErrInput)
	}
	s := k.Key.Spec
	n, err := tx.Exec(`INSERT INTO host_key (name, block, kcv, usage, algorithm, mode, bytes, test, label, since)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (name) DO NOTHING`,
		k.Name, string(k.Key.Block), k.Key.KCV, s.Usage, s.Algorithm, s.Mode, s.Bytes, flag(k.Key.Test), k.Label, k.Since)
	return added(n, err, "key "+k.Name)
}

const keyColumns = `SELECT name, block, kcv, usage, algorithm, mode, bytes, test, label, since FROM host_key`

func scanKey(scan func(...any) error) (HostKey, error) {
	var k HostKey
	var test int64
	s := &k.Key.Spec
	err := scan(&k.Name, &k.Key.Block, &k.Key.KCV, &s.Usage, &s.Algorithm, &s.Mode, &s.Bytes, &test, &k.Label, &k.Since)
	k.Key.Test = test != 0
	return k, err
}

// GetKey reads a key, or ErrNotFound.
func GetKey(q store.Querier, name string) (HostKey, error) {
	k, err := scanKey(q.QueryRow(keyColumns+` WHERE name = $1`, name).Scan)
	return k, found(err, "key "+name)
}

// Keys reads all keys in order of name.
func Keys(q store.Querier) ([]HostKey, error) {
	var keys []HostKey
	err := q.Each(func(scan store.Scan) error {
		k, err := scanKey(scan)
		keys = append(keys, k)
		return err
	}, keyColumns+` ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return keys, nil
}
