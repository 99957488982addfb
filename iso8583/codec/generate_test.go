//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"fmt"
	"strconv"
	"strings"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"
)

// Dice turn bytes of a fuzzer into choices. When the bytes are used up every
// choice is the first.
type dice struct{ b []byte }

func (d *dice) byte() byte {
	if len(d.b) == 0 {
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

// n is a number below k.
func (d *dice) n(k int) int {
	if k <= 1 {
		return 0
	}
	v := int(d.byte())
	if k > 256 {
		v = v<<8 | int(d.byte())
	}
	return v % k
}

// one reports true once in k times.
func (d *dice) one(k int) bool { return d.n(k) == k-1 }

func pick[T any](d *dice, list ...T) T { return list[d.n(len(list))] }

var textEncodings = []encoding.Encoder{encoding.ASCII, encoding.BCD, encoding.LBCD, encoding.EBCDIC, encoding.EBCDIC1047, encoding.Binary, encoding.BytesToASCIIHex, encoding.ASCIIHexToBytes}

var families = []prefix.Prefixers{prefix.ASCII, prefix.BCD, prefix.Binary, prefix.Hex, prefix.EBCDIC, prefix.EBCDIC1047}

// drawPrefix draws a length prefix; fixed one time in two.
func drawPrefix(d *dice) prefix.Prefixer {
	f := pick(d, families...)
	switch d.n(12) {
	case 0, 1, 2, 3, 4:
		return f.Fixed
	case 5:
		return f.L
	case 6, 7:
		return f.LL
	case 8:
		return f.LLL
	case 9:
		return pick(d, f.LLLL, f.LLLLL, f.LLLLLL)
	case 10:
		return prefix.BerTLV
	}
	return prefix.None.Fixed
}

func drawPad(d *dice) padding.Padder {
	switch d.n(6) {
	case 0, 1, 2:
		return nil
	case 3:
		return padding.None
	case 4:
		return padding.Left(pick(d, '0', ' '))
	}
	return padding.Right(pick(d, ' ', '0', 'F'))
}

// drawSpec draws a whole dialect.
func drawSpec(d *dice) *moov.MessageSpec {
	s := &moov.MessageSpec{Name: "drawn", Fields: map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: pick(d, textEncodings[:7]...), Pref: prefix.ASCII.Fixed}),
	}}
	length := pick(d, 8, 8, 8, 8, 16, 24, 3, 0)
	s.Fields[1] = field.NewBitmap(&field.Spec{Length: length, DisableAutoExpand: d.one(5), Enc: pick[encoding.Encoder](d, encoding.Binary, encoding.BytesToASCIIHex), Pref: prefix.Binary.Fixed})
	plain := d.one(4)
	if plain {
		s.Fields[0] = field.NewString(&field.Spec{Length: 4, Enc: pick[encoding.Encoder](d, encoding.BCD, encoding.ASCII), Pref: prefix.ASCII.Fixed})
		s.Fields[1] = field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed})
	}
	for range 1 + d.n(7) {
		de := 2 + d.n(63)
		if d.one(4) {
			de = 2 + d.n(190)
		}
		if plain {
			s.Fields[de] = drawPlain(d)
			continue
		}
		s.Fields[de] = drawField(d, 1)
	}
	return s
}

// drawPlain draws a field of which a value has one form only.
func drawPlain(d *dice) field.Field {
	f := pick(d, prefix.ASCII, prefix.BCD, prefix.Binary, prefix.EBCDIC, prefix.EBCDIC1047)
	s := &field.Spec{Length: 1 + d.n(20), Description: "drawn", Pref: pick(d, f.Fixed, f.Fixed, f.L, f.LL, f.LLL)}
	if d.one(3) {
		s.Enc = encoding.Binary
		return field.NewBinary(s)
	}
	s.Enc = pick[encoding.Encoder](d, encoding.BCD, encoding.BCD, encoding.ASCII, encoding.EBCDIC, encoding.EBCDIC1047)
	return field.NewString(s)
}

// drawField draws one field of any kind.
func drawField(d *dice, depth int) field.Field {
	s := &field.Spec{Length: 1 + d.n(20), Description: "drawn", Enc: pick(d, textEncodings...), Pref: drawPrefix(d), Pad: drawPad(d)}
	if d.one(12) {
		s.Length = pick(d, 0, 99, 300, 999)
	}
	if s.Pref == prefix.Hex.Fixed && d.one(2) {
		s.Enc = encoding.ASCIIHexToBytes
	}
	sensible(d, s)
	switch d.n(13) {
	case 0, 1, 2:
		return field.NewString(s)
	case 3, 4:
		return field.NewNumeric(s)
	case 5:
		s.Enc = pick[encoding.Encoder](d, encoding.Binary, encoding.Binary, encoding.BytesToASCIIHex)
		return field.NewBinary(s)
	case 6:
		s.Enc = pick[encoding.Encoder](d, encoding.Binary, encoding.BytesToASCIIHex)
		return field.NewHex(s)
	case 7:
		s.Length, s.Enc = 76, pick[encoding.Encoder](d, encoding.ASCII, encoding.EBCDIC, encoding.EBCDIC1047)
		return field.NewTrack1(s)
	case 8:
		s.Length = 37
		return field.NewTrack2(s)
	case 9:
		s.Length = 104
		return field.NewTrack3(s)
	case 10:
		s = &field.Spec{Length: pick(d, 8, 2, 0), DisableAutoExpand: d.one(2), Enc: pick[encoding.Encoder](d, encoding.Binary, encoding.BytesToASCIIHex), Pref: prefix.Binary.Fixed}
		return field.NewBitmap(s)
	}
	if depth > 3 {
		return field.NewString(s)
	}
	return drawComposite(d, s, depth)
}

