package store

import "errors"

// Errors that callers tell apart with errors.Is.
var (
	// ErrFull refuses a new sale: what is left of the disk belongs to reversals
	// and closings. It comes from Do only when the reserve is gone as well.
	ErrFull = errors.New("store: the disk is full: free space; until then new sales are refused, reversals and closings go in")
	// ErrBusy means that too many writes wait, or that the database kept
	// refusing because of locks: nothing was written, and it may be tried again.
	ErrBusy = errors.New("store: too busy, nothing was written")
	// ErrClosed means that the store was closed, or has ended after Fatal.
	ErrClosed = errors.New("store: closed")
	// ErrReadOnly means that the store was opened for reading.
	ErrReadOnly = errors.New("store: opened for reading only")
	// ErrUnknown means that the commit may or may not have happened: ask again by
	// a write under the same identity, never by a read.
	ErrUnknown = errors.New("store: the outcome of the commit is not known")
	// ErrFenced means that another process runs under this node's name.
	ErrFenced = errors.New("store: another process has taken over this node's name: end one of the two")
)

// errNewerSchema refuses a database whose schema this program does not know.
var errNewerSchema = errors.New("the database was written by a newer release: run that release, or restore a backup")

// A class is what the writer does about an error of the database.
type class int

const (
	classItem  class = iota // the item's own: constraint, syntax, missing row
	classRetry              // locks: run the batch again
	classLost               // the connection is gone: new connection, run the batch again
	classFull               // no space left
	classIO                 // the storage cannot be trusted
)
