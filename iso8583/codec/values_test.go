//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"tallystick.example/iso8583/codec"
)

// drawValue draws a value that the field can mostly hold.
func drawValue(d *dice, f field.Field) []byte {
	s := f.Spec()
	n := s.Length
	if _, fixed := strings.CutSuffix(s.Pref.Inspect(), ".Fixed"); !fixed || s.Pref == prefix.None.Fixed || s.Pad != nil {
		n = d.n(min(n, 24) + 1)
		if s.Length == 0 {
			n = d.n(6)
		}
	}
	if d.one(24) {
		n += d.n(3) - 1
	}
	if s.Pref == prefix.BerTLV && d.one(4) && (s.Length == 0 || s.Length > 160) {
		n = 120 + d.n(40)
	}
	switch f.(type) {
	case *field.Numeric:
		return drawChars(d, max(1, d.n(n+1)), "0123456789")
	case *field.Bitmap:
		b := make([]byte, max(s.Length, 1))
		if s.Length == 0 {
			b = make([]byte, 8)
		}
		for i := range b {
			b[i] = d.byte()
		}
		b[0] &= 0x7F
		return b
	case *field.Track1:
		return []byte(pick(d, "B4242424242424242^SMITH/JOHN^2912101123456789", "B1^AB^^^1", "B42^AB ^2912^1 ", "B4^A^29121011"))
	case *field.Track2:
		return []byte(pick(d, "4242424242424242=29121011234567", "4242D29121011", "4=00000000", "424242424242424=2912201 1", "42D2912101123"))
	case *field.Track3:
		return []byte(pick(d, "014242424242424242=1234", "011=1", "01=1"))
	}
	switch s.Enc {
	case encoding.BCD, encoding.LBCD:
		return drawChars(d, max(n, 0), "0123456789")
	case encoding.ASCIIHexToBytes:
		return drawChars(d, 2*max(n, 0), "0123456789ABCDEF")
	case encoding.Binary, encoding.BytesToASCIIHex:
		return drawChars(d, max(n, 0), "\x00\xff\x3f09A \x9f")
	}
	if d.one(4) {
		return drawChars(d, max(n, 0), "0 Fä")
	}
	return drawChars(d, max(n, 0), "0123456789 AFZaz~")
}

func drawChars(d *dice, n int, from string) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[d.n(len(from))]
	}
	return b
}

