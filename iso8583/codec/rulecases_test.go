//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// dialect is a BCD dialect with one element, DE 2.
func dialect(f field.Field) *moov.MessageSpec {
	return &moov.MessageSpec{Name: "one element", Fields: map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
		2: f,
	}}
}

// one is the message 0200 of that dialect with the content of DE 2, its length
// included.
func one(element string) []byte { return unhex("0200 4000000000000000" + element) }

func str(length int, enc encoding.Encoder, pref prefix.Prefixer) field.Field {
	return field.NewString(&field.Spec{Length: length, Enc: enc, Pref: pref})
}

// refusal is a message that moov accepts and we refuse.
type refusal struct {
	rule   string
	spec   *moov.MessageSpec
	raw    []byte
	reason string
	path   string
	offset int
}

func refusals() []refusal {
	tagged := func(enc encoding.Encoder, length int) field.Field {
		return field.NewComposite(&field.Spec{Length: 99, Pref: prefix.BCD.LL, Tag: &field.TagSpec{Length: length, Enc: enc, Sort: sort.StringsByInt},
			Subfields: map[string]field.Field{"123": str(2, encoding.ASCII, prefix.ASCII.Fixed)}})
	}
	return []refusal{
		{"trailing", dialect(str(2, encoding.ASCII, prefix.ASCII.Fixed)), one("3031 00"), codec.ReasonTrailing, "0", 12},
		{"bcd-nibble", dialect(str(4, encoding.BCD, prefix.BCD.Fixed)), one("123F"), codec.ReasonNibble, "2", 10},
		{"bcd-filler", dialect(str(3, encoding.BCD, prefix.BCD.Fixed)), one("9123"), codec.ReasonFiller, "2", 10},
		{"bcd-filler", dialect(str(3, encoding.LBCD, prefix.BCD.Fixed)), one("1234"), codec.ReasonFiller, "2", 10},
		{"bcd-filler", dialect(str(99, encoding.ASCII, prefix.BCD.LLL)), one("1001 30"), codec.ReasonFiller, "2", 10},
		{"bcd-filler", dialect(str(999, encoding.ASCII, prefix.BCD.L)), one("21 30"), codec.ReasonFiller, "2", 10},
		{"bcd-filler", dialect(tagged(encoding.BCD, 3)), one("04 9123 3030"), codec.ReasonFiller, "2", 11},
		{"length-sign", dialect(str(9, encoding.ASCII, prefix.ASCII.LL)), one("2B31 41"), codec.ReasonLengthDigits, "2", 10},
		{"length-sign", dialect(str(9, encoding.ASCII, prefix.EBCDIC.LL)), one("4EF1 41"), codec.ReasonLengthDigits, "2", 10},
		{"number-sign", dialect(field.NewNumeric(&field.Spec{Length: 2, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed})), one("2D35"), codec.ReasonNotNumber, "2", 10},
		{"bitmaps", dialect(str(2, encoding.ASCII, prefix.ASCII.Fixed)), unhex("0200 C000000000000000 8000000000000000 8000000000000000 0000000000000000 3030"), codec.ReasonManyMaps, "129", 18},
		{"ber-length", dialect(str(9, encoding.Binary, prefix.BerTLV)), one("80"), codec.ReasonLengthBER, "2", 10},
		{"ber-length", dialect(str(9, encoding.Binary, prefix.BerTLV)), one("89 010000000000000001 41"), codec.ReasonLengthBER, "2", 10},
		{"size", dialect(str(999999, encoding.ASCII, prefix.ASCII.LLLLLL)), append(one("303730303030"), bytes.Repeat([]byte("A"), 70000)...), codec.ReasonTooLong, "0", 0},
	}
}

// TestRefusals: we refuse each message under its rule, moov accepts it.
func TestRefusals(t *testing.T) {
	for _, c := range refusals() {
		p, err := newPair(c.spec)
		if err != nil {
			t.Fatalf("%s: %v", c.rule, err)
		}
		fe, ok := errors.AsType[*codec.FieldError](p.m.Unpack(c.raw))
		if !ok || fe.Reason != c.reason || fe.Path != c.path || fe.Offset != c.offset {
			t.Errorf("%s: %v", c.rule, fe)
		}
		if p.m.Has(2) || p.m.Raw() != nil {
			t.Errorf("%s: the message is not empty after an error", c.rule)
		}
		if err := moov.NewMessage(c.spec).Unpack(c.raw); err != nil {
			t.Errorf("%s: moov refuses it too: %v", c.rule, err)
		}
		if err := p.agree(c.raw); err != nil || p.used[c.rule] == 0 {
			t.Errorf("%s: the harness says %v, %v", c.rule, err, p.used)
		}
	}
}

