package store

import (
	"context"
	"errors"
	"io/fs"
)

var errSkeleton = errors.New("store: under construction")

// A Set is the migrations of one owning package: its tables and nothing else.
// A package exports it as `func Migrations() store.Set`.
type Set struct {
	// Name is the package's short name (letters and '_'); the history of the set
	// is kept in the table schema_<name>.
	Name string
	// FS holds goose files NNNNN_text.sql at its root, numbered from 1 within the
	// set. A step that differs between engines is a pair NNNNN_text.sqlite.sql
	// and NNNNN_text.postgres.sql.
	FS fs.FS
}

// Config says which database to open and how.
type Config struct {
	// Path is the SQLite file. Exactly one of Path and DSN is given.
	Path string
	// DSN is the PostgreSQL connection string, with target_session_attrs=read-write
	// when it names several hosts.
	DSN string
	// Node is the name of this node, 1 to 16 letters, digits and '-'.
	Node string
	// Sets are applied in this order: a set may refer to tables of earlier ones.
	Sets []Set
	// Fatal ends the process; it is called at most once, after an I/O error or a
	// full disk at commit. It should not return; when it does, the store is dead.
	Fatal func(error)
	// ReadOnly opens without a writer: Do answers ErrReadOnly.
	ReadOnly bool
	// MaxBatch is the largest number of items in one transaction (default 64).
	MaxBatch int
	// QueueLimit is how many items may wait (default 4,096).
	QueueLimit int
	// ReserveMiB is kept allocated beside the SQLite file for reversals and
	// closings on a full disk (default 16; negative keeps none).
	ReserveMiB int
	// Lab allows UnsafeNoSync.
	Lab bool
	// UnsafeNoSync answers before the disk has the data. Only with Lab: the crash
	// sweep proves that it notices.
	UnsafeNoSync bool
}

// Errors that callers tell apart.
var (
	ErrFull     = errors.New("store: the disk is full: new sales are refused, reversals and closings still go in")
	ErrBusy     = errors.New("store: too many writes are waiting")
	ErrClosed   = errors.New("store: closed")
	ErrReadOnly = errors.New("store: opened for reading only")
	// ErrUnknown means that the commit may or may not have happened: ask again by
	// a write under the same identity, never by a read.
	ErrUnknown = errors.New("store: the outcome of the commit is not known yet")
)

// A Store is one open database.
type Store struct{}

// Open opens the database, applies the migration sets and starts the writer.
func Open(ctx context.Context, cfg Config) (*Store, error) { return nil, errSkeleton }

// Close finishes the queue, stops the writer and closes the database.
func (s *Store) Close() error { return errSkeleton }

// Do runs fn inside the next group commit and returns when it is durable. It is
// for everything but new sales: reversals, advices, closings, administration.
//
// fn sees the writes of items before it in the same batch. An error of fn rolls
// back fn's own writes only and is returned as it is. fn may be run more than
// once and must have no effect but through tx and by assigning (not appending
// to) variables of the caller; it must not call Do, Read or wait for anything.
//
// ctx bounds the waiting: before the item is taken Do returns its error and
// nothing has happened; later it returns ErrUnknown.
func (s *Store) Do(ctx context.Context, name string, fn func(tx *Tx) error) error {
	return errSkeleton
}

// DoSale is Do for a new sale: on a full disk it is refused with ErrFull while
// Do still has the reserve.
func (s *Store) DoSale(ctx context.Context, name string, fn func(tx *Tx) error) error {
	return errSkeleton
}

// Read runs fn in a read-only snapshot on a connection of its own. What it sees
// may be overtaken at once: nothing is decided on it (rule 9).
func (s *Store) Read(ctx context.Context, fn func(q Querier) error) error { return errSkeleton }

// Full reports whether new sales are refused because the disk is full.
func (s *Store) Full() bool { return false }

// A Querier reads: inside a write (Tx) or a snapshot (Read).
type Querier interface {
	// QueryRow reads one row; Scan answers sql.ErrNoRows when there is none.
	QueryRow(query string, args ...any) Row
	// Each calls row for every row of the result. scan fills the columns.
	Each(row func(scan Scan) error, query string, args ...any) error
}

// Scan fills dst from the current row.
type Scan func(dst ...any) error

// A Row is the answer to QueryRow.
type Row struct{}

// Scan fills dst, or answers sql.ErrNoRows.
func (r Row) Scan(dst ...any) error { return errSkeleton }

// A Tx is what an item may do inside the writer. It is valid only within fn.
//
// Queries are PostgreSQL's with $1, $2, …; arguments are string (TEXT), []byte
// (BYTEA; nil is NULL), int, int64 and the other integers (BIGINT), float64 or
// nil; another type panics.
type Tx struct{}

var _ Querier = (*Tx)(nil)

// Exec runs a statement and returns the number of rows it touched.
func (tx *Tx) Exec(query string, args ...any) (int64, error) { return 0, errSkeleton }

// QueryRow is Querier's, and sees this batch's writes.
func (tx *Tx) QueryRow(query string, args ...any) Row { return Row{} }

// Each is Querier's, and sees this batch's writes.
func (tx *Tx) Each(row func(scan Scan) error, query string, args ...any) error { return errSkeleton }

// Lock reads one row and keeps others from changing it until the commit: FOR
// UPDATE on PostgreSQL, a plain read on SQLite, whose writer is alone.
func (tx *Tx) Lock(query string, args ...any) Row { return Row{} }

// AfterCommit has fn called by the writer once the commit is durable, and never
// when it is rolled back. fn must be quick and must not use the store.
func (tx *Tx) AfterCommit(fn func()) {}

// Values writes the placeholder lists of a multi-row insert, such as
// ($1,$2),($3,$4) for 2 rows of 2 columns.
func Values(rows, columns int) string { return "" }
