package store_test

import (
	"context"
	"os"
	"runtime"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// sets has a few tables to write to.
func sets() []store.Set {
	return []store.Set{{Name: "bench", FS: os.DirFS("testdata/migrations")}}
}

// insert is an item that stores id.
func insert(id string, amount int64) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO item (id, amount) VALUES ($1, $2)`, id, amount)
		return err
	}
}

// ids reads what is stored.
func ids(t testing.TB, st *store.Store) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	err := st.Read(context.Background(), func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			var id string
			var amount int64
			err := scan(&id, &amount)
			got[id] = amount
			return err
		}, `SELECT id, amount FROM item`)
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// hold keeps the writer busy until the answer is called, so that what is done
// meanwhile lands in one batch.
func hold(t testing.TB, st *store.Store) (release func()) {
	t.Helper()
	started, end := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- st.Do(context.Background(), "hold", func(*store.Tx) error {
			close(started)
			<-end
			return nil
		})
	}()
	<-started
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// waitFor returns once n items wait in the queue.
func waitFor(st *store.Store, n int) {
	for st.Stats().Waiting < n {
		runtime.Gosched()
	}
}

func TestColumns(t *testing.T) { storetest.Columns(t, sets()...) }
