//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"errors"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"

	"tallystick.example/iso8583/codec"
)

// A notCompiled is a specification that is refused, with the field and reason.
type notCompiled struct {
	what   string
	spec   *moov.MessageSpec
	path   string
	reason string
}

// own is an encoder, prefixer and padder of somebody else.
type own struct{ prefix.Prefixer }

func (own) Encode(b []byte) ([]byte, error)             { return b, nil }
func (own) Decode(b []byte, n int) ([]byte, int, error) { return b, n, nil }
func (own) Pad(b []byte, _ int) []byte                  { return b }
func (own) Unpad(b []byte) []byte                       { return b }
func (own) Inspect() string                             { return "BCD.LL" }

type ownPadder struct{ own }

func (ownPadder) Inspect() []byte { return []byte(" ") }

func notCompiledSpecs() []notCompiled {
	with := func(change func(*field.Spec)) *moov.MessageSpec {
		s := spec(9, encoding.ASCII, prefix.ASCII.LL)
		change(s)
		return dialect(field.NewString(s))
	}
	message := func(change func(*moov.MessageSpec)) *moov.MessageSpec {
		s := dialect(text(2, encoding.ASCII, prefix.ASCII.Fixed))
		change(s)
		return s
	}
	composite := func(tag *field.TagSpec, key string, sub field.Field) *moov.MessageSpec {
		return dialect(field.NewComposite(&field.Spec{Length: 99, Pref: prefix.ASCII.LL, Tag: tag, Subfields: map[string]field.Field{key: sub}}))
	}
	leaf := text(2, encoding.ASCII, prefix.ASCII.Fixed)
	deep := leaf
	for range 8 {
		deep = field.NewComposite(&field.Spec{Length: 99, Pref: prefix.ASCII.LL, Tag: &field.TagSpec{Sort: sort.StringsByInt}, Subfields: map[string]field.Field{"1": deep}})
	}
	return []notCompiled{
		{"an encoder of one's own", with(func(s *field.Spec) { s.Enc = own{} }), "2", "the encoding codec_test.own is not known"},
		{"a length prefix of one's own", with(func(s *field.Spec) { s.Pref = own{} }), "2", "the length prefix codec_test.own is not known"},
		{"a padder of one's own", with(func(s *field.Spec) { s.Pad = ownPadder{} }), "2", "the padding codec_test.ownPadder is not known"},
		{"a packer of one's own", with(func(s *field.Spec) { s.Packer = field.Track2Packer{} }), "2", "it has a packer of its own, which is a program and no declaration"},
		{"no encoding", with(func(s *field.Spec) { s.Enc = nil }), "2", "it has no encoding"},
		{"no length prefix", with(func(s *field.Spec) { s.Pref = nil }), "2", "it has no length prefix, not even a fixed one"},
		{"a pad character outside ASCII", with(func(s *field.Spec) { s.Pad = padding.Left('é') }), "2", "the pad character is none of ASCII"},
		{"tags as values", with(func(s *field.Spec) { s.Enc = encoding.BerTLVTag }), "2", "BerTLVTag is an encoding of tags, not of values"},
		{"padded hexadecimal digits", with(func(s *field.Spec) { s.Enc, s.Pad = encoding.ASCIIHexToBytes, padding.Left('0') }), "2", "padding would split a byte of two hexadecimal digits"},
		{"packed digits without length", with(func(s *field.Spec) { s.Enc, s.Pref = encoding.BCD, prefix.None.Fixed }), "2", "without a length its units must be whole bytes"},
		{"Track2Packer without padding", with(func(s *field.Spec) { s.Packer, s.Unpacker = field.Track2Packer{}, field.Track2Unpacker{} }), "2", "filling to even length needs a pad character and a length"},
		{"a negative length", with(func(s *field.Spec) { s.Length = -1 }), "2", "the length -1 is not possible"},
		{"a fixed length above that of a message", with(func(s *field.Spec) { s.Length, s.Pref = 70000, prefix.ASCII.Fixed }), "2", "the length 70000 is above that of a message"},
		{"no MTI", message(func(s *moov.MessageSpec) { delete(s.Fields, 0) }), "0", "the message type is not defined"},
		{"no bitmap", message(func(s *moov.MessageSpec) { delete(s.Fields, 1) }), "1", "the bitmap is not defined"},
		{"a bitmap that is none", message(func(s *moov.MessageSpec) { s.Fields[1] = leaf }), "1", "it is no bitmap"},
		{"an element above 192", message(func(s *moov.MessageSpec) { s.Fields[193] = leaf }), "193", "elements are 0 and 2 to 192"},
		{"a bitmap in ASCII", message(func(s *moov.MessageSpec) { s.Fields[1] = field.NewBitmap(spec(8, encoding.ASCII, prefix.ASCII.Fixed)) }), "1", "a bitmap is binary or hexadecimal"},
		{"a bitmap of 25 bytes", message(func(s *moov.MessageSpec) {
			s.Fields[1] = field.NewBitmap(spec(25, encoding.Binary, prefix.Binary.Fixed))
		}), "1", "bitmaps of 25 bytes are not supported, only 1 to 24"},
		{"an unsorted composite", composite(&field.TagSpec{Sort: func(k []string) { k[0] = "x" }}, "1", leaf), "2", "its sort function loses a subfield"},
		{"a tag that is never read", composite(&field.TagSpec{Length: 2, Enc: encoding.ASCII, Pad: padding.Left('0'), Sort: sort.StringsByInt}, "01", leaf), "2", "no tag in a message can mean the subfield 01"},
		{"a BER tag in lower case", composite(&field.TagSpec{Enc: encoding.BerTLVTag, Sort: sort.StringsByHex}, "9f02", leaf), "2", "no tag in a message can mean the subfield 9f02"},
		{"tags without length", composite(&field.TagSpec{Enc: encoding.ASCII, Sort: sort.StringsByInt}, "1", leaf), "2", "tags of 0 units are not supported, only 1 to 8"},
		{"a broken subfield", composite(&field.TagSpec{Sort: sort.StringsByInt}, "3", field.NewString(&field.Spec{Length: 2, Pref: prefix.ASCII.Fixed})), "2.3", "it has no encoding"},
		{"nesting", dialect(deep), "2.1.1.1.1.1.1.1", "composites are nested more than 8 deep"},
	}
}

