//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// TestSalvage: what stands before the bad element is there, and nothing else.
func TestSalvage(t *testing.T) {
	p, err := codec.Compile(iso8583.Spec())
	if err != nil {
		t.Fatal(err)
	}
	whole := "0200" + "3020000000800000" + "000000" + "000000001234" + "001234" + "5445524D30303031"
	for _, tc := range []struct {
		in     string
		de     int
		offset int
		have   []int
	}{
		{whole, -1, 0, []int{3, 4, 11, 41}},
		{whole + "00", 0, 30, []int{3, 4, 11, 41}},
		{whole[:56], 41, 22, []int{3, 4, 11}},
		{whole[:26] + "0000000A" + whole[34:], 4, 13, []int{3}},
		{whole[:18], 1, 2, nil},
		{"02", 0, 0, nil},
		{"0A00" + whole[4:], 0, 0, nil},
	} {
		raw, err := hex.DecodeString(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		m := codec.NewMessage(p)
		err = m.Salvage(raw)
		f, ok := errors.AsType[*codec.FieldError](err)
		if ok != (tc.de >= 0) || ok && (f.DE != tc.de || f.Offset != tc.offset) {
			t.Errorf("%s: %v, want DE %d at byte %d", tc.in, err, tc.de, tc.offset)
		}
		var have []int
		for de := 2; de <= codec.MaxElement; de++ {
			if m.Has(de) {
				have = append(have, de)
			}
		}
		if len(have) != len(tc.have) {
			t.Errorf("%s: elements %v, want %v", tc.in, have, tc.have)
		}
		if m.Has(0) != (tc.de != 0 || tc.have != nil) {
			t.Errorf("%s: the MTI is there: %v", tc.in, m.Has(0))
		}
		if len(tc.have) > 2 && (m.Value(11).Text() != "001234" || m.Value(11).Offset() != 19) {
			t.Errorf("%s: DE 11 is %q at byte %d", tc.in, m.Value(11).Text(), m.Value(11).Offset())
		}
		// It is no message that came: it packs to what was kept.
		if out, err := m.AppendTo(nil); tc.have != nil && (err != nil || tc.de > 0 && len(out) >= len(raw)) {
			t.Errorf("%s: packs to %X, %v", tc.in, out, err)
		}
	}
}
