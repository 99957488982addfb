package iso8583

import (
	"encoding/hex"
	"fmt"
	"strings"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583/codec"
)

// A Line describes one element or one tag within it, fit to be shown: sensitive
// values are masked here, at the tap.
type Line struct {
	DE      int    // 0 the MTI
	Tag     string // hex tag within DE 55 or DE 63, empty for the element itself
	Name    string
	Value   string // masked where sensitive
	Meaning string // in words where the tables know it
}

// String writes a line as a trace does.
func (l Line) String() string {
	s := fmt.Sprintf("DE %3d", l.DE)
	if l.DE == 0 {
		s = "MTI   "
	}
	if l.Tag != "" {
		s = "   " + l.Tag
	}
	s += " " + l.Name + ": " + l.Value
	if l.Meaning != "" {
		s += " (" + l.Meaning + ")"
	}
	return s
}

// Describe lists a message for a person: MTI, elements, and the tags of DE 55
// and DE 63. PIN blocks and card data, also such as should not be there, are
// shown by their length only.
func Describe(m *Message) []Line {
	f, _ := m.mti.flow()
	name := f.Name
	if m.mti.IsAnswer() {
		name += ", answer"
	}
	if m.mti.IsRepeat() {
		name += ", repeat"
	}
	lines := []Line{{0, "", "message type", m.mti.String(), name}}
	for i := range sortedElements {
		e := &sortedElements[i]
		if !m.Has(e.DE) {
			continue
		}
		lines = append(lines, Line{e.DE, "", e.Name, m.shown(e), m.meaning(e.DE)})
		switch e.DE {
		case 55:
			lines = append(lines, describeChip(m.content(55), 55)...)
		case 63:
			lines = append(lines, describePrivate(m.content(63))...)
		}
	}
	return lines
}

// shown is the value of an element, masked.
func (m *Message) shown(e *Element) string {
	c := m.content(e.DE)
	switch {
	case e.Sensitive || e.DE == 55 || e.DE == 63:
		return fmt.Sprintf("[%d bytes]", len(c))
	case native.Encoding(e.DE) == codec.BCD:
		return m.Digits(e.DE)
	case native.Encoding(e.DE) == codec.ASCII:
		return m.Text(e.DE)
	}
	return strings.ToUpper(hex.EncodeToString(c))
}

// meaning says in words what an element holds.
func (m *Message) meaning(de int) string {
	switch de {
	case 3:
		if t, ok := m.Transaction(); ok {
			return t.Name
		}
	case 22:
		if e, ok := EntryModeOf(m.Digits(22)); ok {
			return e.Name
		}
	case 39:
		if r, ok := ResponseCodeOf(m.ResponseCode()); ok {
			return r.Meaning
		}
	case 70:
		for _, n := range networkCodes {
			if n.Code == m.Digits(70) {
				return n.Name
			}
		}
	case 90:
		if o, ok := m.Original(); ok {
			return fmt.Sprintf("%s, STAN %s, sent %s", o.MTI, o.STAN, o.Transmitted)
		}
	case 95:
		if r, ok := m.Replacement(); ok {
			return fmt.Sprintf("%d minor units remain", r)
		}
	}
	return ""
}

// describeChip lists the objects of chip data; what must not be there, and all
// issuer scripts (they may hold an enciphered PIN), by length only.
func describeChip(data []byte, de int) []Line {
	nodes, err := ber.Parse(data, chipLimits)
	if err != nil {
		return []Line{{de, "--", "chip data", "[malformed]", ""}}
	}
	var lines []Line
	for _, n := range nodes {
		value := strings.ToUpper(hex.EncodeToString(n.Value))
		if hiddenChip(n) {
			value = fmt.Sprintf("[%d bytes]", len(n.Value))
		}
		lines = append(lines, Line{de, fmt.Sprintf("%X", n.Tag), "chip data", value, ""})
	}
	return lines
}

// hiddenChip reports whether an object may hold card data or a PIN: everything
// outside a list of harmless tags.
func hiddenChip(n ber.Node) bool { return !harmlessChip[n.Tag] }

// harmlessChip are the tags of DE 55 that may be shown.
var harmlessChip = map[uint32]bool{
	0x82: true, 0x84: true, 0x8A: true, 0x91: true, 0x95: true, 0x9A: true, 0x9B: true, 0x9C: true,
	0x5F2A: true, 0x5F34: true, 0x9F02: true, 0x9F03: true, 0x9F06: true, 0x9F09: true, 0x9F10: true, 0x9F1A: true,
	0x9F1E: true, 0x9F21: true, 0x9F26: true, 0x9F27: true, 0x9F33: true, 0x9F34: true, 0x9F35: true, 0x9F36: true,
	0x9F37: true, 0x9F41: true, 0x9F53: true, 0x9F5B: true, 0x9F6E: true,
}

// describePrivate lists the tags of DE 63.
func describePrivate(data []byte) []Line {
	p, err := ParsePrivate(data)
	if err != nil {
		return []Line{{63, "--", "private data", "[malformed]", ""}}
	}
	var lines []Line
	for i := range tags {
		t := &tags[i]
		v := t.put(nil, &p)
		if len(v) == 0 {
			continue
		}
		l := Line{63, fmt.Sprintf("%02X", t.Tag), t.Name, strings.ToUpper(hex.EncodeToString(v)), ""}
		switch {
		case t.Sensitive || t.Tag == 0x0F || t.Tag == 0x0B:
			l.Value = fmt.Sprintf("[%d bytes]", len(v))
		case t.Tag == 0x08:
			l.Meaning = p.Reason.String()
		case t.Tag == 0x10 || t.Tag == 0x13:
			l.Value = string(v)
		}
		lines = append(lines, l)
		if t.Tag == 0x0A {
			lines = append(lines, describeChip(v, 63)...)
		}
	}
	return lines
}
