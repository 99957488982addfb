//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"bytes"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"

	"tallystick.example/iso8583/codec"
)

// A vector is one kind of field: how moov declares it, a value, and its bytes in
// a message, the length included. The coverage table of docs/codec.md is made of
// them.
type vector struct {
	group string
	what  string // in words of moov's JSON form
	f     field.Field
	value string // hexadecimal with 0x; of a composite the subfields as key=value
	wire  string
	rule  string // moov packs otherwise under this rule
}

func text(n int, enc encoding.Encoder, pref prefix.Prefixer, pad ...padding.Padder) field.Field {
	s := &field.Spec{Length: n, Enc: enc, Pref: pref}
	if len(pad) > 0 {
		s.Pad = pad[0]
	}
	return field.NewString(s)
}

func spec(n int, enc encoding.Encoder, pref prefix.Prefixer) *field.Spec {
	return &field.Spec{Length: n, Enc: enc, Pref: pref}
}

func vectors() []vector {
	list := append(encodingVectors(), lengthVectors()...)
	return append(append(list, kindVectors()...), compositeVectors()...)
}

func encodingVectors() []vector {
	const g = "Encodings"
	return []vector{
		{g, "String, ASCII", text(4, encoding.ASCII, prefix.ASCII.Fixed), "12Ab", "31324162", ""},
		{g, "String, BCD, even", text(4, encoding.BCD, prefix.BCD.Fixed), "0123", "0123", ""},
		{g, "String, BCD, odd", text(3, encoding.BCD, prefix.BCD.Fixed), "123", "0123", ""},
		{g, "String, LBCD, odd", text(3, encoding.LBCD, prefix.BCD.Fixed), "123", "1230", ""},
		{g, "String, Binary", text(3, encoding.Binary, prefix.Binary.Fixed), "0x00FF41", "00FF41", ""},
		{g, "String, EBCDIC", text(3, encoding.EBCDIC, prefix.EBCDIC.Fixed), "1A!", "F1C14F", ""},
		{g, "String, EBCDIC1047", text(3, encoding.EBCDIC1047, prefix.EBCDIC1047.Fixed), "1A!", "F1C15A", ""},
		{g, "String, HexToASCII", text(2, encoding.BytesToASCIIHex, prefix.ASCII.Fixed), "0x0AFF", "30414646", ""},
		{g, "String, ASCIIToHex", text(2, encoding.ASCIIHexToBytes, prefix.Hex.Fixed), "0AFF", "0AFF", ""},
		{g, "String, padded Left with 0", text(4, encoding.BCD, prefix.BCD.Fixed, padding.Left('0')), "12", "0012", ""},
		{g, "String, padded Right with spaces", text(4, encoding.ASCII, prefix.ASCII.Fixed, padding.Right(' ')), "AB", "41422020", ""},
		{g, "String, padded None", text(2, encoding.ASCII, prefix.ASCII.Fixed, padding.None), "AB", "4142", ""},
	}
}

