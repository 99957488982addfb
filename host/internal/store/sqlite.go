package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// sqlite is the embedded engine: one file in WAL mode, one writing process.
type sqlite struct {
	cfg  Config
	lock *os.File // held while this process may write
}

func (*sqlite) name() string                                     { return "sqlite" }
func (*sqlite) dialect() goose.Dialect                           { return goose.DialectSQLite3 }
func (*sqlite) providerOptions() ([]goose.ProviderOption, error) { return nil, nil }
func (*sqlite) writeOptions() *sql.TxOptions                     { return nil } // immediate, by the DSN
func (*sqlite) readOptions() *sql.TxOptions                      { return &sql.TxOptions{ReadOnly: true} }
func (*sqlite) forUpdate() string                                { return "" } // the writer is alone

// batchContext sets no deadline: the disk is local, and waiting for locks is
// bounded by busy_timeout.
func (*sqlite) batchContext() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

func (s *sqlite) open(ctx context.Context) (write, read *sql.DB, err error) {
	if !s.cfg.ReadOnly {
		if err := s.create(); err != nil {
			return nil, nil, err
		}
		if write, err = sql.Open("sqlite", s.dsn(false)); err != nil {
			return nil, nil, fmt.Errorf("opening %s: %w", s.cfg.Path, err)
		}
		write.SetMaxOpenConns(4) // writer, its probe, and migrations
	}
	if read, err = sql.Open("sqlite", s.dsn(true)); err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", s.cfg.Path, err)
	}
	read.SetMaxOpenConns(maxReaders)
	return write, read, nil
}

// create takes the lock of the writing process and makes the file, readable by
// its owner only (SQLite gives -wal and -shm the same mode). The directory is
// synced, so that the file's name survives a power loss.
func (s *sqlite) create() error {
	lock, err := os.OpenFile(s.cfg.Path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the lock file: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%s is in use by another process: stop it, or talk to it by its control socket: %w", s.cfg.Path, err), lock.Close())
	}
	s.lock = lock
	f, err := os.OpenFile(s.cfg.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing the new database: %w", err)
	}
	return syncDir(filepath.Dir(s.cfg.Path))
}

// dsn names the file with every pragma that a connection needs. secure_delete
// overwrites what is deleted; synchronous=FULL syncs the WAL at every commit.
func (s *sqlite) dsn(reader bool) string {
	sync := "FULL"
	if s.cfg.UnsafeNoSync {
		sync = "OFF"
	}
	q := url.Values{"_txlock": {"immediate"}, "mode": {"rw"}, "_pragma": {
		"busy_timeout(5000)", "foreign_keys(1)", "secure_delete(1)", "synchronous(" + sync + ")",
		"temp_store(2)", "cache_size(-16384)", // no temporary files, 16 MiB
	}}
	if reader {
		q["_txlock"] = []string{"deferred"}
		q["_pragma"] = append(q["_pragma"], "query_only(1)")
	} else {
		q["_pragma"] = append(q["_pragma"], "journal_mode(WAL)", "journal_size_limit(67108864)")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: s.cfg.Path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// prepare refuses a connection on which a commit would not be durable.
func (s *sqlite) prepare(ctx context.Context, conn *sql.Conn) error {
	var mode string
	var sync int
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("reading journal_mode: %w", err)
	}
	if err := conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return fmt.Errorf("reading synchronous: %w", err)
	}
	if mode != "wal" || (sync != 2 && !s.cfg.UnsafeNoSync) {
		return fmt.Errorf("journal_mode is %s and synchronous %d, want wal and 2 (FULL)", mode, sync)
	}
	return nil
}

func (*sqlite) classify(err error) class {
	var e *driver.Error
	if !errors.As(err, &e) {
		return classItem
	}
	switch e.Code() & 0xff { // the primary code; the rest says where
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return classRetry
	case codes.SQLITE_FULL:
		return classFull
	case codes.SQLITE_IOERR, codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_NOMEM:
		return classIO
	}
	return classItem
}

func (s *sqlite) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close() // gives up the lock; the file stays, since removing it would race
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
