package spec

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Types, encodings and prefixes, by the names of the JSON form.
var (
	types = []string{"String", "Numeric", "Binary", "Hex", "Bitmap", "Composite", "Track1", "Track2", "Track3"}
	// BerTLVTag is for tags alone.
	encodings = []string{"ASCII", "BCD", "LBCD", "Binary", "EBCDIC", "EBCDIC1047", "HexToASCII", "ASCIIToHex", "BerTLVTag"}
	// forms of a length, each with what one L can say.
	forms = map[string]int{"ASCII": 10, "BCD": 10, "EBCDIC": 10, "Binary": 256, "Hex": 256}
)

// Types lists the types of a field.
func Types() []string { return slices.Clone(types) }

// Encodings lists the encodings of a field and of a tag.
func Encodings() []string { return slices.Clone(encodings) }

// Prefixes lists the forms in which a length can be written before a field.
func Prefixes() []string {
	out := []string{"BerTLV", "None.Fixed"}
	for form := range forms {
		for _, l := range []string{"Fixed", "L", "LL", "LLL", "LLLL"} {
			out = append(out, form+"."+l)
		}
	}
	slices.Sort(out)
	return out
}

// A prefixed tells what a prefix can say.
type prefixed struct {
	fixed bool // the length is that of the specification
	rest  bool // the field is all that is left
	most  int  // largest length; 0 for no bound
}

func prefixOf(name string) (prefixed, bool) {
	switch name {
	case "BerTLV":
		return prefixed{}, true
	case "None.Fixed":
		return prefixed{rest: true}, true
	}
	form, size, ok := strings.Cut(name, ".")
	base, known := forms[form]
	if !ok || !known {
		return prefixed{}, false
	}
	if size == "Fixed" {
		return prefixed{fixed: true}, true
	}
	if len(size) < 1 || len(size) > 4 || strings.Trim(size, "L") != "" {
		return prefixed{}, false
	}
	most := 1
	for range size {
		most *= base
	}
	return prefixed{most: most - 1}, true
}

// Check reports the first field, in the order of the message, that cannot be as
// it is. The error is an *[Error].
func (s *Spec) Check() error {
	if len(s.Fields) == 0 {
		return bad("", "it has no fields")
	}
	c := checker{}
	for _, n := range slices.Sorted(maps.Keys(s.Fields)) {
		path := strconv.Itoa(n)
		if n < 0 || n > MaxElement {
			return bad(path, "elements are 0 to %d", MaxElement)
		}
		if err := c.field(path, s.Fields[n], 0); err != nil {
			return err
		}
	}
	switch mti, maps := s.Fields[0], s.Fields[1]; {
	case mti == nil:
		return bad("0", "the message type is not defined")
	case mti.Type != "String" && mti.Type != "Numeric" && mti.Type != "Binary" && mti.Type != "Hex":
		return bad("0", "a message type cannot be of the type %s", mti.Type)
	case maps == nil:
		return bad("1", "the bitmap is not defined")
	case maps.Type != "Bitmap":
		return bad("1", "it must be of the type Bitmap, not %s", maps.Type)
	}
	return nil
}

// A checker counts what it checks, so that a specification made in Go is bounded
// like one that was read.
type checker struct{ fields int }

func (c *checker) field(path string, f *Field, depth int) *Error {
	c.fields++
	switch {
	case f == nil:
		return bad(path, "it is empty")
	case c.fields > MaxFields:
		return bad(path, "there are more than %d fields", MaxFields)
	case depth == MaxDepth:
		return bad(path, "composites are nested more than %d deep", MaxDepth)
	case !slices.Contains(types, f.Type):
		return bad(path, "the type %q is not known; known are %s", shown(f.Type), strings.Join(types, ", "))
	}
	if err := f.checkLength(path); err != nil {
		return err
	}
	if err := f.Padding.check(path); err != nil {
		return err
	}
	if f.Type == "Composite" {
		return c.composite(path, f, depth)
	}
	switch {
	case f.Subfields != nil || f.Tag != nil || f.Bitmap != nil:
		return bad(path, "only a Composite has subfields, tag or bitmap")
	case !slices.Contains(encodings, f.Enc):
		return bad(path, "the encoding %q is not known; known are %s", shown(f.Enc), strings.Join(encodings, ", "))
	case f.Enc == "BerTLVTag":
		return bad(path, "BerTLVTag is an encoding of tags, not of values")
	case f.Type == "Bitmap":
		return f.checkBitmap(path)
	case f.DisableAutoExpand:
		return bad(path, "only a Bitmap has disableAutoExpand")
	}
	return nil
}

func (f *Field) checkLength(path string) *Error {
	p, ok := prefixOf(f.Prefix)
	switch {
	case !ok:
		return bad(path, "the prefix %q is not known; known are %s", shown(f.Prefix), strings.Join(Prefixes(), ", "))
	case f.Length < 0 || f.Length > MaxLength:
		return bad(path, "the length %d is not possible", f.Length)
	case p.most > 0 && f.Length > p.most:
		return bad(path, "the prefix %s cannot say a length of %d, at most %d", f.Prefix, f.Length, p.most)
	case f.Length == 0 && (p.fixed || p.most > 0) && f.Type != "Bitmap":
		return bad(path, "the length is missing")
	}
	return nil
}

