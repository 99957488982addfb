package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// maxReaders bounds the connections that read at the same time.
const maxReaders = 8

// snapshot is the Querier of Read.
type snapshot struct{ q queries }

func (s *snapshot) QueryRow(query string, args ...any) Row { return s.q.queryRow(query, args) }

func (s *snapshot) Each(row func(scan Scan) error, query string, args ...any) error {
	return s.q.each(row, query, args)
}

// Read runs fn in a read-only snapshot, on a connection of its own: it neither
// waits for the writer nor holds it up. What it sees may be overtaken at once,
// so nothing is decided on it (rule 9). ctx bounds the wait for a connection and
// its queries; fn's error is returned as it is.
//
// Eight Reads run at the same time; fn must not call Read itself.
func (s *Store) Read(ctx context.Context, fn func(q Querier) error) error {
	var slot *session
	select {
	case slot = <-s.readers:
	case <-ctx.Done():
		return fmt.Errorf("store: waiting to read: %w", ctx.Err())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the transaction even when fn panics
	slot, tx, err := s.beginRead(ctx, slot)
	if err != nil {
		s.readers <- slot
		return fmt.Errorf("store: beginning to read: %w", err)
	}
	lost := true // also when fn panics
	defer func() {
		if lost {
			slot.drop()
			slot = nil
		}
		s.readers <- slot
	}()
	q := &snapshot{q: queries{ctx: ctx, session: slot, note: func(err error) error { return err }}}
	err = fn(q)
	// A cancelled ctx has ended the transaction already; then, and after any
	// other failure, the connection is not worth keeping.
	rerr := tx.Rollback()
	lost = rerr != nil || (err != nil && s.engine.classify(err) != classItem)
	if err == nil && rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
		err = fmt.Errorf("store: ending to read: %w", rerr)
	}
	return err
}

// beginRead begins on slot, or on a fresh connection when slot is nil or its
// connection has died while it was idle.
func (s *Store) beginRead(ctx context.Context, slot *session) (*session, *sql.Tx, error) {
	if slot != nil {
		tx, err := slot.conn.BeginTx(ctx, s.engine.readOptions())
		if err == nil {
			return slot, tx, nil
		}
		slot.drop()
	}
	if s.isClosed() {
		return nil, nil, ErrClosed
	}
	slot, err := newSession(ctx, s.read)
	if err != nil {
		return nil, nil, err
	}
	tx, err := slot.conn.BeginTx(ctx, s.engine.readOptions())
	if err != nil {
		slot.drop()
		return nil, nil, err
	}
	return slot, tx, nil
}

// isClosed reports whether Close was called.
func (s *Store) isClosed() bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	return s.closed
}
