package terminals

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
	"tallystick.example/internal/hsm/api"
)

var aesID = []byte{0, 0, 0, 1, 0, 0, 0, 2}

func aesSet(id []byte) api.KeySet {
	return api.KeySet{Scheme: api.SchemeAES, ID: id, BDK: "D0112B0AX00", PIN: true, MAC: true}
}

func addSet(t testing.TB, st *store.Store, id string, set api.KeySet) {
	t.Helper()
	if err := do(st, func(tx *store.Tx) error { return AddKeySet(tx, id, set) }); err != nil {
		t.Fatal(err)
	}
}

func check(st *store.Store, id string, set []byte, counter uint32, message byte) (v Verdict, err error) {
	err = do(st, func(tx *store.Tx) (err error) {
		v, err = CheckCounter(tx, id, set, counter, [32]byte{message})
		return err
	})
	return v, err
}

func TestKeySets(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		register(t, st, "T0000001")
		tdes := api.KeySet{Scheme: api.SchemeTDES, ID: make([]byte, 10), BDK: "B", Data: true}
		addSet(t, st, "T0000001", tdes)
		addSet(t, st, "T0000001", aesSet(aesID))
		for name, c := range map[string]struct {
			id   string
			set  api.KeySet
			want error
		}{
			"again":       {"T0000001", aesSet(aesID), ErrExists},
			"short id":    {"T0000001", aesSet(aesID[1:]), ErrInput},
			"scheme":      {"T0000001", api.KeySet{ID: aesID, BDK: "B", MAC: true}, ErrInput},
			"no use":      {"T0000001", api.KeySet{Scheme: api.SchemeAES, ID: aesID, BDK: "B"}, ErrInput},
			"no terminal": {"T0000009", aesSet(aesID), ErrNotFound},
		} {
			if err := do(st, func(tx *store.Tx) error { return AddKeySet(tx, c.id, c.set) }); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := do(st, func(tx *store.Tx) error { return RetireKeySet(tx, "T0000001", tdes.ID) }); err != nil {
			t.Fatal(err)
		}
		if v, err := check(st, "T0000001", tdes.ID, 4, 1); v != Fresh || err != nil {
			t.Errorf("a retired set serves stored messages: %v, %v", v, err)
		}
		read(t, st, func(q store.Querier) error {
			got, err := KeySets(q, "T0000001")
			if err != nil || len(got) != 2 || fmt.Sprint(got[0]) != fmt.Sprint(Set{aesSet(aesID), Active, -1}) || fmt.Sprint(got[1]) != fmt.Sprint(Set{tdes, Retired, 4}) {
				t.Errorf("%+v, %v", got, err)
			}
			return nil
		})
		if err := do(st, func(tx *store.Tx) error { return DropRetired(tx, "T0000001") }); err != nil {
			t.Fatal(err)
		}
		if _, err := check(st, "T0000001", tdes.ID, 5, 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("a dropped set is used: %v", err)
		}
		if err := do(st, func(tx *store.Tx) error { return AddKeySet(tx, "T0000001", tdes) }); !errors.Is(err, ErrExists) {
			t.Errorf("a dropped set comes back: %v", err)
		}
	})
}

func TestCounterTable(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		register(t, st, "T0000001", "T0000002")
		addSet(t, st, "T0000001", aesSet(aesID))
		addSet(t, st, "T0000002", aesSet(aesID))
		for i, c := range []struct {
			terminal string
			counter  uint32
			message  byte
			want     Verdict
		}{
			{"T0000001", 5000, 1, Fresh},
			{"T0000001", 5000, 1, SameMessage},
			{"T0000001", 5000, 2, Refused},
			{"T0000001", 5000 - Window, 3, Fresh},       // the last of the window
			{"T0000001", 5000 - Window, 4, Refused},     // used
			{"T0000001", 5000 - Window - 1, 5, Refused}, // below
			{"T0000001", 5001, 6, Fresh},
			{"T0000001", 5000 - Window, 3, SameMessage}, // below now, but known
			{"T0000001", math.MaxUint32, 7, Fresh},
			{"T0000001", 5001, 6, SameMessage}, // its slot is not taken
			{"T0000002", 5000, 2, Fresh},       // another terminal
		} {
			if v, err := check(st, c.terminal, aesID, c.counter, c.message); v != c.want || err != nil {
				t.Errorf("step %d: %v, want %v: %v", i, v, c.want, err)
			}
		}
		if _, err := check(st, "T0000001", aesID[1:], 1, 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown set: %v", err)
		}
		for counter, want := range map[uint32]bool{0: true, 5000: true, 5001: false} {
			var ok bool
			err := do(st, func(tx *store.Tx) (err error) {
				ok, err = CheckStoredData(tx, "T0000002", aesID, counter)
				return err
			})
			if ok != want || err != nil {
				t.Errorf("stored data under %d: %v, %v", counter, ok, err)
			}
		}
	})
}

// TestNoCounterTwice sends messages in any order and holds every verdict against
// a model that forgets nothing.
func TestNoCounterTwice(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		register(t, st, "T0000001")
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			set := append([]byte{byte(round >> 8), byte(round)}, aesID[2:]...)
			if err := do(st, func(tx *store.Tx) error { return AddKeySet(tx, "T0000001", aesSet(set)) }); err != nil {
				t.Fatal(err)
			}
			used, highest := map[uint32]byte{}, int64(-1)
			base := rapid.Uint32Range(0, 1<<20).Draw(t, "base")
			for i := range rapid.IntRange(1, 20).Draw(t, "n") {
				counter := base + rapid.SampledFrom([]uint32{0, 1, 2, Window - 1, Window, Window + 1, Window + 2, ring - 1, ring, ring + 1, 2 * ring}).Draw(t, "counter")
				message := rapid.ByteRange(1, 2).Draw(t, "message")
				v, err := check(st, "T0000001", set, counter, message)
				if err != nil {
					t.Fatal(err)
				}
				was, known := used[counter]
				switch {
				case v == Fresh && (known || int64(counter) < highest-Window),
					v == SameMessage && (!known || was != message),
					v == Refused && !known && int64(counter) >= highest-Window,
					v == Refused && known && was == message && int64(counter) >= highest-Window:
					t.Fatalf("step %d: counter %d message %d, was %d, highest %d: %v", i, counter, message, was, highest, v)
				}
				if v == Fresh {
					used[counter], highest = message, max(highest, int64(counter))
				}
			}
		})
	})
}
