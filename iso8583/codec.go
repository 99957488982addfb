package iso8583

import "math/bits"

// MaxMessage is the longest message in bytes, without length header and TPDU.
// The longest that the table allows is well below it.
const MaxMessage = 4096

// maxElement is the highest element: two bitmaps and no more.
const maxElement = 128

// A kind is how the content of an element is written.
type kind uint8

const (
	kindNone   kind = iota
	kindDigits      // BCD, an odd number of digits begins with a zero nibble
	kindText        // one byte for each character
	kindBinary
)

// A slot is the compiled form of one element.
type slot struct {
	kind   kind
	prefix uint8 // bytes of the BCD length before the content, 0 for fixed
	max    uint16
	chars  *[256]bool // allowed bytes of a text
}

// A codec reads and writes messages without reflection and without allocation.
type codec struct{ slots [maxElement + 1]slot }

// codecOf makes the codec from the table of elements itself. It is the codec on
// machines of 32 bits, where the specification's library cannot be built; a test
// holds it to what [compile] makes of the specification.
func codecOf(list []Element) *codec {
	c := new(codec)
	for _, e := range list {
		s := slot{max: uint16(e.Length)}
		if e.Prefix > 0 {
			s.prefix = uint8(e.Prefix - 1) // two or three digits of BCD
		}
		switch e.Format {
		case "n":
			s.kind = kindDigits
		case "b", "x+n":
			s.kind = kindBinary
		default:
			s.kind, s.chars = kindText, charsOf(e.DE)
		}
		c.slots[e.DE] = s
	}
	return c
}

// size is the number of bytes that n digits, characters or bytes take.
func (s *slot) size(n int) int {
	if s.kind == kindDigits {
		return (n + 1) / 2
	}
	return n
}

// length reads where the content of an element at off begins and how many
// digits, characters or bytes it has. The reason is empty when all is well.
func (s *slot) length(raw []byte, off int) (start, n int, reason string) {
	if s.prefix == 0 {
		n = int(s.max)
	} else {
		if off+int(s.prefix) > len(raw) {
			return 0, 0, "the message ends within the length"
		}
		for _, b := range raw[off : off+int(s.prefix)] {
			if b>>4 > 9 || b&15 > 9 {
				return 0, 0, "the length is not decimal"
			}
			n = n*100 + int(b>>4)*10 + int(b&15)
		}
		if n == 0 {
			return 0, 0, "the length is zero"
		}
		if n > int(s.max) {
			return 0, 0, "the length is above the maximum"
		}
		off += int(s.prefix)
	}
	if off+s.size(n) > len(raw) {
		return 0, 0, "the message ends within the element"
	}
	return off, n, ""
}

// check looks at each byte of the content of an element. The reason is empty
// when all is well.
func (s *slot) check(content []byte, n int) string {
	switch s.kind {
	case kindDigits:
		if n%2 == 1 && content[0]>>4 != 0 {
			return "the filling nibble is not zero"
		}
		if !decimal(content) {
			return "a nibble is not a decimal digit"
		}
	case kindText:
		for _, b := range content {
			if !s.chars[b] {
				return "a character is not allowed"
			}
		}
	}
	return ""
}

// decimal reports whether both nibbles of every byte are at most 9.
func decimal(b []byte) bool {
	for _, x := range b {
		if x > 0x99 || x&15 > 9 {
			return false
		}
	}
	return true
}

// header reads MTI and bitmaps and returns where the elements begin.
func header(raw []byte) (t MTI, bm [2]uint64, off int, err *FieldError) {
	switch {
	case len(raw) > MaxMessage:
		return 0, bm, 0, &FieldError{0, 0, "the message is longer than the maximum"}
	case len(raw) < 2:
		return 0, bm, 0, &FieldError{0, 0, "the message ends within the MTI"}
	case !decimal(raw[:2]):
		return 0, bm, 0, &FieldError{0, 0, "a nibble is not a decimal digit"}
	case len(raw) < 10:
		return 0, bm, 0, &FieldError{1, 2, "the message ends within the bitmap"}
	}
	t = MTI(raw[0])<<8 | MTI(raw[1])
	bm[0] = be64(raw[2:])
	off = 10
	if bm[0]>>63 == 1 {
		if len(raw) < 18 {
			return t, bm, 0, &FieldError{1, 10, "the message ends within the second bitmap"}
		}
		bm[1] = be64(raw[10:])
		off = 18
		if bm[1]>>63 == 1 {
			return t, bm, 0, &FieldError{65, 10, "a third bitmap is not allowed"}
		}
		if bm[1] == 0 {
			return t, bm, 0, &FieldError{1, 10, "the second bitmap is empty"}
		}
		bm[0] &^= 1 << 63
	}
	return t, bm, off, nil
}

// unpack reads m.buf, the whole message, into m.
func (c *codec) unpack(m *Message) *FieldError {
	raw := m.buf
	t, bm, off, err := header(raw)
	if err != nil {
		return err
	}
	m.mti, m.bits = t, bm
	for half, set := range bm {
		for set != 0 {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << (63 - lead)
			de := half*64 + lead + 1
			s := &c.slots[de]
			if s.kind == kindNone {
				return &FieldError{de, off, "the element is not defined"}
			}
			start, n, reason := s.length(raw, off)
			if reason != "" {
				return &FieldError{de, off, reason}
			}
			end := start + s.size(n)
			if reason := s.check(raw[start:end], n); reason != "" {
				return &FieldError{de, off, reason}
			}
			m.at[de] = span{uint32(start), uint16(n)}
			off = end
		}
	}
	if off != len(raw) {
		return &FieldError{0, off, "bytes follow the last element"}
	}
	return nil
}

// pack appends m to dst.
func (c *codec) pack(dst []byte, m *Message) []byte {
	dst = append(dst, byte(m.mti>>8), byte(m.mti))
	first := m.bits[0]
	if m.bits[1] != 0 {
		first |= 1 << 63
	}
	dst = put64(dst, first)
	if m.bits[1] != 0 {
		dst = put64(dst, m.bits[1])
	}
	for half, set := range m.bits {
		for set != 0 {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << (63 - lead)
			de := half*64 + lead + 1
			s, p := &c.slots[de], m.at[de]
			n := int(p.n)
			switch s.prefix {
			case 1:
				dst = append(dst, byte(n/10<<4|n%10))
			case 2:
				dst = append(dst, byte(n/100), byte(n/10%10<<4|n%10))
			}
			dst = append(dst, m.buf[p.off:int(p.off)+s.size(n)]...)
		}
	}
	return dst
}
