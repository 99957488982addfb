package soft

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/internal/pure/secret"
)

func stateKey() secret.Secret { return secret.New(bytes.Repeat([]byte{7}, 32)) }

func newTable(t testing.TB, dir string) *table {
	t.Helper()
	tb, err := openTable(filepath.Join(dir, "t"), 2, stateKey(), true)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func set(tb *table, key byte, value byte) error {
	return tb.change([32]byte{key}, func([]byte) ([]byte, error) { return []byte{value, 1}, nil })
}

func value(t testing.TB, tb *table, key byte) byte {
	t.Helper()
	v, err := tb.get([32]byte{key})
	if err != nil {
		t.Fatal(err)
	}
	if v == nil {
		return 0
	}
	return v[0]
}

// Pulling the plug at every byte leaves what was synced before, and never half
// a record.
func TestTableAfterACrashAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	tb := newTable(t, dir)
	for i := byte(1); i <= 3; i++ {
		if err := set(tb, 9, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := tb.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(tb.path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n <= len(whole); n++ {
		if err := os.WriteFile(tb.path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := openTable(tb.path, 2, stateKey(), false)
		if err != nil {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		if got, want := value(t, again, 9), byte(n/tb.size()); got != want {
			t.Errorf("cut to %d bytes: value %d, want %d", n, got, want)
		}
		if err := set(again, 9, 77); err != nil {
			t.Fatal(err)
		}
		if err := again.close(); err != nil {
			t.Fatal(err)
		}
		third, err := openTable(tb.path, 2, stateKey(), false)
		if err != nil {
			t.Fatalf("after writing on, cut to %d bytes: %v", n, err)
		}
		if value(t, third, 9) != 77 {
			t.Errorf("cut to %d bytes: what was written on is lost", n)
		}
		if err := third.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTableRefusesAChangedFile(t *testing.T) {
	tb := newTable(t, t.TempDir())
	for i := byte(1); i <= 3; i++ {
		if err := set(tb, i, i); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(tb.path)
	if err != nil {
		t.Fatal(err)
	}
	n := tb.size()
	swapped := append(append(bytes.Clone(whole[n:2*n]), whole[:n]...), whole[2*n:]...)
	without := append(bytes.Clone(whole[:n]), whole[2*n:]...)
	flipped := bytes.Clone(whole)
	flipped[n+41] ^= 1
	for name, b := range map[string][]byte{"flipped bit": flipped, "swapped records": swapped, "missing record": without} {
		if err := os.WriteFile(tb.path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openTable(tb.path, 2, stateKey(), false); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(tb.path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openTable(tb.path, 2, secret.New(make([]byte, 32)), false); !errors.Is(err, ErrState) {
		t.Errorf("another key: %v", err)
	}
	other := filepath.Join(filepath.Dir(tb.path), "u")
	if err := os.Rename(tb.path, other); err != nil {
		t.Fatal(err)
	}
	if _, err := openTable(other, 2, stateKey(), false); !errors.Is(err, ErrState) {
		t.Errorf("another table's file: %v", err)
	}
	if _, err := openTable(tb.path, 2, stateKey(), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// A write that failed leaves nothing known: no value may be told any more.
func TestTableStopsAfterAFailedSync(t *testing.T) {
	tb := newTable(t, t.TempDir())
	if err := set(tb, 1, 1); err != nil {
		t.Fatal(err)
	}
	told := 0
	tb.fatal = func(error) { told++ }
	tb.syncing = func(*os.File) error { return errors.New("disk on fire") }
	if err := set(tb, 1, 2); err == nil {
		t.Fatal("a failed sync was taken for done")
	}
	tb.syncing = (*os.File).Sync
	if err := set(tb, 1, 3); err == nil {
		t.Error("the table went on")
	}
	if _, err := tb.get([32]byte{1}); err == nil {
		t.Error("the table still answers")
	}
	if told != 1 {
		t.Errorf("the failure was told %d times", told)
	}
}

func TestTableCompacts(t *testing.T) {
	tb := newTable(t, t.TempDir())
	tb.syncing = func(*os.File) error { return nil } // 4,000 syncs prove nothing here
	for i := range compactAbove + 10 {
		if err := set(tb, byte(i%2), byte(i%200+1)); err != nil {
			t.Fatal(err)
		}
	}
	i, err := os.Stat(tb.path)
	if err != nil {
		t.Fatal(err)
	}
	if i.Size() > int64(20*tb.size()) || tb.records > 20 {
		t.Errorf("%d records in %d bytes after compaction", tb.records, i.Size())
	}
	want := value(t, tb, 0)
	if err := tb.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openTable(tb.path, 2, stateKey(), false)
	if err != nil || value(t, again, 0) != want || len(again.live) != 2 {
		t.Errorf("after compaction: %v", err)
	}
}

// Any mix of changes and restarts behaves like a map.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		tb := newTable(t, dir)
		tb.syncing = func(*os.File) error { return nil }
		model := map[byte]byte{}
		r.Repeat(map[string]func(*rapid.T){
			"set": func(r *rapid.T) {
				k, v := rapid.Byte().Draw(r, "key")%4, rapid.ByteRange(1, 9).Draw(r, "value")
				if err := set(tb, k, v); err != nil {
					r.Fatal(err)
				}
				model[k] = v
			},
			"delete": func(r *rapid.T) {
				k := rapid.Byte().Draw(r, "key") % 4
				if err := tb.change([32]byte{k}, func([]byte) ([]byte, error) { return make([]byte, 2), nil }); err != nil {
					r.Fatal(err)
				}
				delete(model, k)
			},
			"restart": func(r *rapid.T) {
				if err := tb.close(); err != nil {
					r.Fatal(err)
				}
				var err error
				if tb, err = openTable(tb.path, 2, stateKey(), false); err != nil {
					r.Fatal(err)
				}
				tb.syncing = func(*os.File) error { return nil }
			},
			"": func(r *rapid.T) {
				for k := byte(0); k < 4; k++ {
					if value(t, tb, k) != model[k] {
						r.Fatalf("key %d is %d, want %d", k, value(t, tb, k), model[k])
					}
				}
			},
		})
	})
}
