package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
)

// A Tx is what one item may do inside the writer. It is valid only within the
// item's function and belongs to its goroutine.
//
// Queries are PostgreSQL's with $1, $2, …; arguments are string (TEXT), []byte
// (BYTEA; nil is NULL), integers (BIGINT), float64 or nil; another type panics.
// A query is a constant text: values go into arguments.
type Tx struct {
	b     *batch
	q     queries
	ended bool
}

var _ Querier = (*Tx)(nil)

// Exec runs a statement and returns the number of rows that it touched.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	tx.check()
	return tx.q.exec(query, args)
}

// QueryRow is Querier's, and sees this batch's writes. It also serves INSERT …
// RETURNING.
func (tx *Tx) QueryRow(query string, args ...any) Row {
	tx.check()
	return tx.q.queryRow(query, args)
}

// Each is Querier's, and sees this batch's writes. row must not use tx.
func (tx *Tx) Each(row func(scan Scan) error, query string, args ...any) error {
	tx.check()
	return tx.q.each(row, query, args)
}

// Lock reads one row and keeps other nodes from changing it until the commit
// (rule 3): FOR UPDATE on PostgreSQL, where READ COMMITTED does not show two
// transactions each other's rows; a plain read on SQLite, whose writer is alone.
func (tx *Tx) Lock(query string, args ...any) Row {
	return tx.QueryRow(query+tx.b.w.s.engine.forUpdate(), args...)
}

// AfterCommit has fn called by the writer once the commit is durable, and never
// when it is rolled back. fn must be quick and must not use the store.
func (tx *Tx) AfterCommit(fn func()) {
	tx.check()
	tx.b.hooks = append(tx.b.hooks, fn)
}

// Value is what SetValue kept under key in this batch, or nil. A value of an
// item that was rolled back is gone, as its rows are: so a package can carry
// the end of a chain from item to item without reading it back.
func (tx *Tx) Value(key any) any {
	tx.check()
	return tx.b.values[key]
}

// SetValue keeps value for the rest of the batch. Key types are unexported types
// of the package that uses them, as with contexts.
func (tx *Tx) SetValue(key, value any) {
	tx.check()
	tx.b.values[key] = value
}

// check panics when an item kept its Tx: its writes would land in another's.
func (tx *Tx) check() {
	if tx.ended {
		panic("store: a Tx was used after its function returned")
	}
}

// newTx is the Tx of the next item of b.
func newTx(ctx context.Context, b *batch) *Tx {
	return &Tx{b: b, q: queries{ctx: ctx, session: b.w.on, note: b.note}}
}

// note remembers the worst error of the database in a batch, since an item may
// swallow it. Missing rows are answers, not errors.
func (b *batch) note(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if c := b.w.s.engine.classify(err); c > b.worst {
		b.worst, b.cause = c, err
	}
	return err
}

// A mark is what a batch goes back to when an item is rolled back.
type mark struct {
	hooks  int
	values map[any]any
}

func (b *batch) mark() mark { return mark{hooks: len(b.hooks), values: maps.Clone(b.values)} }

func (b *batch) restore(m mark) {
	b.hooks, b.values = b.hooks[:m.hooks], m.values
}
