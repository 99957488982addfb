package emv

import (
	"fmt"

	"tallystick.example/internal/pure/ber"
)

// meaning takes a value apart, a part a line: its name and what it says. A
// value that cannot be taken apart has none.
func meaning(e Entry, value []byte) [][2]string {
	if _, ok := bitNames[e.Tag]; ok {
		return bitLines(e.Tag, value)
	}
	switch e.Tag {
	case TagCDOL1, TagCDOL2, TagPDOL, TagTDOL, 0x9F49, 0x9F4F:
		return dolLines(value)
	case TagCVMList:
		return cvmLines(value)
	case TagAFL:
		return aflLines(value)
	case TagIAD:
		return iadLines(value)
	case TagScriptResults:
		return scriptLines(value)
	case TagPriority:
		return priorityLines(value)
	}
	return nil
}

func bitLines(tag Tag, value []byte) [][2]string {
	var lines [][2]string
	for _, bit := range Bits(value) {
		lines = append(lines, [2]string{bit.String(), bit.Name(tag)})
	}
	return lines
}

func dolLines(value []byte) [][2]string {
	dol, err := ParseDOL(value)
	if err != nil {
		return [][2]string{{"malformed", err.Error()}}
	}
	var lines [][2]string
	for _, d := range dol {
		entry, _ := Lookup(d.Tag)
		lines = append(lines, [2]string{d.Tag.String(), fmt.Sprintf("%s, %d bytes", entry.Name, d.Length)})
	}
	return lines
}

func cvmLines(value []byte) [][2]string {
	list, err := ParseCVMList(value)
	if err != nil {
		return [][2]string{{"malformed", err.Error()}}
	}
	lines := [][2]string{{"X", fmt.Sprint(list.X)}, {"Y", fmt.Sprint(list.Y)}}
	for _, r := range list.Rules {
		then := "else fail"
		if r.Code.ContinueIfFailed() {
			then = "else next"
		}
		name := fmt.Sprintf("%02X%02X", byte(r.Code), byte(r.Condition))
		lines = append(lines, [2]string{name, fmt.Sprintf("%v, %v, %s", r.Code, r.Condition, then)})
	}
	return lines
}

func aflLines(value []byte) [][2]string {
	var lines [][2]string
	for ; len(value) >= 4; value = value[4:] {
		lines = append(lines, [2]string{
			fmt.Sprintf("SFI %d", value[0]>>3),
			fmt.Sprintf("records %d to %d, %d signed", value[1], value[2], value[3]),
		})
	}
	return lines
}

func iadLines(value []byte) [][2]string {
	layout, iad, ok := guessIAD(value)
	if !ok {
		return nil
	}
	lines := [][2]string{
		{"Layout by its shape", string(layout)},
		{"Derivation key index", fmt.Sprintf("%02X", iad.DKI)},
		{"Cryptogram version", fmt.Sprintf("%02X", iad.CVN)},
		{"Card Verification Results", fmt.Sprintf("%X", iad.CVR)},
	}
	for _, part := range []struct {
		name  string
		value []byte
	}{{"DAC or ICC Dynamic Number", iad.DACOrIDN}, {"Counters", iad.Counters}, {"Discretionary", iad.Discretionary}} {
		if len(part.value) > 0 {
			lines = append(lines, [2]string{part.name, fmt.Sprintf("%X", part.value)})
		}
	}
	return lines
}

// scriptLines reads Issuer Script Results: 5 bytes a script (Book 4 Annex A5).
func scriptLines(value []byte) [][2]string {
	results := [...]string{"not performed", "failed", "successful"}
	var lines [][2]string
	for ; len(value) >= 5; value = value[5:] {
		text := "reserved"
		if r := int(value[0] >> 4); r < len(results) {
			text = results[r]
		}
		if n := value[0] & 0x0F; n > 0 {
			text += fmt.Sprintf(", command %d", n)
		}
		lines = append(lines, [2]string{fmt.Sprintf("Script %X", value[1:5]), text})
	}
	return lines
}

func priorityLines(value []byte) [][2]string {
	if len(value) != 1 {
		return nil
	}
	lines := [][2]string{{"Priority", fmt.Sprint(value[0] & 0x0F)}}
	if value[0]&0x80 != 0 {
		lines = append(lines, [2]string{"B1b8", "not to be selected without confirmation by the cardholder"})
	}
	return lines
}

// sensitiveValues are the values below nodes that are never shown.
func sensitiveValues(nodes []ber.Node, visit func(tag Tag, value []byte)) {
	for n := range ber.All(nodes) {
		if entry, _ := Lookup(Tag(n.Tag)); entry.Sensitive && !n.Constructed() {
			visit(Tag(n.Tag), n.Value)
		}
	}
}
