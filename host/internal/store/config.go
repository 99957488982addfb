package store

import (
	"errors"
	"fmt"
	"io/fs"
)

// A Set is the migrations of one owning package: its tables and nothing else.
// A package exports it as `func Migrations() store.Set`.
type Set struct {
	// Name is the package's short name (lower-case letters and '_'); the history
	// of the set is kept in the table schema_<name>.
	Name string
	// FS holds goose files NNNNN_text.sql at its root, numbered from 1 within the
	// set. A step that differs between engines is a pair NNNNN_text.sqlite.sql
	// and NNNNN_text.postgres.sql. There is no way down: a release that needs one
	// is restored from its backup.
	FS fs.FS
}

// Config says which database to open and how.
type Config struct {
	// Path is the SQLite file, made with mode 0600 when missing. Exactly one of
	// Path and DSN is given.
	Path string
	// DSN is the PostgreSQL connection string (libpq form), with
	// target_session_attrs=read-write when it names several hosts. Database and
	// role exist before hosts start: a multi-host connect stops at the first node
	// that does not know the database.
	DSN string
	// Node is the name of this node, 1 to 16 letters, digits and '-'. It is
	// needed unless ReadOnly.
	Node string
	// Sets are applied in this order: a set may refer to tables of earlier ones.
	Sets []Set
	// Fatal ends the process; it is called at most once, after an I/O error or a
	// full disk at commit, or when another process has taken over the node's
	// name. It should not return; when it does, the store answers ErrClosed.
	Fatal func(error)
	// ReadOnly opens without a writer and without migrations: Do answers
	// ErrReadOnly.
	ReadOnly bool
	// MaxBatch is the largest number of items in one transaction, 1 to 1,024
	// (default 64).
	MaxBatch int
	// QueueLimit is how many items of each kind may wait, 1 to 65,536
	// (default 4,096).
	QueueLimit int
	// ReserveMiB is kept allocated beside the SQLite file for reversals and
	// closings on a full disk, up to 4,096 (default 16; negative keeps none).
	ReserveMiB int
	// Lab allows UnsafeNoSync.
	Lab bool
	// UnsafeNoSync answers before the disk has the data. It is refused without
	// Lab and exists so that the crash sweep can show that it notices.
	UnsafeNoSync bool
}

// withDefaults checks c and fills in what it left open.
func (c Config) withDefaults() (Config, error) {
	if (c.Path == "") == (c.DSN == "") {
		return c, errors.New("store: give either the path of an SQLite file or a PostgreSQL DSN")
	}
	if c.UnsafeNoSync && !c.Lab {
		return c, errors.New("store: UnsafeNoSync is allowed in lab mode only")
	}
	if !c.ReadOnly && !validNode(c.Node) {
		return c, fmt.Errorf("store: node name %q: want 1 to 16 letters, digits and '-'", c.Node)
	}
	if !c.ReadOnly && c.Fatal == nil {
		return c, errors.New("store: Fatal is missing: an I/O error must be able to end the process")
	}
	for _, f := range []struct {
		name          string
		value         *int
		fallback, max int
	}{{"MaxBatch", &c.MaxBatch, 64, 1024}, {"QueueLimit", &c.QueueLimit, 4096, 65536}, {"ReserveMiB", &c.ReserveMiB, 16, 4096}} {
		if *f.value == 0 {
			*f.value = f.fallback
		}
		if *f.value > f.max || (*f.value < 0 && f.name != "ReserveMiB") {
			return c, fmt.Errorf("store: %s is %d, want 1 to %d", f.name, *f.value, f.max)
		}
	}
	return c, nil
}

// validNode reports whether name can stand in a checkpoint.
func validNode(name string) bool {
	for _, r := range name {
		if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 16
}
