package bcd

// Size is the number of bytes that n digits take when packed.
func Size(n int) int { return (n + 1) / 2 }

// AppendDigits appends the n characters of the right-justified digits in
// packed. packed must have Size(n) bytes (else ErrLength) and, where n is odd, a
// zero half byte in front (else ErrFiller).
func AppendDigits(dst, packed []byte, n int) ([]byte, error) {
	if n < 0 || len(packed) != Size(n) {
		return dst, ErrLength
	}
	start := len(dst)
	for i, b := range packed {
		hi, lo := b>>4, b&15
		if i == 0 && n%2 == 1 {
			if hi != 0 {
				return dst[:start], ErrFiller
			}
		} else if hi > 9 {
			return dst[:start], ErrDigit
		} else {
			dst = append(dst, '0'+hi)
		}
		if lo > 9 {
			return dst[:start], ErrDigit
		}
		dst = append(dst, '0'+lo)
	}
	return dst, nil
}

// AppendDigitsLeft appends the n characters of the left-justified digits in
// packed. packed must have Size(n) bytes (else ErrLength) and, where n is odd,
// the half byte filler at the end (else ErrFiller).
func AppendDigitsLeft(dst, packed []byte, n int, filler byte) ([]byte, error) {
	if n < 0 || len(packed) != Size(n) {
		return dst, ErrLength
	}
	start := len(dst)
	for i, b := range packed {
		hi, lo := b>>4, b&15
		if hi > 9 {
			return dst[:start], ErrDigit
		}
		dst = append(dst, '0'+hi)
		if i == len(packed)-1 && n%2 == 1 {
			if lo != filler {
				return dst[:start], ErrFiller
			}
		} else if lo > 9 {
			return dst[:start], ErrDigit
		} else {
			dst = append(dst, '0'+lo)
		}
	}
	return dst, nil
}

// AppendDigitsCN appends the characters of a value of EMV format cn: digits to
// the first F, after which there may be only F (else ErrFiller).
func AppendDigitsCN(dst, packed []byte) ([]byte, error) {
	start, ended := len(dst), false
	for _, b := range packed {
		for _, d := range [2]byte{b >> 4, b & 15} {
			switch {
			case d == 0xF:
				ended = true
			case ended:
				return dst[:start], ErrFiller
			case d > 9:
				return dst[:start], ErrDigit
			default:
				dst = append(dst, '0'+d)
			}
		}
	}
	return dst, nil
}

// Uint returns the number that packed shows. Half bytes above 9 give ErrDigit,
// a number of more than 18 digits ErrLength.
func Uint(packed []byte) (uint64, error) {
	var v uint64
	for _, b := range packed {
		hi, lo := b>>4, b&15
		if hi > 9 || lo > 9 {
			return 0, ErrDigit
		}
		if v > 9_999_999_999_999_999 {
			return 0, ErrLength
		}
		v = v*100 + uint64(hi)*10 + uint64(lo)
	}
	return v, nil
}