func lengthVectors() []vector {
	const g = "Lengths"
	return []vector{
		{g, "ASCII.L", text(9, encoding.ASCII, prefix.ASCII.L), "AB", "32 4142", ""},
		{g, "ASCII.LL", text(99, encoding.ASCII, prefix.ASCII.LL), "AB", "3032 4142", ""},
		{g, "ASCII.LLL", text(999, encoding.ASCII, prefix.ASCII.LLL), "AB", "303032 4142", ""},
		{g, "ASCII.LLLL", text(9999, encoding.ASCII, prefix.ASCII.LLLL), "AB", "30303032 4142", ""},
		{g, "ASCII.LLLLL", text(9999, encoding.ASCII, prefix.ASCII.LLLLL), "AB", "3030303032 4142", ""},
		{g, "ASCII.LLLLLL", text(9999, encoding.ASCII, prefix.ASCII.LLLLLL), "AB", "303030303032 4142", ""},
		{g, "BCD.L", text(9, encoding.ASCII, prefix.BCD.L), "AB", "02 4142", ""},
		{g, "BCD.LL", text(99, encoding.BCD, prefix.BCD.LL), "123", "03 0123", ""},
		{g, "BCD.LLL", text(999, encoding.ASCII, prefix.BCD.LLL), "AB", "0002 4142", ""},
		{g, "BCD.LLLL", text(999, encoding.ASCII, prefix.BCD.LLLL), "AB", "0002 4142", ""},
		{g, "BCD.LLLLL", text(999, encoding.ASCII, prefix.BCD.LLLLL), "AB", "000002 4142", ""},
		{g, "BCD.LLLLLL", text(999, encoding.ASCII, prefix.BCD.LLLLLL), "AB", "000002 4142", ""},
		{g, "Binary.L", text(255, encoding.ASCII, prefix.Binary.L), "AB", "02 4142", ""},
		{g, "Binary.LL", text(999, encoding.ASCII, prefix.Binary.LL), "AB", "0002 4142", ""},
		{g, "Binary.LLL", text(999, encoding.ASCII, prefix.Binary.LLL), "AB", "000002 4142", ""},
		{g, "Binary.LLLL", text(999, encoding.ASCII, prefix.Binary.LLLL), "AB", "00000002 4142", ""},
		{g, "Binary.LLLLL", text(999, encoding.ASCII, prefix.Binary.LLLLL), "AB", "0000000002 4142", "binary-length"},
		{g, "Binary.LLLLLL", text(999, encoding.ASCII, prefix.Binary.LLLLLL), "AB", "000000000002 4142", "binary-length"},
		{g, "Hex.L", text(255, encoding.ASCII, prefix.Hex.L), "ABCDEFGHIJ", "3041 4142434445464748494A", ""},
		{g, "Hex.LL", text(999, encoding.ASCII, prefix.Hex.LL), "AB", "30303032 4142", ""},
		{g, "Hex.LLL", text(999, encoding.ASCII, prefix.Hex.LLL), "AB", "303030303032 4142", ""},
		{g, "Hex.LLLL", text(999, encoding.ASCII, prefix.Hex.LLLL), "AB", "3030303030303032 4142", ""},
		{g, "EBCDIC.LL", text(99, encoding.EBCDIC, prefix.EBCDIC.LL), "AB", "F0F2 C1C2", ""},
		{g, "EBCDIC1047.LLL", text(99, encoding.EBCDIC1047, prefix.EBCDIC1047.LLL), "AB", "F0F0F2 C1C2", ""},
		{g, "BerTLV, short", text(0, encoding.ASCII, prefix.BerTLV), "AB", "02 4142", ""},
		{g, "BerTLV, long", text(0, encoding.ASCII, prefix.BerTLV), strings.Repeat("A", 200), "81C8" + strings.Repeat("41", 200), ""},
		{g, "None", text(2, encoding.ASCII, prefix.None.Fixed), "ABC", "414243", ""},
	}
}

func kindVectors() []vector {
	const g = "Kinds"
	track2 := spec(37, encoding.ASCII, prefix.ASCII.LL)
	track2.Pad, track2.Packer, track2.Unpacker = padding.Left('0'), field.Track2Packer{}, field.Track2Unpacker{}
	number := spec(6, encoding.ASCII, prefix.ASCII.Fixed)
	number.Pad = padding.Left('0')
	fixed := spec(8, encoding.Binary, prefix.Binary.Fixed)
	fixed.DisableAutoExpand = true
	return []vector{
		{g, "Numeric, padded Left with 0", field.NewNumeric(number), "42", "303030303432", ""},
		{g, "Numeric, BCD.LL", field.NewNumeric(spec(12, encoding.BCD, prefix.BCD.LL)), "1234", "04 1234", ""},
		{g, "Binary, fixed", field.NewBinary(spec(2, encoding.Binary, prefix.Binary.Fixed)), "0xCAFE", "CAFE", ""},
		{g, "Binary, HexToASCII", field.NewBinary(spec(2, encoding.BytesToASCIIHex, prefix.ASCII.LL)), "0xCAFE", "3032 43414645", ""},
		{g, "Hex, Binary", field.NewHex(spec(9, encoding.Binary, prefix.Binary.L)), "0xCAFE", "02 CAFE", ""},
		{g, "Bitmap, fixed", field.NewBitmap(fixed), "0x8000000000000001", "8000000000000001", ""},
		{g, "Bitmap, expanding", field.NewBitmap(spec(1, encoding.BytesToASCIIHex, prefix.Hex.Fixed)), "0x8140", "38313430", ""},
		{g, "Track1, ASCII.LL", field.NewTrack1(spec(76, encoding.ASCII, prefix.ASCII.LL)), "B4^AB^2912^1", "3132 42345E41425E323931325E31", ""},
		{g, "Track2, ASCII.LL", field.NewTrack2(spec(37, encoding.ASCII, prefix.ASCII.LL)), "4=29121011", "3130 343D3239313231303131", ""},
		{g, "Track2, ASCIIToHex", field.NewTrack2(spec(37, encoding.ASCIIHexToBytes, prefix.Binary.L)), "42D29121011F", "06 42D29121011F", "hex-count"},
		{g, "Track2 with Track2Packer", field.NewTrack2(track2), "42=29121011", "3131 3034323D3239313231303131", ""},
		{g, "Track3, BCD.LLL", field.NewTrack3(spec(104, encoding.ASCII, prefix.BCD.LLL)), "014=1", "0005 3031343D31", ""},
	}
}

