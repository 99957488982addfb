package main

import (
	"encoding/binary"
	"fmt"
	"strings"

	"tallystick.example/iso8583"
)

// annotate lists a message byte by byte: offset, bytes, what they are.
func annotate(raw []byte) (string, error) {
	m, err := iso8583.Unpack(raw)
	if err != nil {
		return "", err
	}
	described := map[string]iso8583.Line{}
	for _, l := range iso8583.Describe(m) {
		described[fmt.Sprint(l.DE, l.Tag)] = l
	}
	var b strings.Builder
	fmt.Fprintf(&b, "```text\n%d bytes\n", len(raw))
	line := func(at int, part []byte, what string) {
		fmt.Fprintf(&b, "%4d  %s\n        %s\n", at, what, strings.ReplaceAll(wrapHex(part), "\n", "\n        "))
	}
	line(0, raw[:2], "MTI "+m.MTI().String())
	line(2, raw[2:10], "bitmap: "+bits(raw[2:10], 0))
	at := 10
	if raw[2]&0x80 != 0 {
		line(at, raw[10:18], "second bitmap: "+bits(raw[10:18], 64))
		at = 18
	}
	for _, e := range iso8583.Elements() {
		if !m.Has(e.DE) {
			continue
		}
		start, end := extent(raw, at, e)
		what := fmt.Sprintf("DE %d %s", e.DE, e.Name)
		if l := described[fmt.Sprint(e.DE, "")]; l.Value != "" && !strings.HasPrefix(l.Value, "[") && e.Format != "b" {
			what += ": " + l.Value
			if l.Meaning != "" {
				what += " (" + l.Meaning + ")"
			}
		}
		if e.DE != 63 {
			line(at, raw[at:end], what)
		} else {
			line(at, raw[at:start], what+": length")
			annotateTags(line, raw, start, end)
		}
		at = end
	}
	b.WriteString("```")
	return b.String(), nil
}

// extent finds where the content of e begins and ends when its length or, for a
// fixed element, its content is at at.
func extent(raw []byte, at int, e iso8583.Element) (start, end int) {
	n := e.Length
	if e.Prefix > 0 {
		n = 0
		for range (e.Prefix + 1) / 2 {
			n = n*100 + int(raw[at]>>4)*10 + int(raw[at]&15)
			at++
		}
	}
	if e.Format == "n" {
		n = (n + 1) / 2
	}
	return at, at + n
}

// annotateTags lists the tags of DE 63.
func annotateTags(line func(int, []byte, string), raw []byte, at, end int) {
	for at < end {
		n := 3 + int(binary.BigEndian.Uint16(raw[at+1:]))
		what := fmt.Sprintf("   tag %02X", raw[at])
		for _, t := range iso8583.Tags() {
			if t.Tag == raw[at] {
				what += " " + t.Name
			}
		}
		line(at, raw[at:at+n], what)
		at += n
	}
}

// bits lists the elements that a bitmap announces.
func bits(bitmap []byte, base int) string {
	var s []string
	for i := range 64 {
		if bitmap[i/8]>>(7-i%8)&1 == 1 {
			s = append(s, fmt.Sprint(base+i+1))
		}
	}
	return strings.Join(s, " ")
}
