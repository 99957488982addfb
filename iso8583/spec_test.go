//go:build !(386 || arm || mips || mipsle)

package iso8583_test

import (
	"testing"

	"github.com/moov-io/iso8583/specs"

	"tallystick.example/iso8583"
)

// TestSpecJSON: moov's own import reads what we export as the same layout.
func TestSpecJSON(t *testing.T) {
	b, err := iso8583.SpecJSON()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := specs.ImportJSON(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(spec.Fields) != len(iso8583.Spec().Fields) {
		t.Errorf("%d fields, want %d", len(spec.Fields), len(iso8583.Spec().Fields))
	}
	for _, s := range samples(t)[:4] {
		if err := agree(spec, s.raw); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}