func compositeVectors() []vector {
	const g = "Composites"
	sub := func(n int) field.Field { return text(n, encoding.ASCII, prefix.ASCII.Fixed) }
	composite := func(pref prefix.Prefixer, n int, tag *field.TagSpec, subs map[string]field.Field) *field.Spec {
		return &field.Spec{Length: n, Pref: pref, Tag: tag, Subfields: subs}
	}
	ber := func(n int, store bool) *field.TagSpec {
		return &field.TagSpec{Length: n, Enc: encoding.BerTLVTag, Sort: sort.StringsByHex, SkipUnknownTLVTags: store, StoreUnknownTLVTags: store}
	}
	tlv := func(n int) field.Field { return field.NewBinary(spec(n, encoding.Binary, prefix.BerTLV)) }
	bits := composite(prefix.ASCII.LLL, 99, nil, map[string]field.Field{"2": sub(2), "8": text(9, encoding.ASCII, prefix.ASCII.L)})
	bits.Bitmap = field.NewBitmap(&field.Spec{Length: 1, Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: true})
	return []vector{
		{g, "by position, fixed", field.NewComposite(composite(prefix.ASCII.Fixed, 5, &field.TagSpec{Sort: sort.StringsByInt}, map[string]field.Field{"1": sub(2), "2": sub(3)})), "1=AB 2=CDE", "4142434445", ""},
		{g, "by position, variable, the last left out", field.NewComposite(composite(prefix.ASCII.LL, 99, &field.TagSpec{Sort: sort.StringsByInt}, map[string]field.Field{"1": sub(2), "2": sub(3)})), "1=AB", "3032 4142", ""},
		{g, "by bitmap", field.NewComposite(bits), "2=AB 8=CDE", "303037 41 4142 33434445", ""},
		{g, "tags of 3 digits in ASCII, lengths BCD.LL", field.NewComposite(composite(prefix.ASCII.LLL, 99, &field.TagSpec{Length: 3, Enc: encoding.ASCII, Pad: padding.Left('0'), Sort: sort.StringsByInt},
			map[string]field.Field{"3": text(9, encoding.ASCII, prefix.BCD.LL), "11": sub(2)})), "3=A 11=BC", "303130 303033 01 41 303131 4243", ""},
		{g, "tags of 2 digits in BCD", field.NewComposite(composite(prefix.BCD.LL, 99, &field.TagSpec{Length: 2, Enc: encoding.BCD, Sort: sort.StringsByInt}, map[string]field.Field{"07": sub(1)})), "07=A", "02 07 41", ""},
		{g, "tags in EBCDIC", field.NewComposite(composite(prefix.EBCDIC.LL, 99, &field.TagSpec{Length: 2, Enc: encoding.EBCDIC, Sort: sort.StringsByInt}, map[string]field.Field{"07": sub(1)})), "07=A", "F0F3 F0F7 41", ""},
		{g, "tags in bytes (ASCIIToHex)", field.NewComposite(composite(prefix.Binary.L, 99, &field.TagSpec{Length: 1, Enc: encoding.ASCIIHexToBytes, Sort: sort.StringsByHex}, map[string]field.Field{"DF": sub(1)})), "DF=A", "02 DF 41", ""},
		{g, "BER-TLV", field.NewComposite(composite(prefix.BCD.LLL, 255, ber(0, false), map[string]field.Field{"82": tlv(2), "9F36": tlv(0)})), "82=0x1C00 9F36=0x0007", "0009 82021C00 9F36020007", ""},
		{g, "BER-TLV, unknown tags stored", field.NewComposite(composite(prefix.BCD.LLL, 255, ber(0, true), map[string]field.Field{"82": tlv(2)})), "82=0x1C00 DF01=0xAA", "0008 82021C00 DF0101AA", ""},
		{g, "BER-TLV, constructed", field.NewComposite(composite(prefix.BCD.LLL, 255, ber(0, false), map[string]field.Field{
			"70": field.NewComposite(composite(prefix.BerTLV, 0, ber(0, false), map[string]field.Field{"5A": tlv(0)}))})), "70.5A=0x4242", "0006 7004 5A024242", ""},
	}
}

