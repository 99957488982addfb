//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tallystick.example/iso8583/codec"
)

// A pair is one dialect in both codecs.
type pair struct {
	spec *moov.MessageSpec
	prog *codec.Program
	m    *codec.Message
	used map[string]int // how often each rule explained a difference
	lost bool           // moov lost a part of a track of this message
	// untaken: moov's field did not take a value of this message.
	untaken bool
}

func newPair(spec *moov.MessageSpec) (*pair, error) {
	p, err := codec.Compile(spec)
	if err != nil {
		return nil, err
	}
	return &pair{spec: spec, prog: p, m: codec.NewMessage(p), used: map[string]int{}}, nil
}

// use notes that a difference is of a rule.
func (p *pair) use(id string) {
	if ruleOf(id) == nil {
		panic("no such rule: " + id)
	}
	p.used[id]++
}

var errPanic = errors.New("moov panics")

// guarded runs f and turns a panic into errPanic.
func guarded(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return f()
}

// agree unpacks the same bytes with both codecs and compares: accepted or
// refused, every value, and what the values pack to. It returns nil when both
// agree or a rule explains why not.
func (p *pair) agree(raw []byte) error {
	p.lost = false
	ours := p.m.Unpack(raw)
	theirs := moov.NewMessage(p.spec)
	moovErr := guarded(func() error { return theirs.Unpack(bytes.Clone(raw)) })
	switch {
	case moovErr == errPanic && ours == nil && p.has(wideBinary):
		p.use("binary-length") // having lost its place, moov takes a value for a length
		return nil
	case moovErr == errPanic && ours == nil:
		return errors.New("moov panics on what we accept")
	case moovErr == errPanic:
		p.use("panic")
		return nil
	case ours != nil && moovErr != nil:
		return wellFormed(ours, raw)
	case ours != nil:
		if err := wellFormed(ours, raw); err != nil {
			return err
		}
		return p.onlyWeRefuse(ours, theirs, raw)
	case moovErr != nil:
		if p.has(wideBinary) {
			p.use("binary-length")
			return nil
		}
		return fmt.Errorf("only moov refuses it: %w", moovErr)
	}
	out, err := p.m.AppendTo(nil)
	if err != nil || !bytes.Equal(out, raw) {
		return fmt.Errorf("an unmodified message packs to %X, %v", out, err)
	}
	if err := p.sameValues(theirs); err != nil {
		if p.has(wideBinary) {
			p.use("binary-length")
			return nil
		}
		return err
	}
	if err := p.samePacking(theirs); err != nil {
		return err
	}
	return p.onlyForm(raw)
}

// onlyForm: in a plain dialect a message has one form, so that whatever we
// accept is what its values pack to. A check that is missing shows here, also
// where moov does not know it.
func (p *pair) onlyForm(raw []byte) error {
	if p.has(manyForms) || len(p.prog.Layout().Fields) == 0 {
		return nil
	}
	for _, f := range p.spec.Fields {
		switch f.(type) {
		case *field.String, *field.Binary, *field.Hex, *field.Bitmap:
		default:
			return nil
		}
	}
	m := codec.NewMessage(p.prog)
	m.SetBytes(0, p.m.Value(0).Append(nil))
	present := p.m.Present()
	for de := 2; de <= codec.MaxElement; de++ {
		if present.Has(de) {
			p.copyValue(m, de)
		}
	}
	out, err := m.AppendTo(nil)
	if err == nil && len(out) < len(raw) && emptyBitmap(raw, p.spec) {
		return nil
	}
	if err != nil || !bytes.Equal(out, raw) {
		return fmt.Errorf("accepted, but its values pack to %X, %v", out, err)
	}
	return p.change(m)
}

// change sets the last element of the message that arrived and of built, which
// has its values, to another value: both pack to the same then.
func (p *pair) change(built *codec.Message) error {
	present := p.m.Present()
	de := present.Last()
	v := p.m.Value(de).Append(nil)
	if de == 0 || len(v) == 0 {
		return nil
	}
	v[len(v)-1] = '7'
	p.m.SetBytes(de, v)
	built.SetBytes(de, v)
	got, err := p.m.AppendTo(nil)
	want, builtErr := built.AppendTo(nil)
	if err == nil != (builtErr == nil) || !bytes.Equal(got, want) {
		return fmt.Errorf("changed it packs to %X, %v, built to %X, %v", got, err, want, builtErr)
	}
	return nil
}

// manyForms is a field whose value can be written in more than one way: with or
// without padding, in capitals or not, with a long BER length.
func manyForms(s *field.Spec) bool {
	return s.Pad != nil && s.Pad != padding.None || s.Enc == encoding.LBCD || s.Enc == encoding.BytesToASCIIHex || s.Pref == prefix.BerTLV || s.Pref == prefix.None.Fixed ||
		strings.HasPrefix(s.Pref.Inspect(), "Hex.L") || s.DisableAutoExpand
}

