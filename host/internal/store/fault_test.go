package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// faulty is the SQLite engine with a line to the database that can break at
// COMMIT: before the commit happens, or after it, on the way back.
type faulty struct {
	sqlite
	before, after atomic.Int32 // how many of the next commits break
	ask           atomic.Int32 // how many connections after that are refused
}

// classify takes a broken line for what it is on PostgreSQL.
func (f *faulty) classify(err error) class {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) {
		return classLost
	}
	return f.sqlite.classify(err)
}

func (f *faulty) open(ctx context.Context) (write, read *sql.DB, err error) {
	write, read, err = f.sqlite.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	real := write.Driver()
	return sql.OpenDB(&faultyConnector{f, real, f.dsn(false)}), read, write.Close()
}

type faultyConnector struct {
	f    *faulty
	real driver.Driver
	dsn  string
}

func (c *faultyConnector) Driver() driver.Driver { return c.real }

func (c *faultyConnector) Connect(context.Context) (driver.Conn, error) {
	if c.f.ask.Add(-1) >= 0 {
		return nil, io.ErrUnexpectedEOF
	}
	conn, err := c.real.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &faultyConn{conn.(sqliteConn), c.f}, nil
}

// sqliteConn is what the driver's connections can do, as far as we use it.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

type faultyConn struct {
	sqliteConn
	f *faulty
}

func (c *faultyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, opts)
	return &faultyTx{tx, c.f}, err
}

type faultyTx struct {
	driver.Tx
	f *faulty
}

func (t *faultyTx) Commit() error {
	if t.f.before.Add(-1) >= 0 {
		return errors.Join(io.ErrUnexpectedEOF, t.Rollback()) // the server rolls back what lost its client
	}
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	if t.f.after.Add(-1) >= 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// openFaulty opens a store whose line can be broken.
func openFaulty(t *testing.T, fatal func(error)) (*Store, *faulty) {
	t.Helper()
	cfg, err := Config{Path: t.TempDir() + "/host.db", Node: "n1", Fatal: fatal, ReserveMiB: 1}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{sqlite: sqlite{cfg: cfg}}
	s := newStore(cfg, f)
	if err := s.open(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Do(context.Background(), "table", func(tx *Tx) error {
		_, err := tx.Exec(`CREATE TABLE item (id TEXT NOT NULL PRIMARY KEY, runs BIGINT NOT NULL)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return s, f
}

// rows counts the rows of the table item.
func rows(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := s.Read(context.Background(), func(q Querier) error { return q.QueryRow(`SELECT COUNT(*) FROM item`).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUnknownCommitIsAskedAbout loses commits and answers. Each item is stored
// exactly once and answered with success, and run again only when its commit
// did not happen.
func TestUnknownCommitIsAskedAbout(t *testing.T) {
	for name, c := range map[string]struct{ before, after, ask, runs int32 }{
		"answer lost":                     {0, 1, 0, 1},
		"commit lost":                     {1, 0, 0, 2},
		"answers lost three times":        {0, 3, 0, 1}, // of the batch and of two probes
		"commit lost, then its answer":    {1, 2, 0, 2},
		"answer lost, then no connection": {0, 1, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, f := openFaulty(t, func(err error) { t.Errorf("fatal: %v", err) })
			runs := int32(0)
			f.before.Store(c.before)
			f.after.Store(c.after)
			err := s.Do(context.Background(), "test", func(tx *Tx) error {
				runs++
				f.ask.Store(c.ask)
				_, err := tx.Exec(`INSERT INTO item (id, runs) VALUES ('a', $1)`, runs)
				return err
			})
			if err != nil || runs != c.runs || rows(t, s) != 1 {
				t.Errorf("%v after %d runs, %d rows", err, runs, rows(t, s))
			}
			if s.Stats().Probes == 0 {
				t.Error("nobody asked")
			}
		})
	}
}

// TestACallerMayLeaveAnUnknownCommit cuts the line so that the outcome cannot be
// learnt: the caller gets ErrUnknown, and the item is not run behind its back.
func TestACallerMayLeaveAnUnknownCommit(t *testing.T) {
	s, f := openFaulty(t, func(err error) { t.Errorf("fatal: %v", err) })
	ctx, cancel := context.WithCancel(context.Background())
	f.before.Store(1)
	runs := 0
	err := s.Do(ctx, "test", func(tx *Tx) error {
		runs++
		f.ask.Store(1 << 20)
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := tx.Exec(`INSERT INTO item (id, runs) VALUES ('a', 1)`)
		return err
	})
	if !errors.Is(err, ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Fatalf("answer %v", err)
	}
	f.ask.Store(0) // the line is back
	if err := s.Do(context.Background(), "next", func(tx *Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if runs != 1 || rows(t, s) != 0 {
		t.Errorf("%d runs, %d rows", runs, rows(t, s))
	}
}

// TestAnotherProcessUnderTheSameNameEndsThisOne takes the node's row over.
func TestAnotherProcessUnderTheSameNameEndsThisOne(t *testing.T) {
	fatal := make(chan error, 1)
	s, _ := openFaulty(t, func(err error) { fatal <- err })
	if _, err := s.write.Exec(`UPDATE commit_probe SET session = session + 1`); err != nil {
		t.Fatal(err)
	}
	err := s.Do(context.Background(), "test", func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO item (id, runs) VALUES ('a', 1)`)
		return err
	})
	if !errors.Is(err, ErrFenced) || !errors.Is(<-fatal, ErrFenced) || rows(t, s) != 0 {
		t.Errorf("answer %v, %d rows", err, rows(t, s))
	}
	if err := s.Do(context.Background(), "test", func(tx *Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
