// Package vectortest runs the embedded test vectors in tests.
//
//	for _, v := range vectortest.Load(t, "dukpt_tdes", "dukpt.tdes.keys") {
//		t.Run(v.Name, func(t *testing.T) {
//			got, err := InitialKey(v.Hex("bdk"), v.Hex("ksn"))
//			v.Check(t, "ik", got, err)
//		})
//	}
package vectortest

import (
	"slices"
	"strings"
	"testing"

	"tallystick.example/testvectors"
)

// A Vector is one case. Its inputs are read with the methods of
// [testvectors.Input], which panic and so fail the test when the case does not
// hold what is asked for.
type Vector struct {
	testvectors.Input
	Name   string // the id
	Op     string
	Reject bool // the operation must end with an error
	Out    testvectors.Input
}

// Load returns the cases of a topic that have one of ops, or all where none is
// named. It ends the test when the topic cannot be read or an op has no case:
// a loop over nothing would pass.
func Load(t testing.TB, topic string, ops ...string) []Vector {
	t.Helper()
	f, err := testvectors.Load(topic)
	if err != nil {
		t.Fatal(err)
	}
	var vs []Vector
	found := make(map[string]bool)
	for _, c := range f.Cases {
		if len(ops) > 0 && !slices.Contains(ops, c.Op) {
			continue
		}
		found[c.Op] = true
		vs = append(vs, Vector{Input: c.In, Name: c.ID, Op: c.Op, Reject: c.Reject, Out: c.Out})
	}
	for _, op := range ops {
		if !found[op] {
			t.Fatalf("topic %s has no case of %s", topic, op)
		}
	}
	if len(vs) == 0 {
		t.Fatalf("topic %s has no cases", topic)
	}
	return vs
}

// Check compares one result of the operation with the case. Where the case says
// reject, err must be there and got is ignored; else err must be nil and got
// equal to the key of out, which must exist. got is of a type that
// [testvectors.Normal] knows.
func (v Vector) Check(t testing.TB, key string, got any, err error) {
	t.Helper()
	if v.Reject {
		if err == nil {
			t.Errorf("%s: accepted, want an error", v.Name)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", v.Name, err)
		return
	}
	want, ok := v.Out[key]
	if !ok {
		t.Errorf("%s: the case states no %q", v.Name, key)
		return
	}
	g, err := testvectors.Normal(got)
	if err != nil {
		t.Errorf("%s: %s: %v", v.Name, key, err)
		return
	}
	if !testvectors.Equal(want, g) {
		t.Errorf("%s: %s = %v, want %v", v.Name, key, g, want)
	}
}

// Seed adds to a fuzz test every input of a topic that is bytes, once each, from
// the cases that have one of ops or from all. The fuzz function takes one []byte.
func Seed(f *testing.F, topic string, ops ...string) {
	f.Helper()
	seen := make(map[string]bool)
	for _, v := range Load(f, topic, ops...) {
		walk(map[string]any(v.Input), func(s string) {
			b, err := testvectors.ParseHex(s)
			if err == nil && len(b) > 0 && !seen[s] {
				seen[s] = true
				f.Add(b)
			}
		})
	}
}

// SeedText adds to a fuzz test every input of a topic that is a text of at least
// min characters. The fuzz function takes one string.
func SeedText(f *testing.F, topic string, min int, ops ...string) {
	f.Helper()
	seen := make(map[string]bool)
	for _, v := range Load(f, topic, ops...) {
		walk(map[string]any(v.Input), func(s string) {
			if len(s) >= min && !seen[s] {
				seen[s] = true
				f.Add(strings.Clone(s))
			}
		})
	}
}

// walk calls fn with every string in v.
func walk(v any, fn func(string)) {
	switch v := v.(type) {
	case string:
		fn(v)
	case []any:
		for _, e := range v {
			walk(e, fn)
		}
	case map[string]any:
		for _, k := range testvectors.Input(v).Keys() {
			walk(v[k], fn)
		}
	}
}