func (f *Field) checkBitmap(path string) *Error {
	p, _ := prefixOf(f.Prefix)
	switch {
	case f.Enc != "Binary" && f.Enc != "HexToASCII":
		return bad(path, "a bitmap is written as Binary or HexToASCII, not %s", f.Enc)
	case !p.fixed:
		return bad(path, "a bitmap has a fixed length")
	case f.Length > MaxElement/8:
		return bad(path, "a bitmap of %d bytes is too long", f.Length)
	case f.Padding != nil && f.Padding.Type != "None":
		return bad(path, "a bitmap has no padding")
	}
	return nil
}

// check accepts a padding that is not there.
func (p *Pad) check(path string) *Error {
	switch {
	case p == nil || p.Type == "None":
		return nil
	case p.Type != "Left" && p.Type != "Right":
		return bad(path, "the padding %q is not known; known are Left, Right, None", shown(p.Type))
	case len(p.Pad) != 1 || p.Pad[0] >= 0x80:
		return bad(path, "the pad must be one character of ASCII")
	}
	return nil
}

func (c *checker) composite(path string, f *Field, depth int) *Error {
	switch {
	case f.Enc != "":
		return bad(path, "a Composite has no encoding of its own")
	case f.Padding != nil && f.Padding.Type != "None":
		return bad(path, "a Composite has no padding")
	case len(f.Subfields) == 0:
		return bad(path, "a Composite needs subfields")
	case (f.Tag == nil) == (f.Bitmap == nil):
		return bad(path, "a Composite needs either tag or bitmap")
	case f.DisableAutoExpand:
		return bad(path, "only a Bitmap has disableAutoExpand")
	}
	if f.Bitmap != nil {
		if err := c.bits(path, f, depth); err != nil {
			return err
		}
	} else if err := f.checkTag(path); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(f.Subfields)) {
		if err := c.field(join(path, shown(key)), f.Subfields[key], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// bits checks the bitmap of a composite and that its subfields are bit numbers.
func (c *checker) bits(path string, f *Field, depth int) *Error {
	if err := c.field(join(path, "bitmap"), f.Bitmap, depth+1); err != nil {
		return err
	}
	if f.Bitmap.Type != "Bitmap" || !f.Bitmap.DisableAutoExpand {
		return bad(path, "its bitmap must be a Bitmap with disableAutoExpand")
	}
	size := f.Bitmap.Length
	if size == 0 {
		size = 8
	}
	for key := range f.Subfields {
		if n, err := strconv.Atoi(key); err != nil || n < 1 || n > 8*size || strconv.Itoa(n) != key {
			return bad(join(path, shown(key)), "no bit of a bitmap of %d bytes has that number", size)
		}
	}
	return nil
}

func (f *Field) checkTag(path string) *Error {
	t := f.Tag
	switch {
	case t.Enc != "" && !slices.Contains(encodings, t.Enc):
		return bad(path, "the encoding %q of the tag is not known", shown(t.Enc))
	case t.Enc == "" && t.Length > 0:
		return bad(path, "a tag with a length needs an encoding")
	case t.Enc != "" && t.Enc != "BerTLVTag" && (t.Length < 1 || t.Length > 8):
		return bad(path, "the length of the tag is %d, want 1 to 8", t.Length)
	case t.Enc == "BerTLVTag" && t.Padding != nil && t.Padding.Type != "None":
		return bad(path, "BER tags have no padding")
	case t.Sort != "StringsByInt" && t.Sort != "StringsByHex":
		return bad(path, "the sort %q is not known; known are StringsByInt, StringsByHex", shown(t.Sort))
	case t.StoreUnknownTLVTags && !t.SkipUnknownTLVTags:
		return bad(path, "storeUnknownTLVTags needs skipUnknownTLVTags")
	case t.Enc == "" && (t.SkipUnknownTLVTags || t.PrefUnknownTLV != ""):
		return bad(path, "subfields without tags have no unknown tags")
	}
	if p, ok := prefixOf(t.PrefUnknownTLV); t.PrefUnknownTLV != "" && (!ok || p.fixed || p.rest) {
		return bad(path, "the prefix %q of unknown tags is no length", shown(t.PrefUnknownTLV))
	}
	if err := t.Padding.check(path); err != nil {
		return err
	}
	return f.checkKeys(path)
}

// checkKeys refuses keys that the sort could not order: their fields would be
// written in an order that nobody meant.
func (f *Field) checkKeys(path string) *Error {
	numbers := map[int]string{}
	for key := range f.Subfields {
		at := join(path, shown(key))
		if f.Tag.Sort == "StringsByHex" || f.Tag.Enc == "BerTLVTag" {
			if b, err := hex.DecodeString(key); err != nil || len(b) == 0 || len(b) > 8 || strings.ToUpper(key) != key {
				return bad(at, "the tag is not written in capital hexadecimal digits, two for each byte, at most 8 bytes")
			}
			continue
		}
		n, err := strconv.Atoi(key)
		if err != nil || n < 0 {
			return bad(at, "it must be a number, since the subfields are sorted by number")
		}
		if other, twice := numbers[n]; twice {
			return bad(at, "its number is also that of %s", shown(other))
		}
		numbers[n] = key
	}
	return nil
}