// sensible takes most of what cannot be compiled out of a drawn field.
func sensible(d *dice, s *field.Spec) {
	hex := s.Enc == encoding.ASCIIHexToBytes || s.Enc == encoding.BytesToASCIIHex
	if d.one(30) {
		return
	}
	if s.Enc == encoding.ASCIIHexToBytes {
		s.Pad = nil
	}
	if s.Pref == prefix.None.Fixed && (hex || s.Enc == encoding.BCD || s.Enc == encoding.LBCD) {
		s.Pref = prefix.ASCII.LL
	}
	if variable := !strings.HasSuffix(s.Pref.Inspect(), "Fixed"); variable && !hex && s.Pad != nil && s.Pad != padding.None && d.one(4) {
		s.Packer, s.Unpacker = field.Track2Packer{}, field.Track2Unpacker{}
	}
}

// drawComposite draws a composite field by position, bitmap or tag.
func drawComposite(d *dice, s *field.Spec, depth int) field.Field {
	s = &field.Spec{Length: pick(d, 999, 99, 40, 12), Description: "drawn", Pref: s.Pref, Subfields: map[string]field.Field{}}
	if s.Pref == prefix.BerTLV {
		s.Length = pick(d, 0, 255)
	}
	keys := func(n int, key func(i int) string) {
		for i := range n {
			s.Subfields[key(i)] = drawField(d, depth+1)
		}
	}
	n := 1 + d.n(4)
	switch d.n(5) {
	case 0:
		s.Tag = &field.TagSpec{Sort: sort.StringsByInt}
		keys(n, func(i int) string { return strconv.Itoa(i + 1) })
		if s.Pref.Inspect() != "None.Fixed" && d.one(2) {
			s.Length = 0 // as long as fixed subfields are
			for _, f := range s.Subfields {
				s.Length += f.Spec().Length
			}
		}
	case 1:
		s.Bitmap = field.NewBitmap(&field.Spec{Length: pick(d, 1, 8, 2), DisableAutoExpand: true, Enc: pick[encoding.Encoder](d, encoding.Binary, encoding.BytesToASCIIHex), Pref: prefix.Binary.Fixed})
		bits := max(8*s.Bitmap.Spec().Length, 8)
		keys(n, func(int) string { return strconv.Itoa(1 + d.n(bits)) })
	case 2:
		length := 1 + d.n(3)
		s.Tag = &field.TagSpec{Length: length, Enc: pick(d, textEncodings...), Sort: sort.StringsByInt}
		if d.one(2) {
			s.Tag.Pad = padding.Left('0')
		}
		if d.one(3) {
			s.Tag.SkipUnknownTLVTags, s.Tag.StoreUnknownTLVTags, s.Tag.PrefUnknownTLV = true, d.one(2), pick[prefix.Prefixer](d, prefix.ASCII.LL, prefix.Binary.L, prefix.BCD.LLL, prefix.BerTLV, prefix.EBCDIC.LL, prefix.Hex.L, prefix.Binary.LLLLL, prefix.None.Fixed)
		}
		keys(n, func(i int) string {
			switch {
			case s.Tag.Enc == encoding.ASCIIHexToBytes:
				return fmt.Sprintf("%0*X", 2*length, 1+d.n(200)%(1<<(4*min(length, 2))))
			case s.Tag.Pad != nil:
				return strconv.Itoa(1 + d.n(9))
			}
			return fmt.Sprintf("%0*d", length, d.n(10))
		})
	default:
		s.Tag = &field.TagSpec{Enc: encoding.BerTLVTag, Sort: pick(d, sort.StringsByHex, sort.Strings), SkipUnknownTLVTags: !d.one(3), StoreUnknownTLVTags: d.one(2)}
		keys(n, func(int) string { return pick(d, "9F02", "5A", "82", "9F36", "DF8105", "70", "00", "57") })
		if !d.one(4) { // as real ones are
			for _, f := range s.Subfields {
				if _, bitmap := f.(*field.Bitmap); !bitmap {
					f.Spec().Pref = prefix.BerTLV
				}
			}
		}
	}
	return field.NewComposite(s)
}
