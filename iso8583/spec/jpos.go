package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// LoadJPOS reads a packager in the XML form of jPOS's GenericPackager
// (isopackager, isofield, isofieldpackager) and gives the specification that
// writes the same bytes, together with notes on what the XML says and a
// specification cannot, such as a header before the message.
//
// Field packagers that write in ASCII, BCD, binary and EBCDIC with their usual
// lengths have an equal, and so have GenericSubFieldPackager by position or
// bitmap, GenericTaggedFieldsPackager, and packagers of BER-TLV data, which
// become binary data. Every field that has no equal is refused by its number and
// the reason; the error joins them all, each an *[Error].
func LoadJPOS(raw []byte) (s *Spec, notes []string, err error) {
	root, e := parseXML(raw)
	if e != nil {
		return nil, nil, e
	}
	j := importer{}
	s = j.packager(root)
	if len(j.refused) > 0 {
		return nil, nil, errors.Join(j.refused...)
	}
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	return s, j.notes, nil
}

// maxRefused bounds the list of what is refused.
const maxRefused = 50

type importer struct {
	notes   []string
	refused []error
}

func (j *importer) refuse(path, format string, args ...any) {
	if len(j.refused) < maxRefused {
		j.refused = append(j.refused, bad(path, format, args...))
	}
}

func (j *importer) note(format string, args ...any) {
	if len(j.notes) < maxRefused {
		j.notes = append(j.notes, fmt.Sprintf(format, args...))
	}
}

// known reports the attributes of e that nothing here gives a meaning to.
func (j *importer) known(path string, e *element, names string) {
	for name := range e.attrs {
		if !strings.Contains(" "+names+" ", " "+name+" ") {
			j.refuse(path, "the attribute %q on line %d is not known", shown(name), e.line)
		}
	}
}

// packager reads the outermost element.
func (j *importer) packager(e *element) *Spec {
	s := &Spec{Name: "imported from a jPOS packager", Fields: map[int]*Field{}}
	if e.name != "isopackager" {
		j.refuse("", "its outermost element is %s, not isopackager", shown(e.name))
		return s
	}
	j.known("", e, "maxValidField bitmapField thirdBitmapField firstField emitBitmap headerLength")
	for name, want := range map[string]string{"bitmapField": "1", "firstField": "2", "emitBitmap": "true", "thirdBitmapField": "65"} {
		if v, ok := e.attrs[name]; ok && v != want {
			j.refuse("", "%s is %q: only %s can be said", name, shown(v), want)
		}
	}
	if v := e.attrs["headerLength"]; v != "" && v != "0" {
		j.note("each message begins with a header of %s bytes, which is no part of the specification: take it off before", shown(v))
	}
	for _, kid := range e.kids {
		n, ok := j.id("", kid, MaxElement)
		if !ok {
			continue
		}
		path := strconv.Itoa(n)
		if s.Fields[n] != nil {
			j.refuse(path, "it is there twice, again on line %d", kid.line)
			continue
		}
		if f := j.top(path, n, kid); f != nil {
			s.Fields[n] = f
		}
	}
	return s
}

// top reads one element of the message. It is nil for what is refused or does
// not exist.
func (j *importer) top(path string, n int, e *element) *Field {
	class, _ := jposName(e.attrs["class"], jposISO)
	enc, isBitmap := jposBitmaps[class]
	switch {
	case n == 1 && !isBitmap:
		j.refuse(path, "%s is no bitmap that can be mapped; IFA_BITMAP and IFB_BITMAP can", shown(class))
	case n == 1:
		f := &Field{Type: "Bitmap", Length: 8, Description: e.attrs["name"], Enc: enc, Prefix: "Binary.Fixed"}
		switch e.attrs["length"] {
		case "8":
			f.DisableAutoExpand = true
		case "16", "24":
		default:
			j.refuse(path, "a bitmap of %q bytes; it has 8, 16 or 24", shown(e.attrs["length"]))
		}
		return f
	case n == 65:
		if !isBitmap {
			j.note("field 65 is left out: its bit announces a third bitmap")
		}
	default:
		return j.field(path, n, e, 0)
	}
	return nil
}

