package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"tallystick.example/host/internal/store"
)

// errUndo rolls an item back that was only a question.
var errUndo = errors.New("undo")

// a column of a table, with its declared type.
type column struct{ table, name, kind string }

// Columns checks every column of every table of sets, on every engine: its type
// is one of the four that both engines store alike, and leading zeros, empty
// values and the ends of the range of BIGINT come back as they went in.
func Columns(t *testing.T, sets ...store.Set) {
	t.Helper()
	for _, e := range Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Config(t)
			cfg.Sets = sets
			st := Open(t, cfg)
			tables := map[string][]column{}
			for _, c := range columns(t, st, e.Name) {
				if !strings.HasPrefix(c.table, "schema_") && !strings.HasPrefix(c.table, "sqlite_") {
					tables[c.table] = append(tables[c.table], c)
				}
			}
			if len(tables) == 0 {
				t.Fatal("no tables found")
			}
			for name, cs := range tables {
				shadow(t, st, name, cs)
			}
		})
	}
}

// columns asks the engine for what it made of the migrations.
func columns(t *testing.T, st *store.Store, engine string) []column {
	t.Helper()
	query := `SELECT m.name, p.name, p.type FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'`
	if engine == "postgres" {
		query = `SELECT table_name::TEXT, column_name::TEXT, data_type::TEXT FROM information_schema.columns WHERE table_schema = current_schema()`
	}
	var cs []column
	err := st.Read(context.Background(), func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			var c column
			err := scan(&c.table, &c.name, &c.kind)
			c.kind = strings.ToUpper(c.kind)
			cs = append(cs, c)
			return err
		}, query)
	})
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

// shadow makes a table of the same column types without constraints, passes
// values through it, and rolls it back.
func shadow(t *testing.T, st *store.Store, table string, cs []column) {
	t.Helper()
	err := st.Do(context.Background(), "storetest.columns", func(tx *store.Tx) error {
		var defs, names []string
		for _, c := range cs {
			defs = append(defs, c.name+" "+c.kind)
			names = append(names, c.name)
		}
		if _, err := tx.Exec("CREATE TABLE shadow_" + table + " (" + strings.Join(defs, ", ") + ")"); err != nil {
			return err
		}
		for round := range 3 {
			if err := pass(tx, "shadow_"+table, names, cs, round); err != nil {
				return err
			}
			if _, err := tx.Exec("DELETE FROM shadow_" + table); err != nil {
				return err
			}
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Errorf("table %s: %v", table, err)
	}
}

// pass sends one row through and compares.
func pass(tx *store.Tx, table string, names []string, cs []column, round int) error {
	args, back := make([]any, len(cs)), make([]any, len(cs))
	for i, c := range cs {
		switch c.kind {
		case "TEXT":
			args[i], back[i] = []string{"000123", "", "1e5"}[round], new(string)
		case "BYTEA":
			args[i], back[i] = [][]byte{[]byte("0012"), {}, {0, 0, 0xFF, 0}}[round], new([]byte)
		case "BIGINT":
			args[i], back[i] = []int64{math.MaxInt64, 0, math.MinInt64}[round], new(int64)
		case "DOUBLE PRECISION":
			args[i], back[i] = []float64{0.1, 0, -1e300}[round], new(float64)
		default:
			return fmt.Errorf("column %s has type %q, want TEXT, BYTEA, BIGINT or DOUBLE PRECISION", c.name, c.kind)
		}
	}
	list := strings.Join(names, ", ")
	if _, err := tx.Exec("INSERT INTO "+table+" ("+list+") VALUES "+store.Values(1, len(cs)), args...); err != nil {
		return err
	}
	if err := tx.QueryRow("SELECT " + list + " FROM " + table).Scan(back...); err != nil {
		return err
	}
	for i, c := range cs {
		var same bool
		switch got := back[i].(type) {
		case *string:
			same = *got == args[i]
		case *[]byte:
			same = bytes.Equal(*got, args[i].([]byte))
		case *int64:
			same = *got == args[i]
		case *float64:
			same = *got == args[i]
		}
		if !same {
			return fmt.Errorf("column %s: %v did not come back", c.name, args[i])
		}
	}
	return nil
}
