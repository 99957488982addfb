package terminals

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
	"tallystick.example/internal/hsm/api"
)

func sets() []store.Set { return []store.Set{Migrations()} }

func TestColumns(t *testing.T) { storetest.Columns(t, sets()...) }

const merchant = "MERCHANT0000001"

// do runs fn in a commit of its own.
func do(st *store.Store, fn func(*store.Tx) error) error {
	return st.Do(context.Background(), "test", fn)
}

// read runs fn in a snapshot.
func read(t testing.TB, st *store.Store, fn func(q store.Querier) error) {
	t.Helper()
	if err := st.Read(context.Background(), fn); err != nil {
		t.Error(err)
	}
}

// register adds terminals.
func register(t testing.TB, st *store.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := do(st, func(tx *store.Tx) error { return Register(tx, Terminal{id, merchant, Active, 1}) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLifeOfATerminal(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		register(t, st, "T0000002", "T0000001")
		if err := do(st, func(tx *store.Tx) error { return Register(tx, Terminal{"T0000001", merchant, Active, 1}) }); !errors.Is(err, ErrExists) {
			t.Errorf("registered twice: %v", err)
		}
		for i, c := range []struct {
			id   string
			s    Status
			want error
		}{
			{"T0000001", Blocked, nil}, {"T0000001", Active, nil}, {"T0000001", "odd", ErrInput}, {"T0000009", Blocked, ErrNotFound},
			{"T0000001", Retired, nil}, {"T0000001", Active, ErrNotFound},
		} {
			if err := do(st, func(tx *store.Tx) error { return SetStatus(tx, c.id, c.s, int64(10+i)) }); !errors.Is(err, c.want) {
				t.Errorf("step %d: %v, want %v", i, err, c.want)
			}
		}
		read(t, st, func(q store.Querier) error {
			got, err := Get(q, "T0000001")
			if err != nil || got != (Terminal{"T0000001", merchant, Retired, 14}) {
				t.Errorf("%+v, %v", got, err)
			}
			all, err := All(q)
			if err != nil || len(all) != 2 || all[1].ID != "T0000002" {
				t.Errorf("%+v, %v", all, err)
			}
			_, err = Get(q, "T0000009")
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("unknown: %v", err)
			}
			return nil
		})
		for _, bad := range []Terminal{{"T1", merchant, Active, 1}, {"T0000003", "M", Active, 1}, {"T00000\x003", merchant, Active, 1}, {"T0000003", merchant, Retired, 1}} {
			if err := do(st, func(tx *store.Tx) error { return Register(tx, bad) }); !errors.Is(err, ErrInput) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

func TestCertificates(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		register(t, st, "T0000001")
		one, two := bytes.Repeat([]byte{0}, 32), bytes.Repeat([]byte{2}, 32)
		steps := []struct {
			do   func(tx *store.Tx) error
			want error
		}{
			{func(tx *store.Tx) error { return AddCertificate(tx, "T0000001", one, 5) }, nil},
			{func(tx *store.Tx) error { return AddCertificate(tx, "T0000001", two, 9) }, nil},
			{func(tx *store.Tx) error { return AddCertificate(tx, "T0000001", two[1:], 9) }, ErrInput},
			{func(tx *store.Tx) error { return AddCertificate(tx, "T0000009", bytes.Repeat([]byte{3}, 32), 9) }, ErrNotFound},
			{func(tx *store.Tx) error { return RevokeCertificate(tx, one) }, nil},
			{func(tx *store.Tx) error { return AddCertificate(tx, "T0000001", one, 99) }, ErrExists},
			{func(tx *store.Tx) error { return RevokeCertificate(tx, one[1:]) }, ErrNotFound},
		}
		for i, s := range steps {
			if err := do(st, s.do); !errors.Is(err, s.want) {
				t.Errorf("step %d: %v, want %v", i, err, s.want)
			}
		}
		read(t, st, func(q store.Querier) error {
			if got, err := ByCertificate(q, two); err != nil || got.ID != "T0000001" || got.Status != Active {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := ByCertificate(q, one); !errors.Is(err, ErrNotFound) {
				t.Errorf("a revoked certificate passes: %v", err)
			}
			all, err := Certificates(q, "T0000001")
			if err != nil || len(all) != 2 || all[0].NotAfter != 9 || all[1].Status != Blocked {
				t.Errorf("%+v, %v", all, err)
			}
			return nil
		})
	})
}

func TestHostKeys(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		k := HostKey{"bdk.aes.1", api.Key{Block: "D0112B0AX00", KCV: "0012345678", Spec: api.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 16}, Test: true}, "first", 3}
		other := k
		other.Name, other.Key.Test = "a", false
		for i, c := range []struct {
			k    HostKey
			want error
		}{{k, nil}, {k, ErrExists}, {HostKey{Name: "x"}, ErrInput}, {HostKey{Key: k.Key}, ErrInput}, {other, nil}} {
			if err := do(st, func(tx *store.Tx) error { return PutKey(tx, c.k) }); !errors.Is(err, c.want) {
				t.Errorf("step %d: %v", i, err)
			}
		}
		read(t, st, func(q store.Querier) error {
			if got, err := GetKey(q, "bdk.aes.1"); err != nil || got != k {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := GetKey(q, "none"); !errors.Is(err, ErrNotFound) {
				t.Errorf("%v", err)
			}
			if all, err := Keys(q); err != nil || len(all) != 2 || all[0] != other {
				t.Errorf("%+v, %v", all, err)
			}
			return nil
		})
	})
}
