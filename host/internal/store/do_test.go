package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// TestAWaitingItemCanBeWithdrawn and a running one is waited for.
func TestAWaitingItemCanBeWithdrawn(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		release := hold(t, st)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- st.Do(ctx, "late", insert("late", 1)) }()
		waitFor(st, 1)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("withdrawn: %v", err)
		}
		release()
		running, stop := context.WithCancel(context.Background())
		err := st.Do(running, "running", func(tx *store.Tx) error {
			stop()
			return insert("running", 1)(tx)
		})
		if err != nil && !errors.Is(err, store.ErrUnknown) {
			t.Errorf("an item that ran answered %v", err)
		}
		if err := st.Do(context.Background(), "after", insert("after", 1)); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, st); len(got) != 2 || got["running"] != 1 || got["after"] != 1 {
			t.Errorf("rows %v", got)
		}
		if err := st.Do(ctx, "never", insert("never", 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

// TestQueuesAreBounded and sales never keep a reversal out.
func TestQueuesAreBounded(t *testing.T) {
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Config(t)
			cfg.Sets, cfg.QueueLimit = sets(), 3
			st := storetest.Open(t, cfg)
			release := hold(t, st)
			var order []string
			var wg sync.WaitGroup
			step := func(id string) func(*store.Tx) error {
				return func(*store.Tx) error { order = append(order, id); return nil }
			}
			for i := range 3 {
				wg.Go(func() {
					if err := st.DoSale(context.Background(), "sale", step("sale")); err != nil {
						t.Error(err)
					}
				})
				waitFor(st, i+1)
			}
			if err := st.DoSale(context.Background(), "sale", step("no")); !errors.Is(err, store.ErrBusy) {
				t.Errorf("a fourth sale: %v", err)
			}
			wg.Go(func() {
				if err := st.Do(context.Background(), "reversal", step("reversal")); err != nil {
					t.Error(err)
				}
			})
			waitFor(st, 4)
			release()
			wg.Wait()
			if fmt.Sprint(order) != "[reversal sale sale sale]" {
				t.Errorf("order %v", order)
			}
		})
	}
}

// TestConcurrentTransfersAddUp moves amounts between items from many goroutines,
// by reading and writing in the serial step, some of them refused.
func TestConcurrentTransfersAddUp(t *testing.T) {
	refused := errors.New("not enough")
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			name := func(n int) string { return fmt.Sprintf("%d/%d", round, n) }
			for n := range 3 {
				if err := st.Do(context.Background(), "open", insert(name(n), 10)); err != nil {
					t.Fatal(err)
				}
			}
			moves := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [3]int {
				return [3]int{rapid.IntRange(0, 2).Draw(t, "from"), rapid.IntRange(0, 2).Draw(t, "to"), rapid.IntRange(1, 9).Draw(t, "amount")}
			}), 1, 12).Draw(t, "moves")
			var wg sync.WaitGroup
			errs := make([]error, len(moves))
			for i, m := range moves {
				wg.Go(func() {
					errs[i] = st.Do(context.Background(), "move", func(tx *store.Tx) error {
						if _, err := tx.Exec(`UPDATE item SET amount = amount - $2 WHERE id = $1`, name(m[0]), m[2]); err != nil {
							return err
						}
						if _, err := tx.Exec(`UPDATE item SET amount = amount + $2 WHERE id = $1`, name(m[1]), m[2]); err != nil {
							return err
						}
						var left int64
						if err := tx.QueryRow(`SELECT amount FROM item WHERE id = $1`, name(m[0])).Scan(&left); err != nil {
							return err
						}
						if left < 0 {
							return refused
						}
						return nil
					})
				})
			}
			wg.Wait()
			want := [3]int64{10, 10, 10}
			for i, m := range moves {
				if errs[i] == nil {
					want[m[0]] -= int64(m[2])
					want[m[1]] += int64(m[2])
				} else if !errors.Is(errs[i], refused) {
					t.Fatal(errs[i])
				}
			}
			got := [3]int64{}
			err := st.Read(context.Background(), func(q store.Querier) error {
				for n := range got {
					if err := q.QueryRow(`SELECT amount FROM item WHERE id = $1`, name(n)).Scan(&got[n]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil || got != want || min(got[0], got[1], got[2]) < 0 {
				t.Fatalf("balances %v, want %v: %v", got, want, err)
			}
		})
	})
}

// TestClose finishes what waits, and refuses afterwards.
func TestClose(t *testing.T) {
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Config(t)
			cfg.Sets = sets()
			st := storetest.Open(t, cfg)
			release := hold(t, st)
			done := make(chan error, 1)
			go func() { done <- st.Do(context.Background(), "waiting", insert("a", 1)) }()
			waitFor(st, 1)
			closed := make(chan error, 1)
			go func() { closed <- st.Close() }()
			release()
			if err := errors.Join(<-done, <-closed); err != nil {
				t.Error(err)
			}
			if err := st.Do(context.Background(), "after", insert("b", 1)); !errors.Is(err, store.ErrClosed) {
				t.Errorf("Do after Close: %v", err)
			}
			if err := st.Read(context.Background(), func(store.Querier) error { return nil }); !errors.Is(err, store.ErrClosed) {
				t.Errorf("Read after Close: %v", err)
			}
			again := storetest.Open(t, cfg)
			if got := ids(t, again); len(got) != 1 {
				t.Errorf("stored %v", got)
			}
		})
	}
}

// TestATxIsNotKept catches a Tx, and arguments, that would go wrong silently.
func TestATxIsNotKept(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		var kept *store.Tx
		if err := st.Do(context.Background(), "keep", func(tx *store.Tx) error { kept = tx; return nil }); err != nil {
			t.Fatal(err)
		}
		for name, fn := range map[string]func(){
			"kept": func() { _, _ = kept.Exec(`DELETE FROM item`) },
			"bool": func() {
				_ = st.Do(context.Background(), "bool", func(tx *store.Tx) error { _, err := tx.Exec(`DELETE FROM item WHERE id = $1`, true); return err })
			},
			"large": func() {
				_ = st.Do(context.Background(), "large", func(tx *store.Tx) error {
					_, err := tx.Exec(`DELETE FROM item WHERE amount = $1`, uint64(1)<<63)
					return err
				})
			},
			"values": func() { store.Values(0, 2) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				fn()
			}()
		}
	})
}
