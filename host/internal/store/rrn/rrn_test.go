package rrn

import (
	"context"
	"errors"
	"sync"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

func sets() []store.Set { return []store.Set{Migrations()} }

func TestColumns(t *testing.T) { storetest.Columns(t, sets()...) }

// TestNumbersAreUnique takes numbers from two nodes' allocators at once, and
// again after a restart of both.
func TestNumbersAreUnique(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		var mu sync.Mutex
		seen := map[string]bool{}
		for range 2 {
			nodes := []*Allocator{New(st, 3), New(st, 7)}
			var wg sync.WaitGroup
			for _, a := range nodes {
				for range 8 {
					wg.Go(func() {
						for range 10 {
							n, err := a.Next(context.Background())
							mu.Lock()
							if err != nil || len(n) != 12 || seen[n] {
								t.Errorf("got %q again %v, %v", n, seen[n], err)
							}
							seen[n] = true
							mu.Unlock()
						}
					})
				}
			}
			wg.Wait()
		}
		if len(seen) != 2*2*8*10 {
			t.Errorf("%d numbers", len(seen))
		}
	})
}

func TestTheEndIsSaid(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		storetest.Exec(t, st, `UPDATE rrn_next SET next = 999999999998`)
		a := New(st, 2)
		for _, want := range []string{"999999999998", "999999999999"} {
			if n, err := a.Next(context.Background()); n != want || err != nil {
				t.Fatalf("%q, %v", n, err)
			}
		}
		for range 2 { // and it stays the end
			if n, err := a.Next(context.Background()); !errors.Is(err, ErrSpent) {
				t.Errorf("%q, %v", n, err)
			}
		}
	})
}

func TestNextWatchesItsContext(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := New(st, 2).Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
