//go:build !(386 || arm || mips || mipsle)

package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
)

// Compile makes a program of a specification of github.com/moov-io/iso8583
// v0.26.1, whether built in Go or loaded from its JSON. It refuses what it cannot
// do with a *LayoutError, so that a declaration is never read in another way than
// it was meant. The program keeps nothing of spec.
func Compile(spec *moov.MessageSpec) (*Program, error) {
	l, err := LayoutOf(spec)
	if err != nil {
		return nil, err
	}
	return New(l)
}

// LayoutOf is the layout that a specification declares. The error is a
// *LayoutError.
func LayoutOf(spec *moov.MessageSpec) (Layout, error) {
	if spec == nil {
		return Layout{}, &LayoutError{"", "there is no specification"}
	}
	l := Layout{Name: spec.Name, Fields: make(map[int]Field, len(spec.Fields))}
	for de, f := range spec.Fields {
		path := strconv.Itoa(de)
		if de != 1 {
			d, err := fieldOf(path, f)
			if err != nil {
				return Layout{}, err
			}
			l.Fields[de] = d
			continue
		}
		b, ok := f.(*field.Bitmap)
		if !ok || b == nil {
			return Layout{}, &LayoutError{path, "it is no bitmap"}
		}
		var err error
		if l.Bitmap, err = bitmapOf(path, b); err != nil {
			return Layout{}, err
		}
	}
	if _, ok := spec.Fields[1]; !ok {
		return Layout{}, &LayoutError{"1", "the bitmap is not defined"}
	}
	return l, nil
}

// kinds are moov's types of fields.
var kinds = map[reflect.Type]Kind{
	reflect.TypeFor[*field.String]():    Text,
	reflect.TypeFor[*field.Numeric]():   Number,
	reflect.TypeFor[*field.Binary]():    Bytes,
	reflect.TypeFor[*field.Hex]():       Bytes, // hexadecimal for its users only
	reflect.TypeFor[*field.Track1]():    Track1,
	reflect.TypeFor[*field.Track2]():    Track2,
	reflect.TypeFor[*field.Track3]():    Track3,
	reflect.TypeFor[*field.Bitmap]():    Bits,
	reflect.TypeFor[*field.Composite](): Composite,
}

// encodings, forms and sides go by type: the values are unexported types behind
// package variables.
var encodings = map[reflect.Type]Encoding{
	reflect.TypeOf(encoding.ASCII):           ASCII,
	reflect.TypeOf(encoding.BCD):             BCD,
	reflect.TypeOf(encoding.LBCD):            LBCD,
	reflect.TypeOf(encoding.Binary):          Binary,
	reflect.TypeOf(encoding.EBCDIC):          EBCDIC,
	reflect.TypeOf(encoding.EBCDIC1047):      EBCDIC1047,
	reflect.TypeOf(encoding.BytesToASCIIHex): HexToASCII,
	reflect.TypeOf(encoding.ASCIIHexToBytes): ASCIIToHex,
	reflect.TypeOf(encoding.BerTLVTag):       BERTag,
}

var forms = map[reflect.Type]PrefixForm{
	reflect.TypeOf(prefix.ASCII.Fixed):      Fixed,
	reflect.TypeOf(prefix.BCD.Fixed):        Fixed,
	reflect.TypeOf(prefix.Binary.Fixed):     Fixed,
	reflect.TypeOf(prefix.Hex.Fixed):        Fixed,
	reflect.TypeOf(prefix.EBCDIC.Fixed):     Fixed,
	reflect.TypeOf(prefix.EBCDIC1047.Fixed): Fixed,
	reflect.TypeOf(prefix.ASCII.L):          ASCIILength,
	reflect.TypeOf(prefix.BCD.L):            BCDLength,
	reflect.TypeOf(prefix.Binary.L):         BinaryLength,
	reflect.TypeOf(prefix.Hex.L):            HexLength,
	reflect.TypeOf(prefix.EBCDIC.L):         EBCDICLength,
	reflect.TypeOf(prefix.EBCDIC1047.L):     EBCDICLength,
	reflect.TypeOf(prefix.BerTLV):           BERLength,
	reflect.TypeOf(prefix.None.Fixed):       Rest,
}

