package iso8583

import "tallystick.example/iso8583/codec"

// specName names the layout.
const specName = "Tallystick terminal interface, ISO 8583:1987"

// The alphabets of text elements (ISO 8583:1987, 4.3).
var (
	charsAN = alphabet(func(b byte) bool {
		return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == ' '
	})
	charsANS = alphabet(func(b byte) bool { return b >= 0x20 && b <= 0x7E })
	charsZ   = alphabet(func(b byte) bool { return b >= '0' && b <= '9' || b == '=' || b == 'D' })
)

func alphabet(in func(byte) bool) *codec.Alphabet {
	t := new(codec.Alphabet)
	for i := range t {
		t[i] = in(byte(i))
	}
	return t
}

// charsOf is the alphabet of a text element of the table, the widest for others.
func charsOf(de int) *codec.Alphabet {
	e, _ := elementOf(de)
	switch e.Format {
	case "an":
		return charsAN
	case "z":
		return charsZ
	}
	return charsANS
}