// TestRefusesToCompile: what cannot be done is said by field and reason.
func TestRefusesToCompile(t *testing.T) {
	for _, c := range notCompiledSpecs() {
		p, err := codec.Compile(c.spec)
		le, ok := errors.AsType[*codec.LayoutError](err)
		if !ok || p != nil || le.Path != c.path || le.Reason != c.reason || le.Error() == "" {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if _, err := codec.Compile(nil); err == nil {
		t.Error("nothing was compiled")
	}
}

// TestNewRefuses has what only a layout by hand can say.
func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*codec.Layout){
		"limit": func(l *codec.Layout) { l.Limit = codec.MaxMessage + 1 },
		"kind": func(l *codec.Layout) {
			l.Fields[2] = codec.Field{Prefix: codec.Prefix{Form: codec.Fixed}, Enc: codec.ASCII}
		},
		"encoding": func(l *codec.Layout) {
			l.Fields[2] = codec.Field{Kind: codec.Text, Prefix: codec.Prefix{Form: codec.Fixed}}
		},
		"prefix": func(l *codec.Layout) { l.Fields[2] = codec.Field{Kind: codec.Text, Enc: codec.ASCII} },
		"prefix digits": func(l *codec.Layout) {
			l.Fields[2] = codec.Field{Kind: codec.Text, Enc: codec.ASCII, Prefix: codec.Prefix{Form: codec.BCDLength, Digits: 7}}
		},
		"bitmap field": func(l *codec.Layout) {
			l.Fields[2] = codec.Field{Kind: codec.Bits, Prefix: codec.Prefix{Form: codec.Fixed}}
		},
		"objects": func(l *codec.Layout) {
			l.Fields[2] = codec.Field{Kind: codec.Text, Enc: codec.ASCII, TLV: true, Prefix: codec.Prefix{Form: codec.Fixed}}
		},
		"alphabet": func(l *codec.Layout) {
			l.Fields[2] = codec.Field{Kind: codec.Text, Enc: codec.BCD, Chars: new(codec.Alphabet), Prefix: codec.Prefix{Form: codec.Fixed}}
		},
		"composite MTI": func(l *codec.Layout) {
			l.Fields[0] = codec.Field{Kind: codec.Composite, Prefix: codec.Prefix{Form: codec.Fixed}}
		},
		"two subfields of one key": func(l *codec.Layout) {
			sub := codec.Field{Key: "1", Kind: codec.Text, Enc: codec.ASCII, Prefix: codec.Prefix{Form: codec.Fixed}}
			l.Fields[2] = codec.Field{Kind: codec.Composite, Prefix: codec.Prefix{Form: codec.Rest}, Subfields: []codec.Field{sub, sub}}
		},
	} {
		l, err := codec.LayoutOf(dialect(text(2, encoding.ASCII, prefix.ASCII.Fixed)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := codec.New(l); err != nil {
			t.Fatal(err)
		}
		change(&l)
		if _, err := codec.New(l); err == nil {
			t.Errorf("%s: compiled", name)
		}
	}
}
