package msg

import (
	"fmt"
	"iter"
	"regexp"
	"strings"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// shown is a field as it may be shown: this is the one place where values leave
// a message for people.
func (e *explainer) shown(path string, de int, v codec.Value) Field {
	f := Field{Path: path, Name: v.Name(), Raw: hexOf(v.Wire()), text: valueOf(v)}
	f.Value = printable(f.text)
	if v.Kind() == codec.Composite {
		f.Raw, f.Value = "", "" // its subfields are shown one by one
		return f
	}
	k := &e.mask
	if k.unsafe {
		return f
	}
	shape := fmt.Sprintf("[%d bytes]", len(v.Wire()))
	if v.Encoding() == codec.BCD || v.Encoding() == codec.LBCD {
		shape = fmt.Sprintf("[%d digits]", v.Len())
	}
	switch {
	case de == 2:
		f.Value = emv.MaskPAN(f.text)
	case hiddenElements[de], de == 49 && v.Kind() == codec.Bytes, path != fmt.Sprint(de) && hiddenName.MatchString(f.Name):
		f.Value = shape
	case e.d.terminal && de == 63, de == 55 && (!textual(v) || parsed(v) != nil): // their parts follow
		f.Value = shape
	case e.free(de) && textual(v):
		f.Value = k.free(f.Value)
	case e.free(de) && bytesMayHold(v.Wire()):
		f.Value = shape
	case k.broken && mayBePAN(f.text):
		f.Value = "[masked: it looks like a card number]"
	default:
		f.Value = k.known(f.Value)
	}
	if f.Value != printable(f.text) || k.known(f.Raw) != f.Raw {
		f.Masked, f.Raw = true, stars(len(f.Raw))
	}
	return f
}

// free reports whether partners agree on the content of an element. DE 56 to 58
// are reserved in 1987 and numbers with a meaning later.
func (e *explainer) free(de int) bool {
	return freeElements[de] || de >= 56 && de <= 58 && e.edition() == '0'
}

// edition is the first digit of the message type.
func (e *explainer) edition() byte {
	if mti := e.m.Value(0).Text(); mti != "" {
		return mti[0]
	}
	return '0'
}

// valueOf is the value of a field: text, or the hexadecimal of bytes.
func valueOf(v codec.Value) string {
	if !textual(v) {
		return hexOf(v.Append(nil))
	}
	return v.Text()
}

// textual reports whether a value is characters or digits.
func textual(v codec.Value) bool {
	return v.Kind() != codec.Bytes && v.Kind() != codec.Bits && v.Kind() != codec.Composite
}

var control = regexp.MustCompile(`[\x00-\x1F\x7F-\x{9F}]`)

// printable keeps control characters of a message from the terminal that shows it.
func printable(s string) string {
	return control.ReplaceAllStringFunc(strings.ToValidUTF8(s, "."), func(string) string { return "." })
}

// objects gives the outermost BER-TLV objects of an element that holds such:
// binary data, or text of nothing but hexadecimal digits.
func objects(v codec.Value) iter.Seq2[uint32, []byte] {
	return func(yield func(uint32, []byte) bool) {
		for n := range ber.All(parsed(v)) {
			if !yield(n.Tag, n.Value) {
				return
			}
		}
	}
}

func parsed(v codec.Value) []ber.Node {
	data := v.Wire()
	if textual(v) {
		var err error
		if data, err = unhex([]byte(v.Text())); err != nil {
			return nil
		}
	}
	nodes, err := ber.Parse(data, ber.Limits{MaxBytes: iso8583.MaxFramed, MaxDepth: 4, MaxObjects: 512})
	if err != nil {
		return nil
	}
	return nodes
}

// contents reports the objects in DE 55 and the private data of the terminal
// interface.
func (e *explainer) contents(de int, v codec.Value) {
	switch {
	case de == 55:
		nodes := parsed(v)
		if nodes == nil && v.Len() > 0 {
			e.report.Notes = append(e.report.Notes, "DE 55 is no BER-TLV")
			return
		}
		at := v.Offset()
		if textual(v) { // two characters a byte: no place to name
			at = -1
		}
		e.objects("55", nodes, v.Wire(), at)
	case de == 63 && e.d.terminal:
		e.private()
	}
}

// scripts may hold an enciphered PIN.
var scripts = map[uint32]bool{0x71: true, 0x72: true, 0x86: true}

// objects reports chip data, an object a line. data hold them and begin at byte
// at of the message, or -1.
func (e *explainer) objects(path string, nodes []ber.Node, data []byte, at int) {
	for _, n := range nodes {
		for at >= 0 && len(data) > 0 && data[0] == 0 { // filler
			data, at = data[1:], at+1
		}
		entry, known := emv.Lookup(emv.Tag(n.Tag))
		f := Field{Offset: at, Path: fmt.Sprintf("%s.%X", path, n.Tag), Name: entry.Name, text: hexOf(n.Value)}
		f.Raw, f.Value = f.text, f.text
		lines := emv.Describe(emv.Tag(n.Tag), n.Value)
		hide := !e.mask.unsafe && (entry.Sensitive || scripts[n.Tag] || !known && bytesMayHold(n.Value) || e.mask.known(f.text) != f.text)
		switch {
		case hide:
			f.Masked, f.Raw, f.Value = true, stars(len(f.Raw)), fmt.Sprintf("[%d bytes]", len(n.Value))
			if entry.Sensitive && len(lines) > 0 {
				f.Value = lines[0].Value
			}
		case n.Constructed():
			f.Raw, f.Value = "", ""
		default:
			f.Meaning = inWords(f.text, lines)
		}
		e.add(f)
		if n.Constructed() && !hide {
			inner := -1
			if at >= 0 {
				inner = at + len(n.Raw) - len(n.Value)
			}
			e.objects(f.Path, n.Children, n.Value, inner)
		}
		if at >= 0 {
			data, at = data[len(n.Raw):], at+len(n.Raw)
		}
	}
}

// inWords is what the description of an object says beyond its bytes.
func inWords(value string, lines []emv.Line) string {
	if len(lines) == 0 {
		return ""
	}
	var out []string
	if first := strings.TrimSpace(strings.TrimPrefix(lines[0].Value, value)); first != "" {
		out = append(out, strings.TrimSuffix(strings.TrimPrefix(first, "("), ")"))
	}
	for _, l := range lines[1:] {
		out = append(out, strings.TrimSuffix(l.Name+" "+l.Value, " "))
	}
	return printable(strings.Join(out, "; "))
}

// private reports the tags of DE 63 of the terminal interface, masked by its own
// description.
func (e *explainer) private() {
	m, err := iso8583.Unpack(e.raw)
	if err != nil {
		return // the note says why
	}
	if e.mask.unsafe {
		e.report.Notes = append(e.report.Notes, "tags of DE 63 are masked even so; its bytes are shown")
	}
	for _, l := range iso8583.Describe(m) {
		if l.DE == 63 && l.Tag != "" {
			e.add(Field{Offset: -1, Path: "63." + l.Tag, Name: l.Name, Value: e.mask.known(l.Value), Meaning: l.Meaning,
				Masked: strings.HasPrefix(l.Value, "["), text: l.Value})
		}
	}
}