// value is the bytes of a value in a vector.
func (v vector) bytes(s string) []byte {
	if h, ok := strings.CutPrefix(s, "0x"); ok {
		return unhex(h)
	}
	return []byte(s)
}

// set puts the value of a vector into both codecs.
func (v vector) set(t *testing.T, m *codec.Message, theirs *moov.Message) {
	t.Helper()
	if v.group != "Composites" {
		m.SetBytes(2, v.bytes(v.value))
		must(theirs.BinaryField(2, v.bytes(v.value)))
		return
	}
	c := m.Compose(2)
	in := ""
	for _, part := range strings.Fields(v.value) {
		path, value, _ := strings.Cut(part, "=")
		outer, key, nested := strings.Cut(path, ".")
		if nested && in != outer {
			c.Begin(outer)
			in = outer
		} else if !nested {
			key = outer
		}
		c.SetBytes(key, v.bytes(value))
		s := v.f.Spec().Subfields[key]
		if nested {
			s = v.f.Spec().Subfields[outer].Spec().Subfields[key]
		}
		if s == nil {
			s = field.NewBinary(spec(len(v.bytes(value)), encoding.Binary, prefix.BerTLV))
		}
		g := field.NewInstanceOf(s)
		must(g.SetBytes(v.bytes(value)))
		must(theirs.MarshalPath("2."+path, g))
	}
	if in != "" {
		c.End()
	}
	c.End()
}

// TestVectors packs and unpacks every vector with both codecs.
func TestVectors(t *testing.T) {
	for _, v := range vectors() {
		t.Run(v.group+"/"+v.what, func(t *testing.T) {
			p, err := newPair(dialect(v.f))
			if err != nil {
				t.Fatal(err)
			}
			m, theirs := codec.NewMessage(p.prog), moov.NewMessage(p.spec)
			m.SetText(0, "0200")
			theirs.MTI("0200")
			v.set(t, m, theirs)
			want := one(v.wire)
			if got, err := m.AppendTo(nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("we pack %X, %v, want %X", got, err, want)
			}
			if got, err := theirs.Pack(); v.rule == "" && (err != nil || !bytes.Equal(got, want)) {
				t.Errorf("moov packs %X, %v, want %X", got, err, want)
			}
			if err := p.agree(want); err != nil {
				t.Error(err)
			}
			if v.rule != "" && p.used[v.rule] == 0 {
				t.Errorf("moov agrees without rule %s", v.rule)
			}
			if err := p.m.Unpack(want); err != nil {
				t.Fatal(err)
			}
			v.check(t, p.m.Value(2))
		})
	}
}

// check reads the value of a vector back.
func (v vector) check(t *testing.T, got codec.Value) {
	t.Helper()
	if v.group != "Composites" {
		if !bytes.Equal(got.Append(nil), v.bytes(v.value)) || got.Offset() < 10 {
			t.Errorf("it reads as %q at byte %d", got.Append(nil), got.Offset())
		}
		return
	}
	parts := strings.Fields(v.value)
	for _, part := range parts {
		path, value, _ := strings.Cut(part, "=")
		sub := got
		for key := range strings.SplitSeq(path, ".") {
			next := sub.Sub(key)
			for s := range sub.Subfields() { // unknown tags are found by walking
				if s.Key() == key {
					next = s
				}
			}
			sub = next
		}
		if !sub.Present() || !bytes.Equal(sub.Append(nil), v.bytes(value)) {
			t.Errorf("%s reads as %q", path, sub.Append(nil))
		}
	}
}
