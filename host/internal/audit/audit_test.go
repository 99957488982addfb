package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
	"tallystick.example/internal/hsm/api"
)

func sets() []store.Set { return []store.Set{Migrations()} }

func TestColumns(t *testing.T) { storetest.Columns(t, sets()...) }

// A boundary signs as the HSM boundary does, without its memory.
type boundary struct {
	pub  ed25519.PublicKey
	priv ed25519.PrivateKey
}

func newBoundary(t testing.TB) boundary {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return boundary{pub, priv}
}

func (b boundary) sign(_ context.Context, node string, boot, count uint64, head [32]byte) (api.Checkpoint, error) {
	c := api.Checkpoint{Node: node, Boot: boot, Count: count, Head: head}
	c.Signature = ed25519.Sign(b.priv, api.CheckpointBytes(c))
	return c, nil
}

func open(t testing.TB, st *store.Store) *Log {
	t.Helper()
	l, err := Open(context.Background(), st, 1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// add appends n entries, each in a commit of its own.
func add(t testing.TB, st *store.Store, l *Log, n int, kind string) {
	t.Helper()
	for i := range n {
		err := st.Do(context.Background(), "test", func(tx *store.Tx) error {
			_, err := l.Append(tx, Entry{Kind: kind, Actor: "terminal:T0000001", Object: fmt.Sprintf("%012d", i), At: int64(i)})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func checkpoint(t testing.TB, l *Log, b boundary) api.Checkpoint {
	t.Helper()
	c, err := l.Checkpoint(context.Background(), b.sign, 7)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func verify(t testing.TB, st *store.Store, b boundary, external ...api.Checkpoint) Result {
	t.Helper()
	r, err := Verify(context.Background(), st, b.pub, external)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestChainOverBatchesAndBoots appends from many goroutines, rolls some back,
// restarts, and expects one chain without a gap.
func TestChainOverBatchesAndBoots(t *testing.T) {
	refused := errors.New("refused")
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg, b := e.Config(t), newBoundary(t)
			cfg.Sets = sets()
			var external []api.Checkpoint
			want := uint64(0)
			for boot := uint64(1); boot <= 3; boot++ {
				st, err := store.Open(context.Background(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				l := open(t, st)
				if l.Boot() != boot {
					t.Fatalf("boot %d, want %d", l.Boot(), boot)
				}
				var wg sync.WaitGroup
				for i := range 40 {
					wg.Go(func() {
						err := st.Do(context.Background(), "test", func(tx *store.Tx) error {
							if _, err := l.Append(tx, Entry{Kind: "k", Actor: "a", Object: fmt.Sprint(i)}); err != nil {
								return err
							}
							if i%4 == 0 {
								return refused
							}
							return nil
						})
						if (i%4 == 0) != errors.Is(err, refused) {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				c, err := l.Stop(context.Background(), b.sign, 9)
				if err != nil {
					t.Fatal(err)
				}
				want += 1 + 30 + 1
				if c.Count != want || c.Boot != boot {
					t.Fatalf("checkpoint of %d in boot %d, want %d in %d", c.Count, c.Boot, want, boot)
				}
				if got, ok := l.Newest(); !ok || got.Count != c.Count {
					t.Errorf("newest %v, %v", got.Count, ok)
				}
				external = append(external, c)
				r := verify(t, st, b, external...)
				if !r.OK() || len(r.Chains) != 1 || r.Chains[0] != (Chain{"n1", boot, want, boot, boot, want}) {
					t.Fatalf("verify: %+v", r)
				}
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestEntriesAreCheckedAndImmutable(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		l, b := open(t, st), newBoundary(t)
		checkpoint(t, l, b)
		for name, e := range map[string]Entry{
			"no kind":     {Actor: "a"},
			"no actor":    {Kind: "k"},
			"long object": {Kind: "k", Actor: "a", Object: strings.Repeat("x", 121)},
			"long detail": {Kind: "k", Actor: "a", Detail: strings.Repeat("x", 4097)},
			"zero byte":   {Kind: "k", Actor: "a", Detail: "a\x00b"},
			"not UTF-8":   {Kind: "k\xff", Actor: "a"},
		} {
			err := st.Do(context.Background(), "test", func(tx *store.Tx) error { _, err := l.Append(tx, e); return err })
			if !errors.Is(err, ErrEntry) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, table := range []string{"audit_boot", "audit_entry", "audit_checkpoint"} {
			for _, query := range []string{"UPDATE " + table + " SET boot = 9", "DELETE FROM " + table} {
				err := st.Do(context.Background(), "test", func(tx *store.Tx) error { _, err := tx.Exec(query); return err })
				if err == nil {
					t.Errorf("went through: %s", query)
				}
			}
		}
		if r := verify(t, st, b); !r.OK() || r.Chains[0].Entries != 1 {
			t.Errorf("verify: %+v", r)
		}
	})
}

// TestAnotherProcessIsNoticed has two logs continue one chain.
func TestAnotherProcessIsNoticed(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		old := open(t, st)
		open(t, st)
		err := st.Do(context.Background(), "test", func(tx *store.Tx) error {
			_, err := old.Append(tx, Entry{Kind: "k", Actor: "a"})
			return err
		})
		if !errors.Is(err, ErrFenced) {
			t.Errorf("the older log went on: %v", err)
		}
	})
}

func TestABoundaryThatSignsSomethingElseIsRefused(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		l, b := open(t, st), newBoundary(t)
		_, err := l.Checkpoint(context.Background(), func(ctx context.Context, node string, boot, count uint64, head [32]byte) (api.Checkpoint, error) {
			return b.sign(ctx, node, boot, count+1, head)
		}, 1)
		if _, ok := l.Newest(); err == nil || ok {
			t.Errorf("accepted: %v", err)
		}
	})
}
