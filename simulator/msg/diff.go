package msg

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A Difference is a field in which two messages are not the same.
type Difference struct {
	Path   string `json:"field"`
	Name   string `json:"name"`
	A      string `json:"a"` // as shown, empty when it is not there
	B      string `json:"b"`
	InA    bool   `json:"inA"`
	InB    bool   `json:"inB"`
	Masked bool   `json:"masked,omitempty"` // the values differ where they are masked
}

// Compare lists the fields in which two reports differ, in the order of the
// messages. Values are compared as they are and shown as they may be. Where the
// parts of a field are known, they are listed and not the whole.
func Compare(a, b *Report) []Difference {
	inB := byPath(b)
	inA := byPath(a)
	var out []Difference
	for _, f := range a.Fields {
		g, there := inB[f.Path]
		if !there || f.text != g.text {
			out = append(out, difference(f, g, there))
		}
	}
	for _, g := range b.Fields {
		if _, there := inA[g.Path]; !there {
			out = append(out, Difference{Path: g.Path, Name: g.Name, B: g.Value, InB: true, Masked: g.Masked})
		}
	}
	return out
}

func difference(f, g Field, there bool) Difference {
	d := Difference{Path: f.Path, Name: f.Name, A: f.Value, B: g.Value, InA: true, InB: there, Masked: f.Masked || g.Masked}
	if !there {
		d.B = ""
	}
	return d
}

// byPath finds fields. A tag that is there several times is told apart by its
// place among them.
func byPath(r *Report) map[string]Field {
	m := map[string]Field{}
	for i := range r.Fields {
		f := &r.Fields[i]
		base := f.Path
		for n := 2; ; n++ {
			if _, twice := m[f.Path]; !twice {
				break
			}
			f.Path = fmt.Sprintf("%s#%d", base, n)
		}
		m[f.Path] = *f
	}
	return m
}

// writeDifferences prints them for a person.
func writeDifferences(w io.Writer, list []Difference) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "field\tname\tfirst\tsecond\t")
	for _, d := range list {
		a, b, masked := short(d.A), short(d.B), ""
		if !d.InA {
			a = "absent"
		}
		if !d.InB {
			b = "absent"
		}
		if d.Masked && d.InA && d.InB {
			masked = "(masked; the values differ)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", indent(d.Path), d.Name, a, b, masked)
	}
	return t.Flush()
}