// TestPanics: moov panics on these, we give a reason.
func TestPanics(t *testing.T) {
	composite := func(p prefix.Prefixer) field.Field {
		return field.NewComposite(&field.Spec{Length: 0, Pref: p, Tag: &field.TagSpec{Sort: sort.StringsByInt},
			Subfields: map[string]field.Field{"1": str(1, encoding.ASCII, prefix.ASCII.Fixed)}})
	}
	for name, c := range map[string]struct {
		f       field.Field
		element string
	}{
		"negative EBCDIC length of a composite": {composite(prefix.EBCDIC.LL), "60F5 F0"},
		"negative BER length of a composite":    {composite(prefix.BerTLV), "88 FFFFFFFFFFFFFFFF 41"},
		"huge BER length of hexadecimal":        {str(0, encoding.BytesToASCIIHex, prefix.BerTLV), "88 4000000000000000 41"},
	} {
		p, err := newPair(dialect(c.f))
		if err != nil {
			t.Fatal(err)
		}
		raw := one(c.element)
		if err := guarded(func() error { return moov.NewMessage(p.spec).Unpack(raw) }); err != errPanic {
			t.Errorf("%s: moov says %v", name, err)
		}
		if err := p.m.Unpack(raw); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if err := p.agree(raw); err != nil || p.used["panic"] == 0 {
			t.Errorf("%s: the harness says %v", name, err)
		}
	}
}

// rewrite is a value that both codecs take, but moov packs otherwise.
type rewrite struct {
	rule  string
	f     field.Field
	value string
	ours  string // element, its length included; empty when we refuse it
	moov  string // what moov packs, empty when it refuses
}

