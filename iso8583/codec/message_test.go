//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/exp/emv"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"
	"github.com/moov-io/iso8583/specs"

	"tallystick.example/iso8583/codec"
)

// TestCodePages holds the tables to moov's encoders.
func TestCodePages(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, c := range map[string]struct {
		enc  encoding.Encoder
		pref prefix.Prefixer
	}{"EBCDIC": {encoding.EBCDIC, prefix.EBCDIC.Fixed}, "EBCDIC1047": {encoding.EBCDIC1047, prefix.EBCDIC1047.Fixed}} {
		p, err := newPair(dialect(text(256, c.enc, c.pref)))
		if err != nil {
			t.Fatal(err)
		}
		raw := append(one(""), all...)
		if err := p.m.Unpack(raw); err != nil {
			t.Fatal(err)
		}
		want, _, err := c.enc.Decode(all, 256)
		if got := p.m.Value(2).Append(nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, moov has %q, %v", name, got, want, err)
		}
		m := codec.NewMessage(p.prog)
		m.SetText(0, "0200")
		m.SetBytes(2, want)
		if got, err := m.AppendTo(nil); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: packed %X, %v", name, got, err)
		}
	}
}

// chipMessage is a message of moov's EMV specification, with one unknown tag.
var chipMessage = append([]byte("0200\x00\x00\x00\x00\x00\x00\x02\x00022"), unhex("9F3602001C DFAB0101AA 95050000008000 9F26021122")...)

