package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// composite reads an isofieldpackager: a field that holds fields.
func (j *importer) composite(path string, n int, e *element, depth int) *Field {
	j.known(path, e, fieldAttrs+" packager emitBitmap maxValidField bitmapField firstField headerLength tagMapper tagSize lenSize swapTagAndLen")
	c, f := j.class(path, e)
	if f == nil {
		return nil
	}
	if c.amount || c.tag != 0 || f.Enc != "ASCII" && f.Enc != "Binary" {
		j.refuse(path, "the class %s writes its subfields in another encoding than their own, which cannot be said", shown(e.attrs["class"]))
		return nil
	}
	packager, ok := jposName(e.attrs["packager"], jposPackagers)
	if strings.HasPrefix(e.attrs["packager"], "org.jpos.tlv.packager.bertlv.BERTLVBinary") {
		if len(e.kids) > 0 {
			j.note("field %s: the tags that its packager names are left out; it is binary data in BER-TLV", path)
		}
		f.Type, f.Enc, f.Padding = "Binary", "Binary", nil
		return f
	}
	f.Type, f.Enc, f.Padding, f.Subfields = "Composite", "", nil, map[string]*Field{}
	if e.attrs["headerLength"] != "" && e.attrs["headerLength"] != "0" {
		j.refuse(path, "a header within a field cannot be said")
	}
	switch {
	case ok && packager == "GenericTaggedFieldsPackager":
		j.tagged(path, e, f)
	case ok && (packager == "GenericSubFieldPackager" || packager == "GenericPackager"):
		if e.attrs["emitBitmap"] == "false" {
			j.positional(path, e, f, depth)
		} else {
			j.bitmapped(path, e, f, depth)
		}
	default:
		j.refuse(path, "the packager %s has no equal", shown(e.attrs["packager"]))
		return nil
	}
	if len(f.Subfields) == 0 && len(j.refused) == 0 {
		j.refuse(path, "it has no subfields")
	}
	return f
}

// positional reads subfields that follow each other.
func (j *importer) positional(path string, e *element, f *Field, depth int) {
	f.Tag = &Tag{Sort: "StringsByInt"}
	first := 0
	if v, ok := e.attrs["firstField"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			j.refuse(path, "firstField is %q, no number", shown(v))
			return
		}
		first = n
	} else if len(e.kids) > 0 {
		// Without firstField jPOS writes a subfield 0 of a GenericSubFieldPackager
		// only when it holds subfields itself.
		first = 1
		if kid := e.kids[0]; kid.attrs["id"] == "0" && kid.name == "isofieldpackager" {
			first = 0
		}
	}
	for _, kid := range e.kids {
		n, ok := j.id(path, kid, MaxLength)
		if !ok {
			continue
		}
		sub := join(path, strconv.Itoa(n))
		if n < first {
			j.refuse(sub, "its packager begins with subfield %d and never writes this one", first)
			continue
		}
		j.add(f, sub, strconv.Itoa(n), kid, j.field(sub, n, kid, depth+1))
	}
}

// add puts a subfield where none is.
func (j *importer) add(f *Field, path, key string, e *element, sub *Field) {
	if _, twice := f.Subfields[key]; twice {
		j.refuse(path, "it is there twice, again on line %d", e.line)
		return
	}
	if sub != nil {
		f.Subfields[key] = sub
	}
}

// bitmapped reads subfields whose presence a bitmap says.
func (j *importer) bitmapped(path string, e *element, f *Field, depth int) {
	field := e.attrs["bitmapField"]
	if field == "" {
		field = "1"
	}
	for _, kid := range e.kids {
		n, ok := j.id(path, kid, 64)
		if !ok {
			continue
		}
		sub := join(path, strconv.Itoa(n))
		if kid.attrs["id"] == field {
			f.Bitmap = j.subBitmap(sub, kid)
			continue
		}
		if n == 0 {
			j.refuse(sub, "a subfield before the bitmap cannot be said")
			continue
		}
		j.add(f, sub, strconv.Itoa(n), kid, j.field(sub, n, kid, depth+1))
	}
	switch {
	case f.Bitmap == nil:
		if len(j.refused) == 0 {
			j.refuse(path, "its bitmap, subfield %s, is not there", shown(field))
		}
	case f.Bitmap.Length == 8 && f.Subfields["1"] != nil && field != "1":
		// The first of 64 bits would say both that a second bitmap follows and that
		// subfield 1 is there.
		j.note("field %s: bit 1 of its bitmap is subfield 1, and no second bitmap can follow", path)
	}
}

// subBitmap reads the bitmap of a composite field.
func (j *importer) subBitmap(path string, e *element) *Field {
	class, _ := jposName(e.attrs["class"], jposISO)
	enc, ok := jposBitmaps[class]
	length, err := strconv.Atoi(e.attrs["length"])
	if !ok || err != nil || length < 1 || length > 16 {
		j.refuse(path, "%s of %q bytes is no bitmap that can be mapped", shown(class), shown(e.attrs["length"]))
		return nil
	}
	return &Field{Type: "Bitmap", Length: min(length, 8), Description: e.attrs["name"], Enc: enc,
		Prefix: "Binary.Fixed", DisableAutoExpand: true}
}

// tagged reads subfields that each have a tag of two or three digits.
func (j *importer) tagged(path string, e *element, f *Field) {
	mapper, _ := jposName(e.attrs["tagMapper"], jposPackagers)
	size := map[string]int{"TTDecimalTagMapper": 2, "TTTDecimalTagMapper": 3}[mapper]
	switch {
	case size == 0:
		j.refuse(path, "the tagMapper %s has no equal; TTDecimalTagMapper and TTTDecimalTagMapper have", shown(e.attrs["tagMapper"]))
		return
	case e.attrs["tagSize"] != strconv.Itoa(size):
		j.refuse(path, "the tagSize %q is not that of the %s", shown(e.attrs["tagSize"]), mapper)
		return
	case e.attrs["swapTagAndLen"] == "true":
		j.refuse(path, "a length before the tag cannot be said")
		return
	}
	f.Tag = &Tag{Length: size, Enc: "ASCII", Sort: "StringsByInt"}
	for _, kid := range e.kids {
		n, ok := j.id(path, kid, map[int]int{2: 99, 3: 999}[size])
		if !ok {
			continue
		}
		key := fmt.Sprintf("%0*d", size, n)
		sub := join(path, key)
		if kid.name != "isofield" {
			j.refuse(sub, "a packager within a tagged field cannot be said")
			continue
		}
		j.known(sub, kid, fieldAttrs)
		c, field := j.class(sub, kid)
		if field == nil {
			continue
		}
		if digits := strings.Count(c.prefix, "L"); c.tag != size || strconv.Itoa(digits) != e.attrs["lenSize"] {
			j.refuse(sub, "the class %s does not have the tagSize and lenSize of its packager", shown(kid.attrs["class"]))
			continue
		}
		j.add(f, sub, key, kid, field)
	}
}
