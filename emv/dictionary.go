package emv

import "sync"

// A Format is how the value of a tag is written (Book 3 4.3).
type Format uint8

// The formats. FormatBinary is also that of tags that nothing is known of.
const (
	FormatBinary Format = iota // b: bytes or bits
	FormatN                    // n: decimal digits, two a byte, filled on the left with 0
	FormatCN                   // cn: decimal digits, two a byte, filled on the right with F
	FormatA                    // a: letters
	FormatAN                   // an: letters and digits
	FormatANS                  // ans: printable text
)

// String is the name that the standard uses: "n", "cn", "b" and so on.
func (f Format) String() string {
	names := [...]string{"b", "n", "cn", "a", "an", "ans"}
	if int(f) >= len(names) {
		return "?"
	}
	return names[f]
}

// Text reports whether values of f are characters.
func (f Format) Text() bool { return f == FormatA || f == FormatAN || f == FormatANS }

// An Origin is who gives the value of a tag (Book 3 Annex A).
type Origin uint8

// The origins of data objects.
const (
	FromCard Origin = iota
	FromTerminal
	FromIssuer
)

// String is "card", "terminal" or "issuer".
func (o Origin) String() string {
	switch o {
	case FromCard:
		return "card"
	case FromTerminal:
		return "terminal"
	case FromIssuer:
		return "issuer"
	}
	return "?"
}

// An Entry is what is known of one tag.
type Entry struct {
	Tag       Tag
	Name      string
	Format    Format
	Min, Max  int // length of the value in bytes; Max 0 is without limit
	Origin    Origin
	Sensitive bool // the value is never shown: PAN, tracks, names, PIN data, certificates that open to a PAN
}

// Lookup returns what is known of tag. For an unknown tag ok is false and the
// entry says binary, of any length.
func Lookup(tag Tag) (entry Entry, ok bool) {
	entry, ok = index()[tag]
	if !ok {
		return Entry{Tag: tag, Name: "Unknown"}, false
	}
	return entry, true
}

// Entries returns the whole dictionary in the order of its table. The caller
// owns the slice.
func Entries() []Entry { return append([]Entry(nil), dictionary...) }

// index is the dictionary by tag, built at first use: a terminal that never
// decodes does not pay for it.
var index = sync.OnceValue(func() map[Tag]Entry {
	m := make(map[Tag]Entry, len(dictionary))
	for _, e := range dictionary {
		m[e.Tag] = e
	}
	return m
})