func chipProgram(tb testing.TB) *codec.Message {
	p, err := codec.Compile(emv.MessageSpec)
	if err != nil {
		tb.Fatal(err)
	}
	m := codec.NewMessage(p)
	if err := m.Unpack(chipMessage); err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestSubfields(t *testing.T) {
	m := chipProgram(t)
	v := m.Value(55)
	var keys []string
	for sub := range v.Subfields() {
		if !sub.Known() != (sub.Key() == "DFAB01") || sub.Known() != (sub.Name() != "") || sub.Offset() < 15 {
			t.Errorf("%s: known %v, name %q, at %d", sub.Key(), sub.Known(), sub.Name(), sub.Offset())
		}
		keys = append(keys, sub.Key())
	}
	if got := strings.Join(keys, " "); got != "9F36 DFAB01 95 9F26" {
		t.Errorf("subfields %s", got)
	}
	if !bytes.Equal(v.Sub("95").Wire(), unhex("0000008000")) || !bytes.Equal(v.Object(0x9F26).Wire(), unhex("1122")) || !bytes.Equal(v.Object(0xDFAB01).Tag(), unhex("DFAB01")) {
		t.Error("a subfield is not found")
	}
	if v.Sub("9F02").Present() || v.Object(0x9F02).Present() {
		t.Error("an absent subfield is found")
	}
	for range v.Subfields() {
		break // walking may end early
	}
}

// TestAbsent: the zero Value is empty in every way.
func TestAbsent(t *testing.T) {
	m := chipProgram(t)
	for _, de := range []int{-1, 1, 2, 64, 192, 193, 1000} {
		v := m.Value(de)
		if v.Present() || v.Kind() != 0 || v.Encoding() != 0 || v.Name() != "" || v.Key() != "" || v.Wire() != nil || v.Append(nil) != nil || v.Text() != "" ||
			v.Len() != 0 || v.Offset() != -1 || v.Known() || v.Tag() != nil || v.Valid() || v.Objects() || v.Sub("1").Present() || v.Object(1).Present() {
			t.Errorf("DE %d has something", de)
		}
		if _, ok := v.Number(); ok || m.Has(de) {
			t.Errorf("DE %d is there", de)
		}
		for range v.Subfields() {
			t.Errorf("DE %d has subfields", de)
		}
	}
}

// TestChangedMessage: what was not set stays as it came, order of tags included.
func TestChangedMessage(t *testing.T) {
	m := chipProgram(t)
	raw := bytes.Clone(m.Raw())
	c := m.Clone()
	c.SetText(0, "0210")
	out, err := c.AppendTo([]byte("before"))
	want := append([]byte("before0210"), raw[4:]...)
	if err != nil || !bytes.Equal(out, want) {
		t.Errorf("changed: %X, %v, want %X", out, err, want)
	}
	if out, err := m.AppendTo(nil); err != nil || !bytes.Equal(out, raw) {
		t.Errorf("the clone changed the original: %X, %v", out, err)
	}
	c.Clear(55)
	c.Clear(55)
	c.Clear(0)
	if out, err := c.AppendTo(nil); err != nil || string(out) != "0210\x00\x00\x00\x00\x00\x00\x00\x00" {
		t.Errorf("cleared: %q, %v", out, err)
	}
	n := codec.NewMessage(m.Program())
	n.SetText(0, "0200")
	n.CopyFrom(m, 55)
	n.CopyFrom(m, 2)
	if out, err := n.AppendTo(nil); err != nil || !bytes.Equal(out, raw) || n.Value(55).Offset() != -1 || n.Value(55).Sub("95").Len() != 5 {
		t.Errorf("copied: %X, %v", out, err)
	}
}

// TestErrorsAreKept: the first error of a setter or Composer is the message's.
func TestErrorsAreKept(t *testing.T) {
	s := dialect(field.NewComposite(&field.Spec{Length: 20, Pref: prefix.ASCII.LL, Tag: &field.TagSpec{Sort: sort.StringsByInt}, Subfields: map[string]field.Field{
		"1": text(2, encoding.ASCII, prefix.ASCII.Fixed),
		"2": field.NewComposite(&field.Spec{Length: 4, Pref: prefix.ASCII.Fixed, Tag: &field.TagSpec{Sort: sort.StringsByInt}, Subfields: map[string]field.Field{"1": text(4, encoding.BCD, prefix.BCD.Fixed)}}),
	}}))
	s.Fields[3] = text(2, encoding.ASCII, prefix.ASCII.Fixed)
	p, err := codec.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  func(*codec.Message)
		path string
	}{
		"wrong length":     {func(m *codec.Message) { m.SetText(3, "ABC") }, "3"},
		"wrong content":    {func(m *codec.Message) { m.SetContent(3, []byte("ABC"), 3) }, "3"},
		"negative number":  {func(m *codec.Message) { m.SetNumber(3, -1) }, "3"},
		"no such element":  {func(m *codec.Message) { m.SetNumber(4, 1) }, "4"},
		"not ASCII":        {func(m *codec.Message) { m.SetText(3, "é") }, "3"},
		"not composite":    {func(m *codec.Message) { m.Compose(3).End() }, "3"},
		"no such subfield": {func(m *codec.Message) { m.Compose(2).SetText("3", "AB") }, "2.3"},
		"out of order":     {func(m *codec.Message) { m.Compose(2).Begin("2") }, "2.2"},
		"bad subfield": {func(m *codec.Message) {
			c := m.Compose(2)
			c.SetText("1", "AB")
			c.Begin("2")
			c.SetText("1", "12X4")
			c.End()
		}, "2.2.1"},
		"negative subfield": {func(m *codec.Message) { m.Compose(2).SetNumber("1", -1) }, "2.1"},
		"nested wrong size": {func(m *codec.Message) {
			c := m.Compose(2)
			c.SetNumber("1", 7)
			c.Begin("2")
			c.SetText("1", "1234")
			c.End()
		}, "2.2"},
		"not begun":    {func(m *codec.Message) { c := m.Compose(2); c.SetText("1", "AB"); c.End(); c.SetText("2", "A") }, "2.2"},
		"bad content":  {func(m *codec.Message) { m.SetText(2, "A") }, "2.1"},
		"left open":    {func(m *codec.Message) { m.Compose(2).SetText("1", "AB") }, "2"},
		"nothing else": {func(m *codec.Message) { m.Fail(3, "first"); m.SetText(3, "ABC") }, "3"},
	} {
		m := codec.NewMessage(p)
		m.SetText(0, "0200")
		c.set(m)
		out, err := m.AppendTo(nil)
		fe, ok := errors.AsType[*codec.FieldError](err)
		if !ok || fe.Path != c.path || fe.Offset != -1 || out != nil {
			t.Errorf("%s: %X, %v", name, out, err)
		}
		m.Reset(p)
		m.SetText(0, "0200")
		if _, err := m.AppendTo(nil); err != nil {
			t.Errorf("%s: the error outlives Reset: %v", name, err)
		}
	}
	m := codec.NewMessage(p)
	if _, err := m.AppendTo(nil); err == nil {
		t.Error("packed without MTI")
	}
	var zero codec.Message
	if _, err := zero.AppendTo(nil); err == nil {
		t.Error("the zero message was packed")
	}
}

