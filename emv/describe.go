package emv

import (
	"fmt"
	"strings"

	"tallystick.example/internal/pure/ber"
)

// A Line is one line of a description: an object, or a part of its meaning.
type Line struct {
	Level int    // depth, 0 for the outermost object
	Tag   Tag    // of the object; 0 for a line of meaning below it
	Name  string // name of the object or of the part: "Terminal Verification Results", "B1b8"
	Value string // the value with PANs, tracks and PINs masked, or the meaning
}

// String is the line as text, indented by two spaces a level.
func (l Line) String() string {
	s := strings.Repeat("  ", l.Level)
	if l.Tag != 0 {
		s += l.Tag.String() + " "
	}
	s += l.Name
	if l.Value != "" {
		s += ": " + l.Value
	}
	return s
}

// Describe puts the object of tag and value into words: first its name and
// value, then what it means, and for a template all objects in it. Sensitive
// values are masked. A value that does not fit its tag is shown as bytes and
// said to be malformed; Describe never fails.
func Describe(tag Tag, value []byte) []Line { return describe(nil, 0, tag, value) }

// DescribeAll describes data as a sequence of objects, such as DE 55 or the
// answer of a card without its status word. Errors are those of [ber.Parse].
func DescribeAll(data []byte) ([]Line, error) {
	nodes, err := ber.Parse(data, ber.Limits{})
	if err != nil {
		return nil, err
	}
	return describeNodes(nil, 0, nodes), nil
}

func describeNodes(lines []Line, level int, nodes []ber.Node) []Line {
	for _, n := range nodes {
		lines = describe(lines, level, Tag(n.Tag), n.Value)
	}
	return lines
}

func describe(lines []Line, level int, tag Tag, value []byte) []Line {
	entry, _ := Lookup(tag)
	if tag.Constructed() {
		nodes, err := ber.Parse(value, ber.Limits{})
		if err != nil {
			return append(lines, Line{level, tag, entry.Name, fmt.Sprintf("malformed, %d bytes", len(value))})
		}
		lines = append(lines, Line{level, tag, entry.Name, ""})
		return describeNodes(lines, level+1, nodes)
	}
	lines = append(lines, Line{level, tag, entry.Name, showValue(entry, value)})
	for _, m := range meaning(entry, value) {
		lines = append(lines, Line{Level: level + 1, Name: m[0], Value: m[1]})
	}
	return lines
}

// showValue is the value on the line of its object.
func showValue(e Entry, value []byte) string {
	if e.Sensitive {
		return mask(e.Tag, value)
	}
	hex := fmt.Sprintf("%X", value)
	if len(value) < e.Min || e.Max > 0 && len(value) > e.Max {
		return hex + " (malformed: wrong length)"
	}
	if word, ok := inWords(e, value); ok {
		return hex + " (" + word + ")"
	}
	return hex
}

// inWords is the meaning of a value that fits on one line.
func inWords(e Entry, value []byte) (string, bool) {
	digits, _ := Digits(value)
	switch e.Tag {
	case TagDate, TagExpiry, TagEffective:
		if d, err := ParseDay(value); err == nil {
			return d.String(), true
		}
	case TagTime:
		return digits[:min(2, len(digits))] + ":" + digits[min(2, len(digits)):min(4, len(digits))], len(digits) == 6
	case TagCurrency, TagAppCurrency, TagCurrencyReference:
		c, ok := LookupCurrency(digits)
		return c.Alphabetic, ok
	case TagTerminalCountry, TagIssuerCountry:
		c, ok := LookupCountry(digits)
		return c.Alpha2, ok
	case TagCID:
		return CID(value[0]).String(), true
	case TagTerminalType:
		return TerminalType(value[0]).String(), true
	case TagType:
		name, ok := typeNames[value[0]]
		return name, ok
	case TagARC:
		return arcText(value), true
	case TagCVMResults:
		r, err := ParseCVMResults(value)
		return r.String(), err == nil
	}
	if e.Format.Text() {
		return fmt.Sprintf("%q", value), true
	}
	return "", false
}

// typeNames are the transaction types of tag 9C: the first two digits of the
// processing code of ISO 8583:1987.
var typeNames = map[byte]string{
	0x00: "purchase", 0x01: "cash advance", 0x02: "void", 0x09: "purchase with cashback",
	0x20: "refund", 0x30: "balance inquiry",
}

// arcText is the Authorisation Response Code as text with the meaning of the
// codes that terminals make (Book 4 Annex A6).
func arcText(value []byte) string {
	meanings := map[string]string{
		"Y1": "offline approved", "Z1": "offline declined",
		"Y3": "unable to go online, offline approved", "Z3": "unable to go online, offline declined",
	}
	if m, ok := meanings[string(value)]; ok {
		return fmt.Sprintf("%q, %s", value, m)
	}
	return fmt.Sprintf("%q", value)
}
