package msg

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// maxColumn bounds what one column of a line shows, in characters; --json has
// everything.
const maxColumn = 64

// WriteText prints a report for a person.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s, %d bytes", r.Dialect, r.Bytes)
	if r.Frame != nil {
		fmt.Fprintf(w, ", in a frame (%s, length %d)", r.Frame.Header, r.Frame.Length)
		if r.Frame.TPDU != "" {
			fmt.Fprintf(w, " with TPDU %s", r.Frame.TPDU)
		}
	}
	fmt.Fprintln(w)
	var lines bytes.Buffer
	t := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "byte\tfield\tname\traw\tvalue\tmeaning")
	for _, f := range r.Fields {
		at := ""
		if f.Offset >= 0 {
			at = fmt.Sprint(f.Offset)
		}
		raw := f.Raw
		if f.Masked && raw != "" {
			raw = "*"
		}
		fmt.Fprintf(t, "%4s\t%s\t%s\t%s\t%s\t%s\n", at, indent(f.Path), f.Name, short(raw), short(f.Value), f.Meaning)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "note: "+n)
	}
	if r.Broken != nil {
		fmt.Fprintln(w, r.Broken)
	}
	return nil
}

// String names the place, the field and the reason.
func (b *Broken) String() string {
	s := fmt.Sprintf("broken at byte %d: field %s", b.Offset, b.Path)
	if b.Name != "" && b.Name != b.Path {
		s += " (" + b.Name + ")"
	}
	return s + ": " + b.Reason
}

// indent sets subfields below what holds them.
func indent(path string) string { return strings.Repeat("  ", strings.Count(path, ".")) + path }

func short(s string) string {
	if utf8.RuneCountInString(s) <= maxColumn {
		return s
	}
	return string([]rune(s)[:maxColumn-1]) + "…"
}