// emptyBitmap reports whether the last of several bitmaps announces nothing.
func emptyBitmap(raw []byte, s *moov.MessageSpec) bool {
	m := moov.NewMessage(s)
	if m.Unpack(bytes.Clone(raw)) != nil {
		return false
	}
	b, err := m.Bitmap().Bytes()
	one := s.Fields[1].Spec().Length
	if one == 0 {
		one = 8
	}
	return err == nil && len(b) > one && len(bytes.Trim(b[len(b)-one:], "\x00")) == 0
}

// wellFormed checks an error of ours.
func wellFormed(err error, raw []byte) error {
	fe, ok := errors.AsType[*codec.FieldError](err)
	if !ok || fe.Reason == "" || fe.Path == "" || fe.Offset < 0 || fe.Offset > len(raw) {
		return fmt.Errorf("an error without path, offset or reason: %#v", err)
	}
	if n, _, _ := bytes.Cut([]byte(fe.Path), []byte(".")); string(n) != strconv.Itoa(fe.DE) {
		return fmt.Errorf("path %q of DE %d", fe.Path, fe.DE)
	}
	return nil
}

// onlyWeRefuse looks for the rule, and for a sign that moov lost something: what
// it accepted does not pack to the same bytes.
func (p *pair) onlyWeRefuse(ours error, theirs *moov.Message, raw []byte) error {
	fe, _ := errors.AsType[*codec.FieldError](ours)
	if p.has(wideBinary) {
		p.use("binary-length")
		return nil
	}
	var out []byte
	packErr := guarded(func() (err error) { out, err = theirs.Pack(); return err })
	for _, r := range rulesFor(fe.Reason) {
		if r.keeps || packErr != nil || !bytes.Equal(out, raw) {
			p.use(r.id)
			return nil
		}
	}
	return fmt.Errorf("only we refuse it: %w", ours)
}

// sameValues compares every element that either codec found.
func (p *pair) sameValues(theirs *moov.Message) error {
	for de, f := range theirs.GetFields() {
		if de == 1 {
			continue
		}
		if err := p.sameValue(strconv.Itoa(de), p.m.Value(de), f); err != nil {
			return err
		}
	}
	present := p.m.Present()
	for de := 2; de <= codec.MaxElement; de++ {
		if present.Has(de) && theirs.GetField(de) == nil {
			return fmt.Errorf("DE %d: only we find it", de)
		}
	}
	return nil
}

func (p *pair) sameValue(path string, v codec.Value, f field.Field) error {
	if !v.Present() {
		return fmt.Errorf("DE %s: only moov finds it", path)
	}
	if c, ok := f.(*field.Composite); ok {
		return p.sameSubfields(path, v, c)
	}
	got := v.Append(nil)
	want, err := f.Bytes()
	if err != nil {
		return err
	}
	if n, ok := f.(*field.Numeric); ok {
		if number, valid := v.Number(); !valid || number != n.Value() {
			return fmt.Errorf("DE %s: number %d, %v, moov has %d", path, number, valid, n.Value())
		}
	}
	if bytes.Equal(got, want) {
		return nil
	}
	if again, ok := normalTrack(f, got); ok && bytes.Equal(again, want) {
		p.use("track")
		p.lost = true
		return nil
	}
	return fmt.Errorf("DE %s: value %q, moov has %q", path, got, want)
}

// normalTrack is what moov makes of a track.
func normalTrack(f field.Field, track []byte) ([]byte, bool) {
	switch f.(type) {
	case *field.Track1, *field.Track2, *field.Track3:
	default:
		return nil, false
	}
	t := field.NewInstanceOf(f)
	if len(track) > 0 {
		if err := t.SetBytes(track); err != nil {
			return nil, false
		}
	}
	out, err := t.Bytes()
	return out, err == nil
}

func (p *pair) sameSubfields(path string, v codec.Value, c *field.Composite) error {
	last := map[string]codec.Value{} // of a tag that repeats, moov keeps the last
	for sub := range v.Subfields() {
		last[sub.Key()] = sub
	}
	store := c.Spec().Tag != nil && c.Spec().Tag.StoreUnknownTLVTags
	subs := c.GetSubfields()
	for key, f := range subs {
		if err := p.sameValue(path+"."+key, last[key], f); err != nil {
			return err
		}
	}
	for key, sub := range last {
		if _, ok := subs[key]; !ok && (sub.Known() || store) {
			return fmt.Errorf("DE %s.%s: only we find it", path, key)
		}
		if sub.Known() && v.Sub(key) != sub {
			return fmt.Errorf("DE %s.%s: found as another one", path, key)
		}
	}
	return nil
}

// samePacking sets the values that arrived in a new message and compares what it
// packs to with what moov packs.
func (p *pair) samePacking(theirs *moov.Message) error {
	m := codec.NewMessage(p.prog)
	m.SetBytes(0, p.m.Value(0).Append(nil))
	present := p.m.Present()
	for de := 2; de <= codec.MaxElement; de++ {
		if present.Has(de) {
			p.copyValue(m, de)
		}
	}
	var want []byte
	moovErr := guarded(func() (err error) { want, err = theirs.Pack(); return err })
	got, err := m.AppendTo(nil)
	return p.samePack(theirs.GetFields(), got, err, want, moovErr)
}

