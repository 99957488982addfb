package spec

import (
	"embed"
	"slices"
)

//go:embed dialects/*.json
var dialectFiles embed.FS

// dialects are the names of the files, in the order in which people look for them.
var dialects = []string{"87ascii", "87binary", "93", "2003"}

// numeric are the elements of attribute n in the dialects that write them as
// characters, as ranges. A letter in one is found by the compiled codec.
var numeric = map[string][][2]int{
	"87ascii": {{0, 0}, {2, 27}, {32, 33}, {53, 53}, {66, 90}, {95, 95}, {99, 100}},
	"93":      {{0, 0}, {2, 21}, {23, 30}, {32, 33}, {39, 40}, {56, 58}, {67, 71}, {73, 94}, {100, 100}, {105, 108}},
}

// Dialects lists the names that [Dialect] knows:
//
//   - 87ascii: ISO 8583:1987 in ASCII; bitmaps and fixed binary data in
//     hexadecimal, lengths in ASCII.
//   - 87binary: ISO 8583:1987 with binary bitmaps, BCD numerics and lengths, an odd
//     number of digits beginning with a zero nibble.
//   - 93: ISO 8583:1993, written as 87ascii.
//   - 2003: ISO 8583-1:2003, written as 87binary.
//
// What the standard leaves to partners is written as many do: data elements that
// are private or reserved are text of up to 999 characters (binary and up to 9,999
// bytes in 2003), and tracks are text.
func Dialects() []string { return slices.Clone(dialects) }

// Dialect gives the specification of a dialect that comes with this package, new
// at each call. It reports false for a name that is none of [Dialects].
func Dialect(name string) (*Spec, bool) {
	if !slices.Contains(dialects, name) {
		return nil, false
	}
	raw, err := dialectFiles.ReadFile("dialects/" + name + ".json")
	if err != nil {
		panic(err) // the file is part of the program
	}
	s, err := Load(raw)
	if err != nil {
		panic(err) // a test loads each of them
	}
	s.numeric = numeric[name]
	return s, true
}
