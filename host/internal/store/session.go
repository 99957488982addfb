package store

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
)

// maxStatements bounds what one connection prepares. Programs have a fixed set
// of queries; only multi-row inserts vary, by their number of rows.
const maxStatements = 512

// A session is one connection with the statements prepared on it. It is used by
// one goroutine at a time.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func newSession(ctx context.Context, db *sql.DB) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

// stmt prepares query once.
func (s *session) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	if len(s.stmts) >= maxStatements {
		panic("store: too many different statements on one connection: a query is a constant text, values go into arguments")
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("preparing: %w", err)
	}
	s.stmts[query] = st
	return st, nil
}

// drop closes the connection for good, with whatever transaction is open on it.
// Errors of closing say nothing: the connection is given up because it cannot
// be trusted or is not needed, and a commit on it is asked about elsewhere.
func (s *session) drop() {
	for _, st := range s.stmts {
		_ = st.Close()
	}
	_ = s.conn.Raw(func(any) error { return sqldriver.ErrBadConn }) // takes it out of the pool
	_ = s.conn.Close()
}
