package storetest

import (
	"context"
	"testing"

	"tallystick.example/host/internal/store"
)

// Disarm takes the triggers off tables, as somebody who owns the database file
// or is the database's administrator can: for tests of what is found afterwards.
func Disarm(t testing.TB, st *store.Store, tables ...string) {
	t.Helper()
	err := st.Do(context.Background(), "storetest.disarm", func(tx *store.Tx) error {
		for _, table := range tables {
			if st.Engine() == "postgres" {
				if _, err := tx.Exec("ALTER TABLE " + table + " DISABLE TRIGGER USER"); err != nil {
					return err
				}
				continue
			}
			var triggers []string
			err := tx.Each(func(scan store.Scan) error {
				var name string
				err := scan(&name)
				triggers = append(triggers, name)
				return err
			}, `SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = $1`, table)
			if err != nil {
				return err
			}
			for _, name := range triggers {
				if _, err := tx.Exec("DROP TRIGGER " + name); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Exec runs one statement in a commit of its own.
func Exec(t testing.TB, st *store.Store, query string, args ...any) {
	t.Helper()
	err := st.Do(context.Background(), "storetest.exec", func(tx *store.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
