package codec_test

import (
	"testing"

	"tallystick.example/iso8583/codec"
)

// TestEvenCountsUnits: a field that is filled to an even length counts units, and
// not the bytes in which a character above ASCII is given.
func TestEvenCountsUnits(t *testing.T) {
	p, err := codec.New(codec.Layout{
		Bitmap: codec.Bitmaps{Length: 8, Enc: codec.Binary, Max: 1},
		Fields: map[int]codec.Field{
			0: {Kind: codec.Text, Enc: codec.ASCII, Prefix: codec.Prefix{Form: codec.Fixed}, Length: 4},
			2: {Kind: codec.Text, Enc: codec.EBCDIC1047, Prefix: codec.Prefix{Form: codec.BinaryLength, Digits: 1}, Length: 9,
				Pad: codec.Pad{Side: codec.Right, Char: '0'}, Even: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"£", "1£", "11£", "££"} {
		m := codec.NewMessage(p)
		m.SetText(0, "0100")
		m.SetText(2, v)
		raw, err := m.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Unpack(raw); err != nil || string(m.Value(2).Append(nil)) != v {
			t.Errorf("%q packs to %X: %v", v, raw, err)
		}
	}
}
