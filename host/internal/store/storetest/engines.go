// Package storetest runs tests of the host's storage on every engine: SQLite
// always, and PostgreSQL when the environment variable TALLYSTICK_TEST_POSTGRES
// holds a DSN, as `make accept` sees to.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that makes and drops schemas

	"tallystick.example/host/internal/store"
)

// postgresEnv names the DSN of a PostgreSQL database in which schemas may be
// made and dropped.
const postgresEnv = "TALLYSTICK_TEST_POSTGRES"

// An Engine makes configurations for fresh, empty databases.
type Engine struct {
	Name   string // "sqlite" or "postgres"
	Config func(t testing.TB) store.Config
}

// Engines are the engines to test on.
func Engines() []Engine {
	engines := []Engine{{"sqlite", sqliteConfig}}
	if dsn := os.Getenv(postgresEnv); dsn != "" {
		engines = append(engines, Engine{"postgres", func(t testing.TB) store.Config { return postgresConfig(t, dsn) }})
	}
	return engines
}

// Each runs fn on a fresh store of every engine, migrated with sets.
func Each(t *testing.T, sets []store.Set, fn func(t *testing.T, st *store.Store)) {
	t.Helper()
	for _, e := range Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Config(t)
			cfg.Sets = sets
			fn(t, Open(t, cfg))
		})
	}
}

// Open opens cfg and closes it after the test.
func Open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	st, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func sqliteConfig(t testing.TB) store.Config {
	return store.Config{
		Path: filepath.Join(t.TempDir(), "host.db"), Node: "n1", ReserveMiB: 1,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	}
}

// postgresConfig makes a schema of its own, so that tests do not meet.
func postgresConfig(t testing.TB, dsn string) store.Config {
	t.Helper()
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		t.Fatal(err)
	}
	schema := "tallystick_test_" + hex.EncodeToString(random[:])
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return store.Config{
		DSN: withSchema(dsn, schema), Node: "n1",
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	}
}

// withSchema adds a search path to a DSN of either form.
func withSchema(dsn, schema string) string {
	switch {
	case !strings.Contains(dsn, "://"):
		return dsn + " search_path=" + schema
	case strings.Contains(dsn, "?"):
		return dsn + "&search_path=" + schema
	}
	return dsn + "?search_path=" + schema
}
