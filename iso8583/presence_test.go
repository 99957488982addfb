package iso8583_test

import (
	"errors"
	"testing"

	"tallystick.example/iso8583"
)

// wantRule checks that err is a refusal because of de (and tag) with code.
func wantRule(t *testing.T, what string, err error, de int, tag byte, code string) {
	t.Helper()
	r, ok := errors.AsType[*iso8583.RuleError](err)
	if !ok {
		t.Errorf("%s: %v, want a refusal because of DE %d tag %02X", what, err, de, tag)
		return
	}
	if r.DE != de || r.Tag != tag || r.Code != code || r.Reason == "" || iso8583.RefusalCode(err) != code {
		t.Errorf("%s: %v with code %q, want DE %d tag %02X with %q", what, r, r.Code, de, tag, code)
	}
}

// TestPresenceMatrix takes every mandatory element out of every message, and
// puts every element in that the table does not allow.
func TestPresenceMatrix(t *testing.T) {
	columns := map[iso8583.MTI]bool{}
	for _, s := range samples(t) {
		mti := unpacked(t, s.raw).MTI()
		columns[mti.ClearRepeat()] = true
		for _, e := range iso8583.Elements() {
			m := unpacked(t, s.raw)
			switch e.Presence(mti) {
			case iso8583.Mandatory, iso8583.EchoMandatory:
				m.Clear(e.DE)
				wantRule(t, s.name+" without", iso8583.Validate(m, s.dir), e.DE, 0, "30")
			case iso8583.Never:
				fill(m, e)
				if err := m.Err(); err != nil {
					t.Fatal(err)
				}
				wantRule(t, s.name+" with", iso8583.Validate(m, s.dir), e.DE, 0, "30")
			}
		}
	}
	for _, c := range iso8583.Columns() {
		if !columns[c] {
			t.Errorf("no sample is a %s", c)
		}
	}
}

// fill sets e to some value of its format.
func fill(m *iso8583.Message, e iso8583.Element) {
	n := e.Length
	if e.Prefix > 0 {
		n = 1
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = '1'
	}
	switch e.Format {
	case "n":
		m.SetDigits(e.DE, string(b))
	case "b", "x+n":
		m.SetBytes(e.DE, b)
	default:
		m.SetText(e.DE, string(b))
	}
}

// TestTagMatrix does the same with the tags of DE 63.
func TestTagMatrix(t *testing.T) {
	every := samplePrivate()
	all, err := every.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	values := map[byte][]byte{}
	for b := all; len(b) > 0; {
		n := 3 + int(b[1])<<8 + int(b[2])
		values[b[0]] = b[:n]
		b = b[n:]
	}
	for _, s := range samples(t) {
		mti := unpacked(t, s.raw).MTI()
		if unpacked(t, s.raw).Digits(70) == iso8583.Echo {
			continue
		}
		for _, tag := range iso8583.Tags() {
			m := unpacked(t, s.raw)
			switch tag.Presence(mti) {
			case iso8583.Mandatory:
				m.SetBytes(63, without(m.Bytes(63), tag.Tag))
				wantRule(t, s.name+" without", iso8583.Validate(m, s.dir), 63, tag.Tag, "30")
			case iso8583.Never:
				m.SetBytes(63, append(append([]byte{}, values[tag.Tag]...), values[0x03]...))
				wantRule(t, s.name+" with", iso8583.Validate(m, s.dir), 63, firstWrong(mti, tag.Tag), "30")
			}
		}
	}
}

// firstWrong is the tag that is refused first in a DE 63 of tag and a KSN: a
// missing mandatory one before it, else itself.
func firstWrong(mti iso8583.MTI, tag byte) byte {
	for _, t := range iso8583.Tags() {
		if t.Tag == tag || t.Presence(mti) == iso8583.Mandatory && t.Tag != 0x03 {
			return t.Tag
		}
	}
	return 0
}

// without takes one tag out of a DE 63.
func without(b []byte, tag byte) []byte {
	var out []byte
	for len(b) > 0 {
		n := 3 + int(b[1])<<8 + int(b[2])
		if b[0] != tag {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	if out == nil {
		out = []byte{0xF0, 0, 0} // an unknown tag: the element must not be empty
	}
	return out
}
