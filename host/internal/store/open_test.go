package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

func TestConfigIsChecked(t *testing.T) {
	fatal := func(error) {}
	for name, c := range map[string]struct {
		cfg  store.Config
		want string
	}{
		"nothing":      {store.Config{Node: "n1", Fatal: fatal}, "either"},
		"both":         {store.Config{Path: "a", DSN: "b", Node: "n1", Fatal: fatal}, "either"},
		"no node":      {store.Config{Path: "a", Fatal: fatal}, "node name"},
		"long node":    {store.Config{Path: "a", Node: strings.Repeat("n", 17), Fatal: fatal}, "node name"},
		"node":         {store.Config{Path: "a", Node: "n/1", Fatal: fatal}, "node name"},
		"no fatal":     {store.Config{Path: "a", Node: "n1"}, "Fatal"},
		"no sync":      {store.Config{Path: "a", Node: "n1", Fatal: fatal, UnsafeNoSync: true}, "lab"},
		"batch":        {store.Config{Path: "a", Node: "n1", Fatal: fatal, MaxBatch: 1025}, "MaxBatch"},
		"queue":        {store.Config{Path: "a", Node: "n1", Fatal: fatal, QueueLimit: -1}, "QueueLimit"},
		"DSN":          {store.Config{DSN: "postgres://user:s3cret@host:port/db", Node: "n1", Fatal: fatal}, "cannot be read"},
		"no directory": {store.Config{Path: "/nowhere/at/all/host.db", Node: "n1", Fatal: fatal}, "lock file"},
		"missing file": {store.Config{Path: filepath.Join(t.TempDir(), "none.db"), ReadOnly: true}, "reaching"},
	} {
		st, err := store.Open(context.Background(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
		if st != nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// TestOneWriter lets one process write and others read meanwhile.
func TestOneWriter(t *testing.T) {
	cfg := store.Config{Path: filepath.Join(t.TempDir(), "host.db"), Node: "n1", Sets: sets(), ReserveMiB: 1, Fatal: func(err error) { t.Error(err) }}
	st := storetest.Open(t, cfg)
	if _, err := store.Open(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second writer: %v", err)
	}
	if err := st.Do(context.Background(), "a", insert("a", 1)); err != nil {
		t.Fatal(err)
	}
	reader := storetest.Open(t, store.Config{Path: cfg.Path, ReadOnly: true})
	if got := ids(t, reader); got["a"] != 1 {
		t.Errorf("read %v", got)
	}
	if err := reader.Do(context.Background(), "b", insert("b", 1)); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("a reader wrote: %v", err)
	}
	err := reader.Read(context.Background(), func(q store.Querier) error {
		return q.QueryRow(`DELETE FROM item RETURNING id`).Scan(new(string))
	})
	if err == nil || len(ids(t, st)) != 1 {
		t.Errorf("a snapshot wrote: %v", err)
	}
	for _, name := range []string{"host.db", "host.db-wal", "host.db.reserve"} {
		info, err := os.Stat(filepath.Join(filepath.Dir(cfg.Path), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, mode %v", name, err, info)
		}
	}
}

// TestASnapshotStands reads the same twice while the writer goes on.
func TestASnapshotStands(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		err := st.Read(context.Background(), func(q store.Querier) error {
			for range 2 {
				var n int
				if err := q.QueryRow(`SELECT COUNT(*) FROM item`).Scan(&n); err != nil || n != 0 {
					t.Errorf("%d rows, %v", n, err)
				}
				if err := st.Do(context.Background(), "x", func(tx *store.Tx) error {
					_, err := tx.Exec(`INSERT INTO item (id, amount) VALUES ('x', 1) ON CONFLICT (id) DO NOTHING`)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(ids(t, st)) != 1 {
			t.Error(err)
		}
		stop := errors.New("enough")
		err = st.Read(context.Background(), func(q store.Querier) error {
			return q.Each(func(store.Scan) error { return stop }, `SELECT id FROM item`)
		})
		if !errors.Is(err, stop) {
			t.Errorf("Each answered %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := st.Read(ctx, func(store.Querier) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

// files makes a migration set of one file for each name and text.
func files(pairs ...string) store.Set {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + pairs[i+1])}
	}
	return store.Set{Name: "extra", FS: m}
}

func TestMigrations(t *testing.T) {
	one, two := "CREATE TABLE one (a TEXT);", "CREATE TABLE two (a TEXT);"
	newer := files("00001_one.sql", one, "00002_two.sqlite.sql", two, "00002_two.postgres.sql", two)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Config(t)
			for _, step := range []struct {
				sets []store.Set
				want string
			}{
				{[]store.Set{files("00001_one.sql", one)}, ""},
				{[]store.Set{newer}, ""},
				{[]store.Set{newer}, ""},
				{[]store.Set{files("00001_one.sql", one)}, "newer release"},
				{[]store.Set{newer, newer}, "twice"},
				{[]store.Set{{Name: "Bad Name", FS: newer.FS}}, "lower-case"},
				{[]store.Set{files("00001_one.sql", one, "00002_two.sqlite.sql", two)}, "no twin"},
				{[]store.Set{newer, {Name: "broken", FS: files("00001_x.sql", "CREATE TABEL x;").FS}}, "broken"},
			} {
				cfg.Sets = step.sets
				st, err := store.Open(context.Background(), cfg)
				if (err == nil) != (step.want == "") || (err != nil && !strings.Contains(err.Error(), step.want)) {
					t.Errorf("want %q: %v", step.want, err)
				}
				if st != nil {
					if err := st.Close(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}
