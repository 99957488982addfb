package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tallystick.example/host/internal/store"
)

func TestWithSchema(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://h/db":           "postgres://h/db?search_path=s",
		"postgres://h/db?sslmode=x": "postgres://h/db?sslmode=x&search_path=s",
		"host=h dbname=db":          "host=h dbname=db search_path=s",
	} {
		if got := withSchema(dsn, "s"); got != want {
			t.Errorf("%s: %s", dsn, got)
		}
	}
}

// TestColumnsSeesWhatEnginesWouldChange passes a column that keeps its values, a
// type that is not allowed, and one whose affinity eats zeros on SQLite.
func TestColumnsSeesWhatEnginesWouldChange(t *testing.T) {
	Each(t, nil, func(t *testing.T, st *store.Store) {
		if st.Engine() != "sqlite" {
			return // PostgreSQL refuses the third by itself
		}
		err := st.Do(context.Background(), "test", func(tx *store.Tx) error {
			if _, err := tx.Exec(`CREATE TABLE shadow_x (a TEXT, b BOOLEAN, c NUMERIC)`); err != nil {
				return err
			}
			for _, c := range []struct {
				col  column
				want string
			}{{column{"x", "a", "TEXT"}, ""}, {column{"x", "b", "BOOLEAN"}, "has type"}, {column{"x", "c", "TEXT"}, "did not come back"}} {
				err := pass(tx, "shadow_x", []string{c.col.name}, []column{c.col}, 0)
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v: %v", c.col, err)
				}
				if _, err := tx.Exec(`DELETE FROM shadow_x`); err != nil {
					return err
				}
			}
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			t.Error(err)
		}
	})
}