// TestSkim reads what stands before the damage.
func TestSkim(t *testing.T) {
	p, err := newPair(specs.Spec87ASCII)
	if err != nil {
		t.Fatal(err)
	}
	m := codec.NewMessage(p.prog)
	m.SetText(0, "0200")
	m.SetText(4, "1234")
	m.SetText(11, "123456")
	m.SetText(41, "TERM0001")
	m.SetText(42, "MERCHANT0000001")
	raw, err := m.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(raw)
	bad[4+32+3] = 0xC3 // in DE 4
	bad = bad[:len(bad)-3]
	if m.Unpack(bad) == nil {
		t.Fatal("accepted")
	}
	if err := m.Skim(bad, 41); err != nil || m.Value(11).Text() != "123456" || m.Value(41).Text() != "TERM0001" || m.Has(42) || m.Value(4).Valid() || !m.Value(11).Valid() {
		t.Errorf("Skim: %v, STAN %q", err, m.Value(11).Text())
	}
	if err := m.Skim(bad, 42); err == nil || m.Has(11) {
		t.Errorf("Skim beyond the damage: %v", err)
	}
	n := codec.NewMessage(p.prog)
	if err := m.Skim(bad, 41); err != nil {
		t.Fatal(err)
	}
	n.CopyFrom(m, 4)
	if n.Err() == nil {
		t.Error("unchecked content was copied")
	}
	set, off, err := p.prog.Bitmaps(raw)
	if err != nil || off != 36 || !set.Has(41) || set.Has(43) || set.Last() != 42 {
		t.Errorf("Bitmaps: %v at %d, %v", set, off, err)
	}
	for i := range 36 {
		if _, _, err := p.prog.Bitmaps(raw[:i]); err == nil {
			t.Errorf("bitmaps in %d bytes", i)
		}
	}
}

// TestObjects: a binary element with TLV is indexed when it is BER-TLV, and
// accepted when it is not.
func TestObjects(t *testing.T) {
	l, err := codec.LayoutOf(dialect(field.NewBinary(&field.Spec{Length: 99, Enc: encoding.Binary, Pref: prefix.BCD.LL})))
	if err != nil {
		t.Fatal(err)
	}
	f := l.Fields[2]
	f.TLV = true
	l.Fields[2] = f
	p, err := codec.New(l)
	if err != nil {
		t.Fatal(err)
	}
	m := codec.NewMessage(p)
	for element, objects := range map[string]int{"07 9F36020007 8100": 2, "08 00 9F36020007 0000": 1, "03 9F3602": -1, "02 9F80": -1, "02 8181": -1, "01 00": 0} {
		if err := m.Unpack(one(element)); err != nil {
			t.Fatalf("%s: %v", element, err)
		}
		v, n := m.Value(2), 0
		for range v.Subfields() {
			n++
		}
		if v.Objects() != (objects >= 0) || n != max(objects, 0) {
			t.Errorf("%s: %d objects, %v", element, n, v.Objects())
		}
		if out, err := m.AppendTo(nil); err != nil || !bytes.Equal(out, one(element)) {
			t.Errorf("%s: %X, %v", element, out, err)
		}
	}
}

// TestManySubfields: memory for subfields is bounded.
func TestManySubfields(t *testing.T) {
	s := dialect(field.NewComposite(&field.Spec{Length: 60000, Pref: prefix.Binary.LL, Tag: &field.TagSpec{Enc: encoding.BerTLVTag, Sort: sort.StringsByHex, SkipUnknownTLVTags: true},
		Subfields: map[string]field.Field{"82": text(2, encoding.ASCII, prefix.BerTLV)}}))
	p, err := newPair(s)
	if err != nil {
		t.Fatal(err)
	}
	raw := append(one("C350"), bytes.Repeat([]byte{0x81, 0}, 25000)...)
	fe, ok := errors.AsType[*codec.FieldError](p.m.Unpack(raw))
	if !ok || fe.Reason != codec.ReasonManySubfields || fe.Path != "2.81" {
		t.Errorf("%v", fe)
	}
	if err := p.agree(raw); err != nil || p.used["size"] == 0 {
		t.Errorf("the harness says %v", err)
	}
}

// TestNoAllocation: a message in use allocates nothing, whatever its fields are.
func TestNoAllocation(t *testing.T) {
	for _, v := range vectors() {
		p, err := newPair(dialect(v.f))
		if err != nil {
			t.Fatal(err)
		}
		raw, out, value := one(v.wire), make([]byte, 0, 1024), make([]byte, 0, 512)
		answer := codec.NewMessage(p.prog)
		if n := testing.AllocsPerRun(20, func() {
			if err := p.m.Unpack(raw); err != nil {
				t.Fatal(err)
			}
			for sub := range p.m.Value(2).Subfields() {
				value = sub.Append(value[:0])
			}
			value = p.m.Value(2).Append(value[:0])
			answer.Reset(p.prog)
			answer.SetText(0, "0210")
			answer.CopyFrom(p.m, 2)
			if v.group != "Composites" {
				answer.SetBytes(2, value)
			}
			if _, err := answer.AppendTo(out); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s, %s: %v allocations", v.group, v.what, n)
		}
	}
}