func rewrites() []rewrite {
	return []rewrite{
		{"binary-length", str(9, encoding.ASCII, prefix.Binary.LLLLL), "A", "0000000001 41", "0000000001 41"},
		{"hex-fixed", field.NewBinary(&field.Spec{Length: 1, Enc: encoding.BytesToASCIIHex, Pref: prefix.Hex.Fixed}), "A", "3431", ""},
		{"hex-count", field.NewString(&field.Spec{Length: 9, Enc: encoding.ASCIIHexToBytes, Pref: prefix.Binary.L}), "ABCD", "02 ABCD", "04 ABCD"},
		{"utf8-count", field.NewString(&field.Spec{Length: 9, Enc: encoding.EBCDIC1047, Pref: prefix.Binary.L}), "é", "01 51", "02 51"},
		{"ber-empty", field.NewString(&field.Spec{Length: 9, Enc: encoding.ASCII, Pref: prefix.BerTLV}), "", "00", " "},
		{"number-fill", field.NewNumeric(&field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}), "7", "0007", ""},
		{"number-sign", field.NewNumeric(&field.Spec{Length: 4, Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "-7", "", "3032 2D37"},
		{"track", field.NewTrack2(&field.Spec{Length: 37, Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "4=29121011 ", "3131 343D3239313231303131 20", "3130 343D3239313231303131"},
		{"track", field.NewTrack3(&field.Spec{Length: 37, Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "no track", "", "3031 3D"},
	}
}

// TestRewrites packs each value with both codecs.
func TestRewrites(t *testing.T) {
	for _, c := range rewrites() {
		p, err := newPair(dialect(c.f))
		if err != nil {
			t.Fatalf("%s: %v", c.rule, err)
		}
		m, theirs := codec.NewMessage(p.prog), moov.NewMessage(p.spec)
		m.SetText(0, "0200")
		m.SetText(2, c.value)
		theirs.MTI("0200")
		must(theirs.BinaryField(2, []byte(c.value)))
		got, err := m.AppendTo(nil)
		if c.ours == "" != (err != nil) || c.ours != "" && !bytes.Equal(got, one(c.ours)) {
			t.Errorf("%s: we pack %X, %v", c.rule, got, err)
		}
		if c.ours != "" {
			if err := p.m.Unpack(got); err != nil || p.m.Value(2).Text() != strings.TrimLeft(c.value, "0") {
				t.Errorf("%s: it reads as %q, %v", c.rule, p.m.Value(2).Text(), err)
			}
			if err := p.agree(got); err != nil {
				t.Errorf("%s: %v", c.rule, err)
			}
		}
		want, err := theirs.Pack()
		if c.moov == "" != (err != nil) || c.moov != "" && !bytes.Equal(want, one(c.moov)) {
			t.Errorf("%s: moov packs %X, %v", c.rule, want, err)
		}
	}
}

// TestUnreadable: what no bitmap announces or has no length is not packed.
func TestUnreadable(t *testing.T) {
	spec := dialect(str(2, encoding.ASCII, prefix.ASCII.Fixed))
	spec.Fields[1] = field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: true})
	spec.Fields[66] = str(2, encoding.ASCII, prefix.ASCII.Fixed)
	spec.Fields[3] = str(2, encoding.ASCII, prefix.None.Fixed)
	spec.Fields[4] = str(2, encoding.ASCII, prefix.ASCII.Fixed)
	p, err := newPair(spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set    []int
		reason string
	}{{[]int{66}, codec.ReasonNoPlace}, {[]int{3, 4}, codec.ReasonBehindRest}} {
		m, theirs := codec.NewMessage(p.prog), moov.NewMessage(spec)
		m.SetText(0, "0200")
		theirs.MTI("0200")
		for _, de := range c.set {
			m.SetText(de, "AB")
			must(theirs.Field(de, "AB"))
		}
		_, err := m.AppendTo(nil)
		if fe, ok := errors.AsType[*codec.FieldError](err); !ok || fe.Reason != c.reason {
			t.Errorf("%v: %v", c.set, err)
		}
		raw, err := theirs.Pack()
		if err != nil {
			t.Fatal(err)
		}
		back := moov.NewMessage(spec)
		if err := back.Unpack(raw); err == nil && back.GetField(c.set[len(c.set)-1]) != nil {
			t.Errorf("%v: moov reads what it packs", c.set)
		}
	}
	// A bit that announces a bitmap is no element, whatever the specification says.
	spec.Fields[1] = dialect(nil).Fields[1]
	spec.Fields[65] = str(1, encoding.ASCII, prefix.ASCII.Fixed)
	if p, err = newPair(spec); err != nil {
		t.Fatal(err)
	}
	m := codec.NewMessage(p.prog)
	m.SetText(65, "A")
	if fe, ok := errors.AsType[*codec.FieldError](m.Err()); !ok || fe.Reason != codec.ReasonNoPlace {
		t.Errorf("DE 65 was set: %v", m.Err())
	}
}

// TestTerminalRules has the rules that only the terminal interface adds.
func TestTerminalRules(t *testing.T) {
	for rule, raw := range map[string][]byte{
		"alphabet":     unhex("0200 0000000002000000 2E30"),
		"empty":        unhex("0200 0000000000000200 0000"),
		"empty-bitmap": unhex("0200 8020000000000000 0000000000000000 000001"),
		"bitmaps":      unhex("0200 8000000000000000 8000000000000000 0000000000000000"),
		"size":         append(unhex("0200 00000000000700C0"), bytes.Repeat(append([]byte{9, 0x99}, bytes.Repeat([]byte(" "), 999)...), 5)...),
	} {
		_, err := iso8583.Unpack(raw)
		fe, ok := errors.AsType[*codec.FieldError](err)
		if !ok || !contains(ruleOf(rule).reasons, fe.Reason) {
			t.Errorf("%s: %v", rule, err)
		}
		if err := moov.NewMessage(iso8583.Spec()).Unpack(raw); err != nil {
			t.Errorf("%s: moov refuses it too: %v", rule, err)
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// TestRulesAreFew: at most twenty, each with a clause and a case above.
func TestRulesAreFew(t *testing.T) {
	cases := map[string]bool{"panic": true, "unreadable": true, "alphabet": true, "empty": true, "empty-bitmap": true}
	for _, c := range refusals() {
		cases[c.rule] = true
	}
	for _, c := range rewrites() {
		cases[c.rule] = true
	}
	if len(rules) > maxRules {
		t.Errorf("there are %d rules", len(rules))
	}
	for _, r := range rules {
		if !cases[r.id] || r.moov == "" || r.clause == "" || r.ours == "" {
			t.Errorf("%s has no case, no clause or no description", r.id)
		}
		delete(cases, r.id)
	}
	for id := range cases {
		t.Errorf("there are cases of %q, which is no rule", id)
	}
}