var sides = map[reflect.Type]PadSide{
	reflect.TypeOf(padding.None):      NoPad,
	reflect.TypeOf(padding.Left(' ')): Left,
	// The type of a right padder, whatever its character.
	reflect.TypeOf(padding.Right(' ')): Right,
}

// fieldOf translates one field.
func fieldOf(path string, f field.Field) (Field, error) {
	bad := func(why string) (Field, error) { return Field{}, &LayoutError{path, why} }
	kind := kinds[reflect.TypeOf(f)]
	if kind == 0 {
		return bad(fmt.Sprintf("fields of type %T are not known", f))
	}
	if reflect.ValueOf(f).IsNil() || f.Spec() == nil {
		return bad("it has no specification")
	}
	s := f.Spec()
	d := Field{Name: s.Description, Kind: kind, Length: s.Length}
	var why string
	if d.Prefix, why = prefixOf(s.Pref); why != "" {
		return bad(why)
	}
	if d.Pad, why = padOf(s.Pad); why != "" {
		return bad(why)
	}
	if kind == Composite {
		return compositeOf(path, d, s)
	}
	if d.Enc, why = encodingOf(s.Enc); why != "" {
		return bad(why)
	}
	if s.Packer != nil || s.Unpacker != nil {
		_, in := s.Unpacker.(field.Track2Unpacker)
		_, out := s.Packer.(field.Track2Packer)
		if !in || !out {
			return bad("it has a packer of its own, which is a program and no declaration")
		}
		d.Even = true
	}
	if kind == Bits {
		b, err := bitmapOf(path, f.(*field.Bitmap))
		if err != nil {
			return Field{}, err
		}
		d.Bitmap = &b
	}
	return d, nil
}

func bitmapOf(path string, f *field.Bitmap) (Bitmaps, error) {
	s := f.Spec()
	if s == nil {
		return Bitmaps{}, &LayoutError{path, "it has no specification"}
	}
	b := Bitmaps{Length: s.Length, Expand: !s.DisableAutoExpand}
	if b.Length == 0 {
		b.Length = 8 // moov's default
	}
	var why string
	if b.Enc, why = encodingOf(s.Enc); why != "" {
		return b, &LayoutError{path, why}
	}
	if p, why := prefixOf(s.Pref); why != "" || p.Form != Fixed {
		return b, &LayoutError{path, "a bitmap has a fixed length"}
	}
	return b, nil
}

func encodingOf(e encoding.Encoder) (Encoding, string) {
	if e == nil {
		return 0, "it has no encoding"
	}
	if enc := encodings[reflect.TypeOf(e)]; enc != 0 {
		return enc, ""
	}
	return 0, fmt.Sprintf("the encoding %T is not known", e)
}

func prefixOf(p prefix.Prefixer) (Prefix, string) {
	if p == nil {
		return Prefix{}, "it has no length prefix, not even a fixed one"
	}
	form := forms[reflect.TypeOf(p)]
	if form == 0 {
		return Prefix{}, fmt.Sprintf("the length prefix %T is not known", p)
	}
	if form == Fixed || form == BERLength || form == Rest {
		return Prefix{Form: form}, ""
	}
	_, ls, _ := strings.Cut(p.Inspect(), ".")
	return Prefix{form, len(ls)}, ""
}

func padOf(p padding.Padder) (Pad, string) {
	if p == nil {
		return Pad{}, ""
	}
	side, ok := sides[reflect.TypeOf(p)]
	if !ok {
		return Pad{}, fmt.Sprintf("the padding %T is not known", p)
	}
	if side == NoPad {
		return Pad{}, ""
	}
	char := p.Inspect()
	if len(char) != 1 {
		return Pad{}, "the pad character is none of ASCII"
	}
	return Pad{side, char[0]}, ""
}
