//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"tallystick.example/iso8583/codec"
)

// A bitmapVector is a message 0200 with some elements of one character each.
type bitmapVector struct {
	what     string
	bitmap   *field.Spec
	elements []int
	wire     string
}

func bitmapVectors() []bitmapVector {
	binary := func(n int, fixed bool) *field.Spec {
		return &field.Spec{Length: n, Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: fixed}
	}
	characters := func(n int, fixed bool) *field.Spec {
		return &field.Spec{Length: n, Enc: encoding.BytesToASCIIHex, Pref: prefix.Hex.Fixed, DisableAutoExpand: fixed}
	}
	return []bitmapVector{
		{"binary, 8 bytes, one bitmap", binary(8, false), []int{2, 64}, "0200 4000000000000001 41 41"},
		{"binary, 8 bytes, two bitmaps", binary(8, false), []int{2, 128}, "0200 C000000000000000 0000000000000001 41 41"},
		{"binary, 8 bytes, three bitmaps", binary(8, false), []int{130, 192}, "0200 8000000000000000 8000000000000000 4000000000000001 41 41"},
		{"hexadecimal, 8 bytes, one bitmap", characters(8, false), []int{2, 64}, "0200" + hexOf("4000000000000001") + "41 41"},
		{"hexadecimal, 8 bytes, three bitmaps", characters(8, false), []int{2, 66, 130}, "0200" + hexOf("C000000000000000"+"C000000000000000"+"4000000000000000") + "41 41 41"},
		{"binary, 16 bytes, fixed", binary(16, true), []int{2, 65, 128}, "0200 4000000000000000 8000000000000001 41 41 41"},
		{"hexadecimal, 16 bytes", characters(16, false), []int{2, 65}, "0200" + hexOf("4000000000000000"+"8000000000000000") + "41 41"},
		{"binary, 24 bytes, fixed", binary(24, true), []int{2, 129, 192}, "0200 4000000000000000 0000000000000000 8000000000000001 41 41 41"},
		{"binary, 4 bytes, two bitmaps", binary(4, false), []int{2, 34}, "0200 C0000000 40000000 41 41"},
	}
}

// hexOf is text as hexadecimal.
func hexOf(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }

// TestBitmaps packs and unpacks every layout of bitmaps with both codecs.
func TestBitmaps(t *testing.T) {
	for _, v := range bitmapVectors() {
		s := dialect(nil)
		s.Fields[1] = field.NewBitmap(v.bitmap)
		delete(s.Fields, 2)
		for _, de := range v.elements {
			s.Fields[de] = str(1, encoding.ASCII, prefix.ASCII.Fixed)
		}
		p, err := newPair(s)
		if err != nil {
			t.Fatalf("%s: %v", v.what, err)
		}
		m, theirs := codec.NewMessage(p.prog), moov.NewMessage(s)
		m.SetText(0, "0200")
		theirs.MTI("0200")
		for _, de := range v.elements {
			m.SetText(de, "A")
			must(theirs.Field(de, "A"))
		}
		want := unhex(v.wire)
		if got, err := m.AppendTo(nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: we pack %X, %v, want %X", v.what, got, err, want)
		}
		if got, err := theirs.Pack(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: moov packs %X, %v, want %X", v.what, got, err, want)
		}
		for i := range want { // cut, and with each bit of the bitmaps turned
			if err := p.agree(want[:i]); err != nil {
				t.Errorf("%s: cut at %d: %v", v.what, i, err)
			}
			for bit := range 8 {
				bad := bytes.Clone(want)
				bad[i] ^= 1 << bit
				if err := p.agree(bad); err != nil {
					t.Errorf("%s: bit %d of byte %d: %v", v.what, bit, i, err)
				}
			}
		}
	}
}
