package iso8583_test

import (
	"bytes"
	"testing"

	"tallystick.example/iso8583"
)

// TestSamplesRoundTrip: every message of the table is accepted, packs to the
// bytes that came, and is allowed by the table.
func TestSamplesRoundTrip(t *testing.T) {
	for _, s := range samples(t) {
		m := unpacked(t, s.raw)
		if out, err := iso8583.Pack(m); err != nil || !bytes.Equal(out, s.raw) {
			t.Errorf("%s: Pack(Unpack(%X)) = %X, %v", s.name, s.raw, out, err)
		}
		if !bytes.Equal(m.Raw(), s.raw) {
			t.Errorf("%s: Raw differs from what came", s.name)
		}
		if err := iso8583.Validate(m, s.dir); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}