// copyValue sets element de from its value, not its content.
func (p *pair) copyValue(m *codec.Message, de int) {
	v := p.m.Value(de)
	if v.Kind() != codec.Composite {
		m.SetBytes(de, v.Append(nil))
		return
	}
	c := m.Compose(de)
	copySubfields(c, v, p.spec.Fields[de].Spec())
	c.End()
}

func copySubfields(c *codec.Composer, v codec.Value, spec *field.Spec) {
	last := map[string]codec.Value{}
	var keys []string
	for sub := range v.Subfields() {
		if !sub.Known() && !spec.Tag.StoreUnknownTLVTags {
			continue
		}
		if _, ok := last[sub.Key()]; !ok {
			keys = append(keys, sub.Key())
		}
		last[sub.Key()] = sub
	}
	if spec.Tag != nil {
		spec.Tag.Sort(keys)
	}
	for _, key := range keys {
		sub := last[key]
		if sub.Kind() != codec.Composite {
			c.SetBytes(key, sub.Append(nil))
			continue
		}
		c.Begin(key)
		copySubfields(c, sub, spec.Subfields[key].Spec())
		c.End()
	}
}

// samePack compares two packed messages, or the errors, of the same values.
func (p *pair) samePack(fields map[int]field.Field, got []byte, err error, want []byte, moovErr error) error {
	if err == nil && moovErr == nil && bytes.Equal(got, want) {
		return nil
	}
	if err != nil && moovErr != nil {
		return nil
	}
	for _, id := range p.packRules(fields, err, moovErr) {
		p.use(id)
		return nil
	}
	return fmt.Errorf("we pack %X, %v, moov packs %X, %v", got, err, want, moovErr)
}

// packRules lists the rules that may explain why the values of fields pack
// differently.
func (p *pair) packRules(fields map[int]field.Field, err, moovErr error) (ids []string) {
	if fe, ok := errors.AsType[*codec.FieldError](err); ok {
		for _, r := range rulesFor(fe.Reason) {
			ids = append(ids, r.id)
		}
	}
	for de, f := range fields {
		if de == 1 {
			continue
		}
		walk(f, func(f field.Field) {
			if id := p.packRule(f, err != nil, moovErr != nil); id != "" {
				ids = append(ids, id)
			}
		})
	}
	return ids
}

// packRule is the rule under which one field of moov's packs differently.
func (p *pair) packRule(f field.Field, weRefuse, refused bool) string {
	s := f.Spec()
	var value []byte
	if _, composite := f.(*field.Composite); !composite {
		value, _ = f.Bytes()
	}
	_, bitmap := f.(*field.Bitmap)
	switch {
	case bitmap:
		return ""
	case s.Pref == prefix.Hex.Fixed && (refused || weRefuse):
		return "hex-fixed"
	case s.Enc == encoding.ASCIIHexToBytes && s.Pref != prefix.Hex.Fixed:
		return "hex-count"
	case s.Enc == encoding.EBCDIC1047 && !ascii(value):
		return "utf8-count"
	case s.Pref == prefix.BerTLV && packsEmpty(f):
		return "ber-empty"
	}
	switch f.(type) {
	case *field.Numeric:
		if (s.Pad == nil || s.Pad == padding.None) && refused {
			return "number-fill"
		}
	case *field.Track1, *field.Track2, *field.Track3:
		if p.lost {
			return "track"
		}
	}
	return ""
}

func packsEmpty(f field.Field) bool {
	b, err := f.Bytes()
	return err == nil && len(b) == 0
}

func ascii(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r >= 0x80 {
			return false
		}
		b = b[n:]
	}
	return true
}

// walk visits a field and all that it holds.
func walk(f field.Field, visit func(field.Field)) {
	visit(f)
	if c, ok := f.(*field.Composite); ok {
		for _, sub := range c.GetSubfields() {
			walk(sub, visit)
		}
	}
}

// has reports whether any field of the specification is of a sort.
func (p *pair) has(sort func(*field.Spec) bool) bool {
	var in func(f field.Field) bool
	in = func(f field.Field) bool {
		s := f.Spec()
		if sort(s) {
			return true
		}
		for _, sub := range s.Subfields {
			if in(sub) {
				return true
			}
		}
		return false
	}
	for _, f := range p.spec.Fields {
		if in(f) {
			return true
		}
	}
	return false
}

// wideBinary is a binary length of five or six bytes.
func wideBinary(s *field.Spec) bool {
	wide := func(p prefix.Prefixer) bool {
		return p == prefix.Binary.LLLLL || p == prefix.Binary.LLLLLL
	}
	return wide(s.Pref) || s.Tag != nil && wide(s.Tag.PrefUnknownTLV)
}