// id reads the number of a field.
func (j *importer) id(path string, e *element, most int) (int, bool) {
	switch e.name {
	case "isofield", "isofieldpackager":
	case "isofieldvalidator", "isopackagervalidator", "property":
		j.note("the %s on line %d is left out: a specification says how fields are written, not what they may hold", e.name, e.line)
		return 0, false
	default:
		j.refuse(path, "the element %s on line %d is not known", shown(e.name), e.line)
		return 0, false
	}
	n, err := strconv.Atoi(e.attrs["id"])
	if err != nil || n < 0 || n > most {
		j.refuse(path, "the id %q on line %d is no number from 0 to %d", shown(e.attrs["id"]), e.line, most)
		return 0, false
	}
	return n, true
}

const fieldAttrs = "id length name class pad trim params encoding token inclusive break-on-error"

// field reads an isofield or isofieldpackager that is no bitmap.
func (j *importer) field(path string, n int, e *element, depth int) *Field {
	if depth == MaxDepth {
		j.refuse(path, "packagers are nested more than %d deep", MaxDepth)
		return nil
	}
	if e.name == "isofieldpackager" {
		return j.composite(path, n, e, depth)
	}
	j.known(path, e, fieldAttrs)
	for _, kid := range e.kids {
		if kid.name != "isofieldvalidator" && kid.name != "property" {
			j.refuse(path, "the element %s within a field is not known", shown(kid.name))
		} else {
			j.note("field %s: its validator is left out", path)
		}
	}
	c, f := j.class(path, e)
	if f == nil {
		return nil
	}
	if c.tag != 0 {
		j.refuse(path, "a tagged class outside a GenericTaggedFieldsPackager")
		return nil
	}
	if n == 35 && depth == 0 && c.bcd {
		j.note("field 35: track 2 is packed two digits to a byte, its separator as D; the compiled codec reads that, github.com/moov-io/iso8583 does not")
		f.Type = "Track2"
	}
	return f
}

// class maps the class of e and its length to a field.
func (j *importer) class(path string, e *element) (jposClass, *Field) {
	name, ok := jposName(e.attrs["class"], jposISO)
	if ok && name == "IF_UNUSED" {
		return jposClass{}, nil // no message can hold it
	}
	c, known := jposClasses[name]
	length, err := strconv.Atoi(strings.TrimSpace(e.attrs["length"]))
	leftPad := e.attrs["pad"] == "true"
	switch {
	case !ok || !known:
		j.refuse(path, "the class %s has no equal", shown(strings.TrimSpace(e.attrs["class"])))
	case err != nil || length < 1 || length > MaxLength:
		j.refuse(path, "the length %q on line %d is not possible", shown(e.attrs["length"]), e.line)
	case e.attrs["params"] != "" || e.attrs["encoding"] != "" || e.attrs["token"] != "" || e.attrs["inclusive"] == "true":
		j.refuse(path, "its params, encoding, token or inclusive length cannot be said")
	case e.attrs["trim"] == "true" && strings.HasSuffix(c.prefix, ".Fixed"):
		j.refuse(path, "trim lets a fixed field end early, which cannot be said")
	case c.filledF && !leftPad && (length%2 == 1 || c.prefix != "BCD.Fixed"):
		j.refuse(path, "%s fills an odd number of digits with F, which cannot be said; with pad=\"true\" it can", name)
	case c.hex && length%2 == 1:
		j.refuse(path, "an odd number of hexadecimal digits cannot be said")
	default:
		return c, c.field(e.attrs["name"], length, leftPad)
	}
	return c, nil
}

// field writes a class with its length as a field.
func (c jposClass) field(name string, length int, leftPad bool) *Field {
	f := &Field{Type: c.typ, Length: length, Description: name, Enc: c.enc, Prefix: c.prefix, Padding: c.pad}
	if c.bcd && !leftPad {
		f.Enc = "LBCD"
	}
	if c.hex {
		f.Length = length / 2
	}
	if c.amount {
		digits := &Field{Type: "String", Length: length - 1, Description: "amount", Enc: f.Enc, Prefix: "BCD.Fixed"}
		f.Enc, f.Length, f.Tag = "", 1+length/2, &Tag{Sort: "StringsByInt"}
		f.Subfields = map[string]*Field{
			"1": {Type: "String", Length: 1, Description: "C credit or D debit", Enc: "ASCII", Prefix: "ASCII.Fixed"},
			"2": digits,
		}
	}
	return f
}
