package codec

import (
	"strconv"
	"unicode/utf8"
)

// encode appends the content that says value, padded, and returns its units.
// value is scratch memory of the caller: it is changed. The reason is empty when
// all is well; the caller then checks the content as if it had arrived.
func (s *slot) encode(dst, value []byte) (out []byte, n int, why string) {
	if s.kind == Number {
		v, ok := parseNumber(value)
		if !ok {
			return dst, 0, ReasonNotNumber
		}
		value = strconv.AppendInt(value[:0], v, 10)
	}
	n = s.units(value)
	if s.even {
		if n%2 == 1 { // units, which need not be bytes of the value
			value = padTo(value, len(value)+1, s.pad)
		}
	} else {
		value = s.fillUp(value, n)
		n = s.units(value)
	}
	if s.prefix == Fixed && n != int(s.max) && s.kind != Bits || n > int(s.max) || n < int(s.min) {
		return dst, 0, reasonWrongLen
	}
	out, why = s.encodeUnits(dst, value)
	return out, n, why
}

// units is how many units a value has.
func (s *slot) units(value []byte) int {
	switch s.enc {
	case EBCDIC1047:
		return utf8.RuneCount(value)
	case ASCIIToHex:
		return (len(value) + 1) / 2
	}
	return len(value)
}

// fillUp pads a value of n units. A fixed number without pad character has
// leading zeros (ISO 8583:1987, 4.3: numeric elements are right-justified).
func (s *slot) fillUp(value []byte, n int) []byte {
	pad := s.pad
	if pad.Side == NoPad && s.kind == Number && s.prefix == Fixed && s.enc != ASCIIToHex {
		pad = Pad{Left, '0'}
	}
	if pad.Side == NoPad || n >= int(s.fill) {
		return value
	}
	return padTo(value, len(value)+int(s.fill)-n, pad)
}

// padTo fills value to n bytes, in its own memory where that is enough.
func padTo(value []byte, n int, pad Pad) []byte {
	have := len(value)
	for len(value) < n {
		value = append(value, pad.Char)
	}
	if pad.Side == Left {
		copy(value[n-have:], value[:have])
		for i := range n - have {
			value[i] = pad.Char
		}
	}
	return value
}

// encodeUnits appends a padded value.
func (s *slot) encodeUnits(dst, value []byte) (out []byte, why string) {
	switch s.enc {
	case BCD, LBCD:
		return appendDigits(dst, value, s.enc == LBCD, s.sep)
	case EBCDIC:
		for _, b := range value {
			dst = append(dst, toEBCDIC[b])
		}
	case EBCDIC1047:
		for len(value) > 0 {
			r, size := utf8.DecodeRune(value)
			if r > 0xFF || r == utf8.RuneError {
				return dst, ReasonChar
			}
			dst, value = append(dst, to1047[r]), value[size:]
		}
	case HexToASCII:
		dst = appendHex(dst, value)
	case ASCIIToHex:
		if len(value)%2 == 1 {
			return dst, reasonOddHex
		}
		var ok bool
		if dst, ok = appendUnhex(dst, value); !ok {
			return dst, ReasonHexDigit
		}
	default:
		dst = append(dst, value...)
	}
	return dst, ""
}

// appendDigits packs digits two to a byte; an odd number gets a zero nibble, in
// front or, where left is set, at the end.
func appendDigits(dst, value []byte, left, sep bool) (out []byte, why string) {
	half := len(value)%2 == 1 && !left
	if half {
		dst = append(dst, 0)
	}
	for _, d := range value {
		d -= '0' // of = it is D
		if sep && d == 'D'-'0' {
			d = 0xD
		}
		if d > 9 && !(sep && d == 0xD) {
			return dst, ReasonNibble
		}
		if half {
			dst[len(dst)-1] |= d
		} else {
			dst = append(dst, d<<4)
		}
		half = !half
	}
	return dst, ""
}
