package score

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"tallystick.example/host/internal/store"
)

//go:embed sql/*.sql
var migrations embed.FS

// Migrations are the tables of the velocity counters.
func Migrations() store.Set { return store.Sub("score", migrations, "sql") }

// Kind says what a counter counts by.
type Kind string

// The kinds of counters.
const (
	ByCard     Kind = "card"     // subject is the card token
	ByTerminal Kind = "terminal" // subject is DE 41
)

// Count adds one attempt of minor units at time at (microseconds UTC) to the
// counters of a subject in one currency (ISO 4217 numeric), and returns the
// sums including it. It must run in the commit that decides the attempt: the
// row stays locked until then, so that attempts of one subject see each other
// in order. Attempts count whether or not they are approved, and a reversal
// does not take them back: a limit on attempts also limits guessing.
func Count(tx *store.Tx, kind Kind, subject string, currency uint16, minor, at int64) (Span, error) {
	if subject == "" || minor < 0 {
		panic("score: a velocity counter needs a subject and an amount that is not negative")
	}
	// The row exists before it is locked, so that two nodes cannot both miss it.
	if _, err := tx.Exec(`INSERT INTO velocity (kind, subject, currency, history, updated)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, subject, currency) DO NOTHING`,
		string(kind), subject, int64(currency), (&history{}).encode(), at); err != nil {
		return Span{}, fmt.Errorf("adding a velocity counter: %w", err)
	}
	var raw []byte
	if err := tx.Lock(`SELECT history FROM velocity WHERE kind = $1 AND subject = $2 AND currency = $3`,
		string(kind), subject, int64(currency)).Scan(&raw); err != nil {
		return Span{}, fmt.Errorf("reading a velocity counter: %w", err)
	}
	h, err := decode(raw)
	if err != nil {
		return Span{}, err
	}
	h.add(at, minor)
	if _, err := tx.Exec(`UPDATE velocity SET history = $1, updated = $2 WHERE kind = $3 AND subject = $4 AND currency = $5`,
		h.encode(), at, string(kind), subject, int64(currency)); err != nil {
		return Span{}, fmt.Errorf("writing a velocity counter: %w", err)
	}
	return h.sums(at), nil
}

// Look reads the sums of a subject without counting; nothing is decided on it.
func Look(q store.Querier, kind Kind, subject string, currency uint16, at int64) (Span, error) {
	var raw []byte
	err := q.QueryRow(`SELECT history FROM velocity WHERE kind = $1 AND subject = $2 AND currency = $3`,
		string(kind), subject, int64(currency)).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return Span{}, nil
	}
	if err != nil {
		return Span{}, fmt.Errorf("reading a velocity counter: %w", err)
	}
	h, err := decode(raw)
	if err != nil {
		return Span{}, err
	}
	return h.sums(at), nil
}

// Prune forgets at most limit counters that nothing has touched since before;
// a day and an hour ago or earlier loses nothing.
func Prune(tx *store.Tx, before int64, limit int) (int64, error) {
	n, err := tx.Exec(`DELETE FROM velocity WHERE (kind, subject, currency) IN
		(SELECT kind, subject, currency FROM velocity WHERE updated < $1 ORDER BY updated LIMIT $2)`, before, int64(limit))
	if err != nil {
		return 0, fmt.Errorf("pruning velocity counters: %w", err)
	}
	return n, nil
}
