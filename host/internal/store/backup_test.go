package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// TestBackup copies a store that goes on writing.
func TestBackup(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		path := filepath.Join(t.TempDir(), "backup.db")
		var acked []string
		for i := range 50 {
			acked = append(acked, fmt.Sprint(i))
			if err := st.Do(context.Background(), "item", insert(acked[i], 1)); err != nil {
				t.Fatal(err)
			}
		}
		release := hold(t, st) // a transaction is open, and not in the copy
		err := st.Backup(context.Background(), path)
		release()
		if st.Engine() == "postgres" {
			if !errors.Is(err, store.ErrServerBackup) {
				t.Errorf("answer %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if n := missing(t, path, acked); n != 0 {
			t.Errorf("%d of %d items are not in the backup", n, len(acked))
		}
		if err := st.Backup(context.Background(), path); err == nil {
			t.Error("a backup was overwritten")
		}
		if err := st.Backup(context.Background(), filepath.Join(path, "x")); err == nil {
			t.Error("a backup went nowhere")
		}
		if left, err := filepath.Glob(path + "*.part"); err != nil || len(left) != 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	})
}