// drawPair sets the same drawn values in a message of each codec.
func (p *pair) drawPair(d *dice) (ours *codec.Message, theirs *moov.Message) {
	ours, theirs = codec.NewMessage(p.prog), moov.NewMessage(p.spec)
	ours.SetText(0, "0200")
	theirs.MTI("0200")
	p.lost, p.untaken = false, false
	all := fieldsOf(p.spec)
	for _, de := range all {
		if d.one(4) || len(all) > 12 && d.n(len(all)) > 12 {
			continue
		}
		f := p.spec.Fields[de]
		if c, ok := f.(*field.Composite); ok {
			o := ours.Compose(de)
			must(theirs.MarshalPath(strconv.Itoa(de), &struct{}{}))
			p.drawSubfields(d, c, o, func(path string, v any) { must(theirs.MarshalPath(fmt.Sprintf("%d.%s", de, path), v)) }, "")
			o.End()
			continue
		}
		v := drawValue(d, f)
		ours.SetBytes(de, v)
		g := field.NewInstanceOf(f)
		if g.SetBytes(bytes.Clone(v)) != nil {
			p.untaken = true
			continue
		}
		if again, ok := normalTrack(f, v); ok && !bytes.Equal(again, v) {
			p.lost = true
		}
		must(theirs.BinaryField(de, bytes.Clone(v)))
	}
	return ours, theirs
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// drawSubfields draws subfields in the order in which moov packs them.
func (p *pair) drawSubfields(d *dice, c *field.Composite, o *codec.Composer, set func(path string, v any), path string) {
	s := c.Spec()
	var keys []string
	for key := range s.Subfields {
		keys = append(keys, key)
	}
	if unknown := drawUnknown(d, s); unknown != "" {
		keys = append(keys, unknown)
	}
	slices.Sort(keys)
	if s.Tag != nil {
		s.Tag.Sort(keys)
	} else {
		slices.SortFunc(keys, func(a, b string) int { return atoi(a) - atoi(b) })
	}
	for _, key := range keys {
		if d.one(3) {
			if s.Bitmap != nil || s.Tag.Enc != nil {
				continue
			}
			if s.Pref.Inspect() != "None.Fixed" && !strings.HasSuffix(s.Pref.Inspect(), "Fixed") {
				return
			}
		}
		f := s.Subfields[key]
		if f == nil { // an unknown tag
			f = field.NewBinary(&field.Spec{Length: 99, Enc: encoding.Binary, Pref: unknownPrefix(s.Tag)})
		}
		if sub, ok := f.(*field.Composite); ok {
			o.Begin(key)
			set(path+key, &struct{}{})
			p.drawSubfields(d, sub, o, set, path+key+".")
			o.End()
			continue
		}
		v := drawValue(d, f)
		o.SetBytes(key, v)
		g := field.NewInstanceOf(f)
		if g.SetBytes(bytes.Clone(v)) != nil {
			p.untaken = true
			continue
		}
		if again, ok := normalTrack(f, v); ok && !bytes.Equal(again, v) {
			p.lost = true
		}
		if s.Subfields[key] == nil { // moov sizes what it stores
			g.Spec().Length = len(v)
		}
		set(path+key, g)
	}
}

// drawUnknown draws a tag that the composite does not define and would store.
func drawUnknown(d *dice, s *field.Spec) string {
	if s.Tag == nil || s.Tag.Enc == nil || !s.Tag.StoreUnknownTLVTags || !s.Tag.SkipUnknownTLVTags || d.one(2) {
		return ""
	}
	key := "7777777"
	switch {
	case s.Tag.Enc == encoding.BerTLVTag:
		key = pick(d, "DF01", "9F8177", "8E")
	case s.Tag.Enc == encoding.ASCIIHexToBytes:
		key = key[:2*s.Tag.Length]
	default:
		key = key[:s.Tag.Length]
	}
	if s.Subfields[key] != nil {
		return ""
	}
	return key
}

func unknownPrefix(t *field.TagSpec) prefix.Prefixer {
	if t.PrefUnknownTLV != nil {
		return t.PrefUnknownTLV
	}
	return prefix.BerTLV
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// fieldsOf lists the elements of a specification that messages can hold.
func fieldsOf(s *moov.MessageSpec) (list []int) {
	for de := range s.Fields {
		if de > 1 {
			list = append(list, de)
		}
	}
	slices.Sort(list)
	return list
}

// mutate changes a message in a few places.
func mutate(d *dice, raw []byte) []byte {
	raw = bytes.Clone(raw)
	for range d.n(4) {
		at := d.n(len(raw) + 1)
		switch d.n(7) {
		case 0:
			raw = raw[:at]
		case 1:
			raw = slices.Insert(raw, at, d.byte())
		case 2:
			raw = append(raw, d.byte())
		default:
			if at == len(raw) {
				continue
			}
			switch d.n(4) {
			case 0:
				raw[at] = d.byte()
			case 1:
				raw[at] ^= 1 << d.n(8)
			case 2:
				raw[at] = pick[byte](d, '-', '+', 0x80, 0x81, 0x84, 0x88, 0xFF, 0x0F, 0x1F, 0x60, 0x4E, 'a', 0, ' ')
			case 3:
				raw = slices.Delete(raw, at, at+1)
			}
		}
	}
	return raw
}

// repeated is raw with each tagged composite's subfields there twice, the second
// time with other values; nil when there are none that fit.
func (p *pair) repeated(d *dice, raw []byte) []byte {
	if p.m.Unpack(raw) != nil {
		return nil
	}
	m, found := p.m.Clone(), false
	for _, de := range fieldsOf(p.spec) {
		v, s := p.m.Value(de), p.spec.Fields[de].Spec()
		if v.Kind() != codec.Composite || s.Tag == nil || s.Tag.Enc == nil {
			continue
		}
		c := m.Compose(de)
		for again := range 2 {
			for sub := range v.Subfields() {
				f := s.Subfields[sub.Key()]
				if f == nil || sub.Kind() == codec.Composite {
					continue
				}
				value := sub.Append(nil)
				if again == 1 {
					value, found = drawValue(d, f), true
				}
				c.SetBytes(sub.Key(), value)
			}
		}
		c.End()
	}
	out, err := m.AppendTo(nil)
	if err != nil || !found {
		return nil
	}
	return out
}

// overlong is a message with one element, which is longer than the dialect allows
// and else as it should be; nil when none can be.
func (p *pair) overlong(d *dice) []byte {
	l := *p.prog.Layout()
	l.Fields = maps.Clone(l.Fields)
	all := fieldsOf(p.spec)
	if len(all) == 0 {
		return nil
	}
	de := all[d.n(len(all))]
	f, ok := l.Fields[de]
	if !ok || f.Kind == codec.Composite || f.Kind == codec.Bits || f.Prefix.Form == codec.Fixed || f.Prefix.Form == codec.Rest || f.Length == 0 {
		return nil
	}
	f.Length += 1 + d.n(3)
	l.Fields[de] = f
	wide, err := codec.New(l)
	if err != nil {
		return nil
	}
	n := f.Length
	if f.Enc == codec.ASCIIToHex {
		n *= 2
	}
	m := codec.NewMessage(wide)
	m.SetText(0, "0200")
	m.SetBytes(de, drawChars(d, n, "1234567890"))
	out, err := m.AppendTo(nil)
	if err != nil {
		return nil
	}
	return out
}
