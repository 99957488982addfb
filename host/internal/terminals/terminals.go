// Package terminals holds who may talk to the host: terminals, their
// certificates, key sets and counters (rule 8), and the host's own named keys.
package terminals

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"tallystick.example/host/internal/store"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound means that a terminal, certificate, key set or key is unknown.
	ErrNotFound = errors.New("terminals: not registered")
	// ErrExists means that the name is taken.
	ErrExists = errors.New("terminals: registered already")
	// ErrInput refuses a malformed registration.
	ErrInput = errors.New("terminals: malformed registration")
)

// Status is the state of a terminal, certificate or key set.
type Status string

// States.
const (
	Active  Status = "active"
	Blocked Status = "blocked" // of terminals and certificates: refused, may be undone for terminals
	Retired Status = "retired" // of terminals: gone for ever; of key sets: stored advices and reversals only
)

// A Terminal is a registered card acceptor terminal.
type Terminal struct {
	ID       string // DE 41, 8 characters
	Merchant string // DE 42, 15 characters
	Status   Status
	Since    int64 // microseconds UTC of the last change of status
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this package.
func Migrations() store.Set { return store.Sub("terminals", migrations, "migrations") }

// check refuses what DE 41 and DE 42 cannot carry (ISO 8583:1987, 4.4: fixed
// length, "ans").
func (t Terminal) check() error {
	for _, f := range []struct {
		name, value string
		length      int
	}{{"terminal (DE 41)", t.ID, 8}, {"merchant (DE 42)", t.Merchant, 15}} {
		if len(f.value) != f.length {
			return fmt.Errorf("%w: %s has %d characters, want %d", ErrInput, f.name, len(f.value), f.length)
		}
		for _, r := range f.value {
			if r < ' ' || r > '~' {
				return fmt.Errorf("%w: %s is not printable ASCII", ErrInput, f.name)
			}
		}
	}
	if t.Status != Active && t.Status != Blocked {
		return fmt.Errorf("%w: a new terminal is active or blocked", ErrInput)
	}
	return nil
}

// Register adds a terminal, or answers ErrExists or ErrInput.
func Register(tx *store.Tx, t Terminal) error {
	if err := t.check(); err != nil {
		return err
	}
	n, err := tx.Exec(`INSERT INTO terminal (id, merchant, status, since) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
		t.ID, t.Merchant, string(t.Status), t.Since)
	return added(n, err, "terminal "+t.ID)
}

// added turns the result of an insert into nil or ErrExists.
func added(n int64, err error, what string) error {
	if err != nil {
		return fmt.Errorf("registering %s: %w", what, err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", ErrExists, what)
	}
	return nil
}

// changed turns the result of an update into nil or ErrNotFound.
func changed(n int64, err error, what string) error {
	if err != nil {
		return fmt.Errorf("changing %s: %w", what, err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", ErrNotFound, what)
	}
	return nil
}

// found turns an error of reading one row into one that says what was missing.
func found(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: %s", ErrNotFound, what)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", what, err)
	}
	return nil
}

// Get reads one terminal, or ErrNotFound.
func Get(q store.Querier, id string) (Terminal, error) {
	t := Terminal{ID: id}
	err := q.QueryRow(`SELECT merchant, status, since FROM terminal WHERE id = $1`, id).Scan(&t.Merchant, &t.Status, &t.Since)
	return t, found(err, "terminal "+id)
}

// All reads all terminals in order of ID.
func All(q store.Querier) ([]Terminal, error) {
	var all []Terminal
	err := q.Each(func(scan store.Scan) error {
		var t Terminal
		err := scan(&t.ID, &t.Merchant, &t.Status, &t.Since)
		all = append(all, t)
		return err
	}, `SELECT id, merchant, status, since FROM terminal ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing terminals: %w", err)
	}
	return all, nil
}

// SetStatus changes a terminal's status. A retired terminal stays retired:
// ErrNotFound, as for one that was never there. at is microseconds UTC.
func SetStatus(tx *store.Tx, id string, s Status, at int64) error {
	if s != Active && s != Blocked && s != Retired {
		return fmt.Errorf("%w: status %q", ErrInput, s)
	}
	n, err := tx.Exec(`UPDATE terminal SET status = $2, since = $3 WHERE id = $1 AND status <> $4`, id, string(s), at, string(Retired))
	return changed(n, err, "terminal "+id)
}
