package iso8583

import "encoding/binary"

// The alphabets of text elements (ISO 8583:1987, 4.3).
var (
	charsAN = alphabet(func(b byte) bool {
		return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == ' '
	})
	charsANS = alphabet(func(b byte) bool { return b >= 0x20 && b <= 0x7E })
	charsZ   = alphabet(func(b byte) bool { return b >= '0' && b <= '9' || b == '=' || b == 'D' })
)

func alphabet(in func(byte) bool) *[256]bool {
	t := new([256]bool)
	for i := range t {
		t[i] = in(byte(i))
	}
	return t
}

// charsOf is the alphabet of a text element of the table, the widest for others.
func charsOf(de int) *[256]bool {
	e, _ := elementOf(de)
	switch e.Format {
	case "an":
		return charsAN
	case "z":
		return charsZ
	}
	return charsANS
}

func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

func put64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }
