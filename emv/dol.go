package emv

import (
	"fmt"

	"tallystick.example/internal/pure/ber"
)

// maxDOLBytes is the longest data object list that a record can carry.
const maxDOLBytes = 252

// A DOLEntry asks for the value of one tag in a field of Length bytes.
type DOLEntry struct {
	Tag    Tag
	Length int // 0 to 255
}

// A DOL is a data object list: what a card wants to be told, in order, without
// tags and lengths (Book 3 5.4).
type DOL []DOLEntry

// ParseDOL reads a data object list. Lists over 252 bytes, tags without length
// and bytes that are no tag give ErrDOL. An empty list is a list.
func ParseDOL(list []byte) (DOL, error) {
	if len(list) > maxDOLBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrDOL, len(list))
	}
	dol := DOL{}
	for at := 0; at < len(list); {
		tag, size := dolTag(list[at:])
		if size == 0 {
			return nil, fmt.Errorf("%w: no tag at byte %d", ErrDOL, at)
		}
		at += size
		if at == len(list) {
			return nil, fmt.Errorf("%w: last tag has no length", ErrDOL)
		}
		dol = append(dol, DOLEntry{Tag: tag, Length: int(list[at])})
		at++
	}
	return dol, nil
}

// dolTag reads the tag at the start of list and its size, 0 when there is none.
func dolTag(list []byte) (tag Tag, size int) {
	for i := 0; i < min(len(list), 4); i++ {
		tag = tag<<8 | Tag(list[i])
		if tag == 0 { // a first byte 00 would vanish in the number
			return 0, 0
		}
		if ber.Valid(uint32(tag)) {
			return tag, i + 1
		}
	}
	return 0, 0
}

// Len is the length of the data that the list asks for, in bytes.
func (l DOL) Len() int {
	sum := 0
	for _, e := range l {
		sum += e.Length
	}
	return sum
}

// Has reports whether the list asks for tag.
func (l DOL) Has(tag Tag) bool {
	for _, e := range l {
		if e.Tag == tag {
			return true
		}
	}
	return false
}

// Build puts together what the list asks for. The first source that has a tag
// gives its value. A tag that no source has and a template become zeros; a
// value of another length is cut and filled by its format (Book 3 5.4): n loses
// and gets bytes on the left, filled with 00; cn on the right, filled with FF;
// all others on the right, filled with 00.
func (l DOL) Build(sources ...Getter) []byte {
	out := make([]byte, 0, l.Len())
	for _, e := range l {
		out = append(out, fit(e, lookIn(sources, e.Tag))...)
	}
	return out
}

// BuildDOL parses list and builds what it asks for; errors are those of ParseDOL.
func BuildDOL(list []byte, sources ...Getter) ([]byte, error) {
	dol, err := ParseDOL(list)
	if err != nil {
		return nil, err
	}
	return dol.Build(sources...), nil
}

func lookIn(sources []Getter, tag Tag) []byte {
	if tag.Constructed() {
		return nil
	}
	for _, s := range sources {
		if v, ok := s.Get(tag); ok {
			return v
		}
	}
	return nil
}

// fit brings value to the length of e. A missing value is nil and becomes zeros.
func fit(e DOLEntry, value []byte) []byte {
	out := make([]byte, e.Length)
	if value == nil {
		return out
	}
	entry, _ := Lookup(e.Tag)
	switch {
	case entry.Format == FormatN:
		if excess := len(value) - e.Length; excess > 0 {
			value = value[excess:]
		}
		copy(out[e.Length-len(value):], value)
	default:
		kept := copy(out, value)
		for i := kept; i < e.Length && entry.Format == FormatCN; i++ {
			out[i] = 0xFF
		}
	}
	return out
}
