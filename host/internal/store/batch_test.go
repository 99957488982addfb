package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// together runs fns as items of one batch, in order, and gives their errors.
func together(t *testing.T, st *store.Store, fns ...func(*store.Tx) error) []error {
	t.Helper()
	release := hold(t, st)
	errs := make([]error, len(fns))
	var wg sync.WaitGroup
	for i, fn := range fns {
		wg.Go(func() { errs[i] = st.Do(context.Background(), fmt.Sprintf("item%d", i), fn) })
		waitFor(st, i+1)
	}
	release()
	wg.Wait()
	return errs
}

func TestItemsOfABatchSeeThoseBefore(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		before := st.Stats().Batches
		var seen [3]int64
		var fns []func(*store.Tx) error
		for i := range seen {
			fns = append(fns, func(tx *store.Tx) error {
				if err := tx.QueryRow(`SELECT COUNT(*) FROM item`).Scan(&seen[i]); err != nil {
					return err
				}
				return insert(fmt.Sprint(i), 1)(tx)
			})
		}
		if err := errors.Join(together(t, st, fns...)...); err != nil {
			t.Fatal(err)
		}
		if seen != [3]int64{0, 1, 2} {
			t.Errorf("items saw %v rows", seen)
		}
		if n := st.Stats().Batches - before; n != 2 { // the held one and ours
			t.Errorf("%d commits, want 2", n)
		}
	})
}

// TestARefusedItemTakesOnlyItsOwnWrites covers errors, refusals of the database,
// swallowed ones and panics, with rows, values and hooks.
func TestARefusedItemTakesOnlyItsOwnWrites(t *testing.T) {
	refusal := errors.New("declined")
	type key struct{}
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		var hooks []string
		step := func(id string, then func(tx *store.Tx) error) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				last, _ := tx.Value(key{}).(string)
				tx.SetValue(key{}, last+id)
				tx.AfterCommit(func() { hooks = append(hooks, id) })
				if err := insert(id, 1)(tx); err != nil {
					return err
				}
				return then(tx)
			}
		}
		var end string
		errs := together(t, st,
			step("a", func(*store.Tx) error { return nil }),
			step("b", func(*store.Tx) error { return refusal }),
			step("a", func(*store.Tx) error { return nil }), // the key is taken
			step("c", func(tx *store.Tx) error { _ = insert("a", 2)(tx); return nil }),
			step("d", func(tx *store.Tx) error { end, _ = tx.Value(key{}).(string); return nil }),
		)
		if errs[0] != nil || !errors.Is(errs[1], refusal) || errs[2] == nil || errs[4] != nil {
			t.Errorf("answers %v", errs)
		}
		if errs[3] == nil || !strings.Contains(errs[3].Error(), "went on after an error") {
			t.Errorf("a swallowed error of the database was committed: %v", errs[3])
		}
		if got := ids(t, st); len(got) != 2 || got["a"] != 1 || got["d"] != 1 {
			t.Errorf("stored %v", got)
		}
		if end != "ad" || fmt.Sprint(hooks) != "[a d]" {
			t.Errorf("values %q, hooks %v", end, hooks)
		}
		if st.Stats().Splits != 0 {
			t.Error("the batch was split")
		}
	})
}

func TestAPanicIsRaisedInItsCaller(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		var caught any
		bad := func(tx *store.Tx) error {
			func() {
				defer func() { caught = recover() }()
				panic("mine")
			}()
			panic(caught)
		}
		raised := make(chan any, 1)
		release := hold(t, st)
		go func() {
			defer func() { raised <- recover() }()
			_ = st.Do(context.Background(), "bad", bad)
		}()
		waitFor(st, 1)
		good := make(chan error, 1)
		go func() { good <- st.Do(context.Background(), "good", insert("x", 1)) }()
		waitFor(st, 2)
		release()
		if got := <-raised; got != "mine" {
			t.Errorf("raised %v", got)
		}
		if err := <-good; err != nil || len(ids(t, st)) != 1 {
			t.Errorf("the other item of the batch: %v", err)
		}
	})
}

// TestAFailedBatchIsRunItemByItem makes COMMIT itself fail by a constraint that
// is checked there.
func TestAFailedBatchIsRunItemByItem(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		errs := together(t, st, insert("a", 1), func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO part (id, item) VALUES ('p', 'missing')`)
			return err
		}, insert("b", 1))
		if errs[0] != nil || errs[1] == nil || errs[2] != nil {
			t.Errorf("answers %v", errs)
		}
		if errors.Is(errs[1], store.ErrUnknown) {
			t.Errorf("the outcome is known to be a failure: %v", errs[1])
		}
		if s := st.Stats(); s.Splits != 1 || s.Probes != 2 || len(ids(t, st)) != 2 {
			t.Errorf("stats %+v, rows %v", s, ids(t, st))
		}
	})
}

func TestLockMultiRowAndMissing(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		err := st.Do(context.Background(), "multi", func(tx *store.Tx) error {
			n, err := tx.Exec(`INSERT INTO item (id, amount) VALUES `+store.Values(2, 2)+` ON CONFLICT (id) DO NOTHING`, "b", 2, "a", 1)
			if err != nil || n != 2 {
				return fmt.Errorf("inserted %d: %w", n, err)
			}
			var amount int64
			if err := tx.Lock(`SELECT amount FROM item WHERE id = $1`, "b").Scan(&amount); err != nil || amount != 2 {
				return fmt.Errorf("locked %d: %w", amount, err)
			}
			// $2 before $1: arguments go by number, not by place.
			if err := tx.QueryRow(`SELECT amount FROM item WHERE amount > $2 AND id = $1`, "b", 1).Scan(&amount); err != nil {
				return err
			}
			var id string
			err = tx.QueryRow(`INSERT INTO item (id, amount) VALUES ('a', 9) ON CONFLICT (id) DO NOTHING RETURNING id`).Scan(&id)
			if !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("a conflict returned %q: %w", id, err)
			}
			return nil
		})
		if err != nil || ids(t, st)["a"] != 1 {
			t.Errorf("%v, rows %v", err, ids(t, st))
		}
	})
}
