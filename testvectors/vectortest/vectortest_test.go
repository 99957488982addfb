package vectortest_test

import (
	"errors"
	"testing"

	"tallystick.example/testvectors"
	"tallystick.example/testvectors/vectortest"
)

// recorder notes whether a check failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestCheck(t *testing.T) {
	right := vectortest.Vector{Name: "right", Out: testvectors.Input{"x": "AB"}}
	reject := vectortest.Vector{Name: "reject", Reject: true}
	for _, c := range []struct {
		name string
		v    vectortest.Vector
		key  string
		got  any
		err  error
		fail bool
	}{
		{"same", right, "x", []byte{0xAB}, nil, false},
		{"other", right, "x", []byte{0xAC}, nil, true},
		{"error", right, "x", []byte{0xAB}, errors.New("e"), true},
		{"key that the case has not", right, "y", nil, nil, true},
		{"type", right, "x", 1.5, nil, true},
		{"rejected", reject, "x", nil, errors.New("e"), false},
		{"not rejected", reject, "x", nil, nil, true},
	} {
		r := &recorder{TB: t}
		c.v.Check(r, c.key, c.got, c.err)
		if r.failed != c.fail {
			t.Errorf("%s: failed %v", c.name, r.failed)
		}
	}
}

func TestLoadSelectsOps(t *testing.T) {
	all, some := vectortest.Load(t, "mac"), vectortest.Load(t, "mac", "mac.cmac")
	if len(all) != 14 || len(some) != 6 {
		t.Errorf("%d of %d cases", len(some), len(all))
	}
	for _, v := range some {
		if v.Op != "mac.cmac" || len(v.Hex("key")) < 16 {
			t.Errorf("%s", v.Name)
		}
	}
}
