package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"tallystick.example/iso8583/codec"
)

// handLayout is written without moov, as on machines where that cannot be built.
func handLayout() codec.Layout {
	fixed, ll := codec.Prefix{Form: codec.Fixed}, codec.Prefix{Form: codec.BCDLength, Digits: 2}
	field := func(k codec.Kind, e codec.Encoding, p codec.Prefix, n int) codec.Field {
		return codec.Field{Kind: k, Enc: e, Prefix: p, Length: n}
	}
	tagged := codec.Field{Kind: codec.Composite, Prefix: ll, Length: 99, Tags: &codec.Tags{Enc: codec.BERTag, Skip: true, Unknown: codec.Prefix{Form: codec.BERLength}},
		Subfields: []codec.Field{{Key: "9F02", Kind: codec.Number, Enc: codec.BCD, Prefix: codec.Prefix{Form: codec.BERLength}, Length: 12}}}
	return codec.Layout{Name: "by hand", Limit: 500, Bitmap: codec.Bitmaps{Length: 8, Enc: codec.Binary, Expand: true, Max: 2}, Fields: map[int]codec.Field{
		0: field(codec.Text, codec.BCD, fixed, 4), 2: field(codec.Text, codec.BCD, ll, 19), 4: field(codec.Number, codec.BCD, fixed, 12),
		41: {Kind: codec.Text, Enc: codec.ASCII, Prefix: fixed, Length: 8, Pad: codec.Pad{Side: codec.Right, Char: ' '}},
		43: field(codec.Text, codec.EBCDIC1047, codec.Prefix{Form: codec.EBCDICLength, Digits: 3}, 40), 55: tagged,
		64: field(codec.Bytes, codec.HexToASCII, fixed, 4), 100: field(codec.Text, codec.ASCII, codec.Prefix{Form: codec.BinaryLength, Digits: 6}, 20),
	}}
}

// TestHandLayout builds, packs, cuts and reads a message of every sort of field.
// It runs on 32 bits too.
func TestHandLayout(t *testing.T) {
	p, err := codec.New(handLayout())
	if err != nil {
		t.Fatal(err)
	}
	m := codec.NewMessage(p)
	m.SetText(0, "0200")
	m.SetText(2, "4242424242424242427")
	m.SetNumber(4, 999999999999)
	m.SetText(41, "TERM1")
	m.SetText(43, "Zürich [1]")
	c := m.Compose(55)
	c.SetNumber("9F02", 1234)
	c.SetBytes("DF01", []byte{1, 2})
	c.End()
	m.SetBytes(64, []byte{0xDE, 0xAD, 0xBE, 0xEF})
	m.SetText(100, "12345678901")
	raw, err := m.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := codec.NewMessage(p)
	if err := n.Unpack(raw); err != nil {
		t.Fatal(err)
	}
	if v, ok := n.Value(4).Number(); !ok || v != 999999999999 || n.Value(2).Text() != "4242424242424242427" || n.Value(41).Text() != "TERM1" || n.Value(43).Text() != "Zürich [1]" ||
		!bytes.Equal(n.Value(64).Append(nil), []byte{0xDE, 0xAD, 0xBE, 0xEF}) || n.Value(100).Text() != "12345678901" {
		t.Error("a value changed")
	}
	if v, ok := n.Value(55).Sub("9F02").Number(); !ok || v != 1234 || !bytes.Equal(n.Value(55).Object(0xDF01).Wire(), []byte{1, 2}) {
		t.Error("a subfield changed")
	}
	for i := range raw {
		fe, ok := errors.AsType[*codec.FieldError](n.Unpack(raw[:i]))
		if !ok || fe.Offset > i || fe.Path == "" {
			t.Errorf("cut at %d: %v", i, fe)
		}
	}
	// A length that does not fit 32 bits is refused, not wrapped.
	long := bytes.Clone(raw)
	at := len(raw) - 11 - 6
	copy(long[at:], []byte{1, 0, 0, 0, 0, 11})
	if fe, ok := errors.AsType[*codec.FieldError](n.Unpack(long)); !ok || fe.Reason != codec.ReasonLengthMax || fe.DE != 100 || fe.Offset != at {
		t.Errorf("a long length: %v", fe)
	}
}
