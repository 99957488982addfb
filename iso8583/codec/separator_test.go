package codec_test

import (
	"testing"

	"tallystick.example/iso8583/codec"
)

// TestSeparator: a nibble D is one only where the layout says so, once, and among
// digits.
func TestSeparator(t *testing.T) {
	layout := func(f codec.Field) codec.Layout {
		return codec.Layout{
			Bitmap: codec.Bitmaps{Length: 8, Enc: codec.Binary},
			Fields: map[int]codec.Field{0: {Kind: codec.Text, Enc: codec.BCD, Prefix: codec.Prefix{Form: codec.Fixed}, Length: 4}, 35: f},
		}
	}
	track := codec.Field{Kind: codec.Text, Enc: codec.BCD, Prefix: codec.Prefix{Form: codec.BCDLength, Digits: 2}, Length: 37, Separator: true}
	head := []byte{0x02, 0x00, 0, 0, 0, 0, 0x20, 0, 0, 0}
	for _, tc := range []struct {
		enc     codec.Encoding
		content []byte
		value   string // empty where it is refused
	}{
		{codec.BCD, []byte{0x07, 0x04, 0x76, 0x1D, 0x49}, "4761=49"},
		{codec.BCD, []byte{0x04, 0x47, 0x61}, "4761"},
		{codec.BCD, []byte{0x06, 0x47, 0xD1, 0xD9}, ""},
		{codec.BCD, []byte{0x04, 0x47, 0xE1}, ""},
		{codec.BCD, []byte{0x03, 0xD4, 0x76}, ""},
		{codec.LBCD, []byte{0x05, 0x47, 0x6D, 0x10}, "476=1"},
		{codec.LBCD, []byte{0x05, 0x47, 0x6D, 0x1F}, "476=1"},
		{codec.LBCD, []byte{0x05, 0x4D, 0x6D, 0x10}, ""},
	} {
		f := track
		f.Enc = tc.enc
		p, err := codec.New(layout(f))
		if err != nil {
			t.Fatal(err)
		}
		m := codec.NewMessage(p)
		err = m.Unpack(append(head[:len(head):len(head)], tc.content...))
		if (err == nil) != (tc.value != "") || err == nil && m.Value(35).Text() != tc.value {
			t.Errorf("%X: %q, %v; want %q", tc.content, m.Value(35).Text(), err, tc.value)
		}
		f.Separator = false
		if p, err = codec.New(layout(f)); err != nil {
			t.Fatal(err)
		}
		if err := codec.NewMessage(p).Unpack(append(head[:len(head):len(head)], tc.content...)); err == nil && tc.value != "4761" {
			t.Errorf("%X was taken without a separator in the layout", tc.content)
		}
	}
	for name, change := range map[string]func(*codec.Field){
		"bytes": func(f *codec.Field) { f.Kind, f.Enc = codec.Bytes, codec.Binary }, "number": func(f *codec.Field) { f.Kind = codec.Number },
		"characters": func(f *codec.Field) { f.Enc = codec.ASCII },
	} {
		f := track
		change(&f)
		if _, err := codec.New(layout(f)); err == nil {
			t.Errorf("%s with a separator was compiled", name)
		}
	}
}
