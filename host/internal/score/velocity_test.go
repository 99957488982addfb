package score

import (
	"context"
	"errors"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// TestCount: counts are part of the commit that makes them, are kept apart by
// kind, subject and currency, and are forgotten when idle.
func TestCount(t *testing.T) {
	storetest.Each(t, []store.Set{Migrations()}, func(t *testing.T, st *store.Store) {
		at := 20 * day
		count := func(kind Kind, subject string, currency uint16, fail error) (s Span, err error) {
			err = st.Do(context.Background(), "count", func(tx *store.Tx) error {
				var err error
				if s, err = Count(tx, kind, subject, currency, 100, at); err != nil {
					return err
				}
				return fail
			})
			return s, err
		}
		refused := errors.New("refused")
		if _, err := count(ByCard, "a", 978, refused); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		for n := int64(1); n <= 3; n++ {
			s, err := count(ByCard, "a", 978, nil)
			if want := (Sum{n, 100 * n}); err != nil || s.Minute != want || s.Hour != want || s.Day != want {
				t.Errorf("attempt %d: %+v, %v", n, s, err)
			}
		}
		for _, c := range []struct {
			kind     Kind
			subject  string
			currency uint16
		}{{ByTerminal, "a", 978}, {ByCard, "b", 978}, {ByCard, "a", 840}} {
			if s, err := count(c.kind, c.subject, c.currency, nil); err != nil || s.Day.Count != 1 {
				t.Errorf("%v: %+v, %v", c, s, err)
			}
		}
		look := func(subject string) (s Span) {
			if err := st.Read(context.Background(), func(q store.Querier) error {
				var err error
				s, err = Look(q, ByCard, subject, 978, at)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := look("a"); s.Day.Count != 3 {
			t.Errorf("looked up %+v", s)
		}
		if s := look("never"); s != (Span{}) {
			t.Errorf("nobody has %+v", s)
		}
		var pruned int64
		if err := st.Do(context.Background(), "prune", func(tx *store.Tx) error {
			var err error
			pruned, err = Prune(tx, at+1, 3)
			return err
		}); err != nil || pruned != 3 {
			t.Errorf("pruned %d, %v", pruned, err)
		}
	})
}
