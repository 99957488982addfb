package codec

import (
	"math"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// unhex is the value of a hexadecimal digit in either case.
func unhex(c byte) (v byte, ok bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// appendUnhex appends the bytes of an even number of hexadecimal digits.
func appendUnhex(dst, digits []byte) ([]byte, bool) {
	for i := 0; i+1 < len(digits); i += 2 {
		hi, ok1 := unhex(digits[i])
		lo, ok2 := unhex(digits[i+1])
		if !ok1 || !ok2 {
			return dst, false
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, len(digits)%2 == 0
}

func appendHex(dst, b []byte) []byte {
	for _, x := range b {
		dst = append(dst, hexDigits[x>>4], hexDigits[x&15])
	}
	return dst
}

// size is the number of bytes that n units take in the message.
func (s *slot) size(n int) int {
	if s.even {
		n += n & 1
	}
	switch s.enc {
	case BCD, LBCD:
		return (n + 1) / 2
	case HexToASCII:
		return 2 * n
	}
	return n
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

// check looks at each byte of the content of n units. The reason is empty when
// all is well. tmp is memory for values that must be decoded to be checked.
func (s *slot) check(content []byte, n int, tmp *[]byte) (why string) {
	if s.even {
		n += n & 1
	}
	switch s.enc {
	case BCD:
		if n%2 == 1 && content[0]>>4 != 0 {
			if content[0]>>4 > 9 {
				return ReasonNibble
			}
			return ReasonFiller
		}
		if !decimal(content) && !(s.sep && separated(content)) {
			return ReasonNibble
		}
	case LBCD:
		if why := s.checkLeft(content, n); why != "" {
			return why
		}
	case ASCII:
		for _, b := range content {
			if !s.chars[b] {
				return ReasonChar
			}
		}
	case HexToASCII:
		for _, b := range content {
			if _, ok := unhex(b); !ok {
				return ReasonHexDigit
			}
		}
	}
	switch s.kind {
	case Number, Track1, Track2, Track3:
		return s.checkValue(content, n, tmp)
	}
	return ""
}

// checkLeft checks left-justified digits.
func (s *slot) checkLeft(content []byte, n int) (why string) {
	if n%2 == 1 {
		last := content[len(content)-1]
		switch {
		case last>>4 > 9 || last&15 > 9 && last&15 != 15:
			return ReasonNibble
		case last&15 != 0 && last&15 != 15:
			return ReasonFiller
		}
		content = content[:len(content)-1]
	}
	if !decimal(content) && !(s.sep && separated(content)) {
		return ReasonNibble
	}
	return ""
}

// separated reports whether nibbles are digits but for one D, as in track 2.
func separated(b []byte) bool {
	seps := 0
	for _, x := range b {
		for _, n := range [...]byte{x >> 4, x & 15} {
			switch {
			case n == 0xD:
				seps++
			case n > 9:
				return false
			}
		}
	}
	return seps == 1
}

// checkValue checks what a number or a track says.
func (s *slot) checkValue(content []byte, n int, tmp *[]byte) (why string) {
	var value []byte
	switch s.enc {
	case ASCII, Binary:
		value = s.trim(content)
	default:
		*tmp = s.decode((*tmp)[:0], content, n)
		value = *tmp
	}
	if s.kind == Number {
		if _, ok := parseNumber(value); !ok {
			return ReasonNotNumber
		}
		return ""
	}
	if len(value) > 0 && !trackOK(s.kind, value) {
		return ReasonTrack
	}
	return ""
}

// parseNumber reads digits; none are 0. It reports false for anything else and
// for what no int64 holds.
func parseNumber(digits []byte) (v int64, ok bool) {
	for _, d := range digits {
		d -= '0'
		if d > 9 || v > (math.MaxInt64-int64(d))/10 {
			return 0, false
		}
		v = v*10 + int64(d)
	}
	return v, true
}

// trim takes the pad characters off a value.
func (s *slot) trim(value []byte) []byte {
	switch s.pad.Side {
	case Left:
		for len(value) > 0 && value[0] == s.pad.Char {
			value = value[1:]
		}
	case Right:
		for len(value) > 0 && value[len(value)-1] == s.pad.Char {
			value = value[:len(value)-1]
		}
	}
	return value
}

// decode appends the value of n units of checked content, without padding.
func (s *slot) decode(dst, content []byte, n int) []byte {
	start := len(dst)
	if s.even {
		n += n & 1
	}
	switch s.enc {
	case BCD:
		for i, b := range content {
			if i > 0 || n%2 == 0 {
				dst = append(dst, '0'+b>>4)
			}
			dst = append(dst, '0'+b&15)
		}
	case LBCD:
		for i, b := range content {
			dst = append(dst, '0'+b>>4)
			if 2*i+1 < n {
				dst = append(dst, '0'+b&15)
			}
		}
	case EBCDIC:
		for _, b := range content {
			dst = append(dst, fromEBCDIC[b])
		}
	case EBCDIC1047:
		for _, b := range content {
			dst = utf8.AppendRune(dst, rune(from1047[b]))
		}
	case HexToASCII:
		dst, _ = appendUnhex(dst, content) // checked before
	case ASCIIToHex:
		dst = appendHex(dst, content)
	default:
		dst = append(dst, content...)
	}
	if s.pad.Side != NoPad {
		value := s.trim(dst[start:])
		dst = dst[:start+copy(dst[start:], value)]
	}
	return dst
}
