package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Querier reads: inside a write (Tx) or in a snapshot (Read).
type Querier interface {
	// QueryRow reads one row; Scan answers sql.ErrNoRows when there is none.
	QueryRow(query string, args ...any) Row
	// Each calls row for every row of the result; an error of row ends it and is
	// returned.
	Each(row func(scan Scan) error, query string, args ...any) error
}

// Scan fills dst from the current row.
type Scan func(dst ...any) error

// A Row is the answer to QueryRow.
type Row struct {
	row  *sql.Row
	err  error
	note func(error) error // sees the error on its way to the caller
}

// Scan fills dst, or answers sql.ErrNoRows.
func (r Row) Scan(dst ...any) error {
	if r.err != nil {
		return r.note(r.err)
	}
	return r.note(r.row.Scan(dst...))
}

// queries runs prepared statements in the transaction that is open on a session.
type queries struct {
	ctx     context.Context
	session *session
	note    func(error) error // sees every error of the database
}

func (q *queries) exec(query string, args []any) (int64, error) {
	s, err := q.session.stmt(q.ctx, query)
	if err != nil {
		return 0, q.note(err)
	}
	res, err := s.ExecContext(q.ctx, normalize(args)...)
	if err != nil {
		return 0, q.note(err)
	}
	n, err := res.RowsAffected()
	return n, q.note(err)
}

func (q *queries) queryRow(query string, args []any) Row {
	s, err := q.session.stmt(q.ctx, query)
	if err != nil {
		return Row{err: err, note: q.note}
	}
	return Row{row: s.QueryRowContext(q.ctx, normalize(args)...), note: q.note}
}

func (q *queries) each(row func(Scan) error, query string, args []any) (err error) {
	s, err := q.session.stmt(q.ctx, query)
	if err != nil {
		return q.note(err)
	}
	rows, err := s.QueryContext(q.ctx, normalize(args)...)
	if err != nil {
		return q.note(err)
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = q.note(cerr)
		}
	}()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return q.note(rows.Err())
}

// normalize gives both drivers the same few types. Another type is an error of
// the program: a bool or a time would be stored differently by the engines.
func normalize(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case nil, string, int64, float64:
			out[i] = v
		case []byte:
			if v != nil {
				out[i] = v
			}
		case int:
			out[i] = int64(v)
		case int32:
			out[i] = int64(v)
		case uint8:
			out[i] = int64(v)
		case uint16:
			out[i] = int64(v)
		case uint32:
			out[i] = int64(v)
		case uint64:
			if v > math.MaxInt64 {
				panic("store: argument above the range of BIGINT")
			}
			out[i] = int64(v)
		default:
			panic(fmt.Sprintf("store: argument %d has type %T, want string, []byte, an integer, float64 or nil", i+1, a))
		}
	}
	return out
}

// Values writes the placeholder lists of a multi-row insert, such as
// ($1,$2),($3,$4) for 2 rows of 2 columns. Both are at least 1.
func Values(rows, columns int) string {
	if rows < 1 || columns < 1 {
		panic("store: Values needs at least one row and one column")
	}
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		for c := range columns {
			b.WriteString(separator(c))
			b.WriteString(strconv.Itoa(r*columns + c + 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// separator stands before placeholder c of a list.
func separator(c int) string {
	if c == 0 {
		return "($"
	}
	return ",$"
}
