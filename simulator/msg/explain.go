package msg

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// A Report is what a message says.
type Report struct {
	Dialect string   `json:"dialect"`
	Bytes   int      `json:"bytes"` // of the message, without frame
	Frame   *Frame   `json:"frame,omitempty"`
	Fields  []Field  `json:"fields"` // in the order of the message
	Broken  *Broken  `json:"broken,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// A Frame is what stood around a message.
type Frame struct {
	Header string `json:"header"`
	Length int    `json:"length"`
	TPDU   string `json:"tpdu,omitempty"`
}

// A Field is one element, subfield or object of a message, fit to be shown.
type Field struct {
	Offset  int    `json:"offset"` // of its first byte, its length and tag included; subfields: of their content
	Path    string `json:"field"`  // "MTI", "bitmap", "48.3", "55.9F02"
	Name    string `json:"name"`
	Raw     string `json:"raw"` // content in hexadecimal, stars where it is masked
	Value   string `json:"value"`
	Meaning string `json:"meaning,omitempty"`
	Masked  bool   `json:"masked,omitempty"`

	text string // the value itself, for comparing; never shown
}

// Broken says where and why a message cannot be read.
type Broken struct {
	Offset int    `json:"offset"`
	Path   string `json:"field"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Explain reads a message and says what it holds. A message that cannot be read
// is reported up to the element that is bad. Unless unsafe is set, what may hold
// card data is masked.
func (d *Dialect) Explain(raw []byte, unsafe bool) *Report {
	m := codec.NewMessage(d.program)
	err := m.Salvage(raw)
	e := explainer{d: d, m: m, raw: raw, mask: masker{unsafe: unsafe, broken: err != nil}}
	e.report = &Report{Dialect: d.spec.Name, Bytes: len(raw), Notes: d.notes}
	e.findPANs()
	if m.Has(0) {
		e.header()
	}
	for de := 2; de <= codec.MaxElement; de++ {
		if m.Has(de) {
			e.element(de)
		}
	}
	if fault, ok := errors.AsType[*codec.FieldError](err); ok {
		e.report.Broken = d.broken(fault)
		e.report.Notes = append(e.report.Notes, d.hints(raw)...)
	} else if d.terminal {
		e.terminalRules()
	}
	return e.report
}

// broken puts the codec's error into the report's words.
func (d *Dialect) broken(f *codec.FieldError) *Broken {
	b := &Broken{Offset: f.Offset, Path: f.Path, Name: d.name(f.Path), Reason: f.Reason}
	switch {
	case f.DE == 0 && f.Reason == codec.ReasonTrailing:
		b.Path, b.Name = "end", "end of the message"
	case f.DE == 0 && f.Reason == codec.ReasonTooLong:
		b.Path, b.Name = "end", "the whole message"
	case f.DE == 0:
		b.Path = "MTI"
	case f.Reason == codec.ReasonManyMaps || f.Reason == codec.ReasonEmptyMap || f.DE == 1:
		b.Path, b.Name = "bitmap", "bitmap"
	}
	return b
}

// hints guess what is wrong with a message as a whole.
func (d *Dialect) hints(raw []byte) (notes []string) {
	for _, name := range iso8583.LengthHeaderNames() {
		g, _, err := framingOf(name)
		if err != nil || len(raw) < g.Header.Size() {
			continue
		}
		if n, err := g.Size(raw); err == nil && n == len(raw) && n > g.Header.Size() {
			notes = append(notes, fmt.Sprintf("the first %d bytes are the length of the rest: try --frame %s", g.Header.Size(), name))
		}
	}
	if notes == nil && len(raw) > 5 && raw[0] == 0x60 {
		notes = append(notes, "it begins with 60, as a TPDU does: take 5 bytes off, or give --frame with the length before it")
	}
	if d.spec.Fields[0].Enc != "ASCII" && digits(raw) {
		notes = append(notes, "it begins with four digits in ASCII: try --spec 87ascii or 93")
	}
	if d.inCharacters() && len(raw) > 1 && (raw[0] < 0x30 || raw[0] > 0x39) {
		notes = append(notes, "it does not begin with digits in ASCII: try --spec 87binary or 2003")
	}
	return notes
}

// An explainer builds the report of one message.
type explainer struct {
	d      *Dialect
	m      *codec.Message
	raw    []byte
	mask   masker
	report *Report
	at     int // where the next element begins
}

func (e *explainer) add(f Field) { e.report.Fields = append(e.report.Fields, f) }

// header reports message type and bitmaps.
func (e *explainer) header() {
	mti := e.m.Value(0)
	e.add(Field{Offset: 0, Path: "MTI", Name: "message type", Raw: hexOf(mti.Wire()), Value: mti.Text(),
		Meaning: e.meaning(0, mti.Text()), text: mti.Text()})
	e.at = mti.Offset() + len(mti.Wire())
	_, next, err := e.d.program.Bitmaps(e.raw)
	if err != nil {
		return // what is wrong is the report's end
	}
	var list []string
	set, _, _ := e.d.program.Bitmaps(e.raw)
	for de := 1; de <= codec.MaxElement; de++ {
		if set.Has(de) {
			list = append(list, strconv.Itoa(de))
		}
	}
	raw := e.raw[e.at:next]
	e.add(Field{Offset: e.at, Path: "bitmap", Name: "bitmap", Raw: hexOf(raw), Value: strings.Join(list, " "), text: hexOf(raw)})
	e.at = next
}

// element reports one element and what it holds.
func (e *explainer) element(de int) {
	v := e.m.Value(de)
	f := e.shown(strconv.Itoa(de), de, v)
	f.Offset = e.at
	if !f.Masked {
		f.Meaning = e.meaning(de, f.text)
	}
	e.add(f)
	if off := v.Offset(); off >= 0 {
		e.at = off + len(v.Wire())
	}
	if v.Kind() == codec.Composite {
		e.subfields(f.Path, de, v)
		return
	}
	e.contents(de, v)
}

func (e *explainer) subfields(path string, de int, v codec.Value) {
	for sub := range v.Subfields() {
		at := path + "." + sub.Key()
		f := e.shown(at, de, sub)
		f.Offset = sub.Offset()
		e.add(f)
		if sub.Kind() == codec.Composite {
			e.subfields(at, de, sub)
		}
	}
}

// findPANs remembers the PANs in their places, so that they are hidden wherever
// else they turn up.
func (e *explainer) findPANs() {
	for _, de := range []int{2, 34, 35, 45} {
		if v := e.m.Value(de); v.Present() && v.Kind() != codec.Composite {
			e.mask.remember(panOf(v.Text()))
		}
	}
	for de := 2; de <= codec.MaxElement; de++ {
		if v := e.m.Value(de); v.Present() && e.free(de) {
			for tag, value := range objects(v) {
				e.mask.remember(tagPAN(tag, value))
			}
		}
	}
}

// terminalRules adds what the terminal interface demands beyond its layout.
func (e *explainer) terminalRules() {
	m, err := iso8583.Unpack(e.raw)
	if err != nil {
		e.report.Notes = append(e.report.Notes, "the terminal interface refuses it: "+err.Error())
		return
	}
	direction := iso8583.ToHost
	if m.MTI().IsAnswer() {
		direction = iso8583.ToTerminal
	}
	if err := iso8583.Validate(m, direction); err != nil {
		e.report.Notes = append(e.report.Notes, "the terminal interface refuses it: "+err.Error())
	}
}

// hexOf is a value in hexadecimal.
func hexOf(b []byte) string { return fmt.Sprintf("%X", b) }
