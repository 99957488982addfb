// Package bcd packs decimal digits two to a byte and back, strictly: anything
// that is not a digit is refused, and so is a filler that is not the expected
// one.
//
// All functions append to a slice of the caller and allocate only when it must
// grow. On an error they return the slice as it was. They are pure and safe for
// many goroutines.
package bcd

import "errors"

// Errors of this package. Their texts carry no digits: these may be a PAN.
var (
	// ErrDigit means a character or half byte that is not a decimal digit.
	ErrDigit = errors.New("bcd: not a decimal digit")
	// ErrFiller means that a half byte outside the digits is not the filler.
	ErrFiller = errors.New("bcd: wrong filler")
	// ErrLength means that the digits and the bytes do not fit each other.
	ErrLength = errors.New("bcd: wrong length")
)

// Text is what digits may come in.
type Text interface{ ~string | ~[]byte }

// Append appends digits right-justified, as ISO 8583 numeric elements are: an
// odd number of them gets a zero half byte in front.
func Append[T Text](dst []byte, digits T) ([]byte, error) {
	if !IsDigits(digits) {
		return dst, ErrDigit
	}
	i := 0
	if len(digits)%2 == 1 {
		dst = append(dst, digits[0]-'0')
		i = 1
	}
	for ; i < len(digits); i += 2 {
		dst = append(dst, digits[i]<<4|digits[i+1]&15)
	}
	return dst, nil
}

// AppendLeft appends digits left-justified: an odd number of them gets the half
// byte filler (0 to 15) at the end.
func AppendLeft[T Text](dst []byte, digits T, filler byte) ([]byte, error) {
	if !IsDigits(digits) {
		return dst, ErrDigit
	}
	if filler > 15 {
		return dst, ErrFiller
	}
	i := 0
	for ; i+1 < len(digits); i += 2 {
		dst = append(dst, digits[i]<<4|digits[i+1]&15)
	}
	if i < len(digits) {
		dst = append(dst, digits[i]<<4|filler)
	}
	return dst, nil
}

// AppendCN appends size bytes of EMV format cn (EMV Book 3, 4.3): digits
// left-justified, filled with F. More than 2*size digits give ErrLength.
func AppendCN[T Text](dst []byte, digits T, size int) ([]byte, error) {
	if len(digits) > 2*size {
		return dst, ErrLength
	}
	end := len(dst) + size
	out, err := AppendLeft(dst, digits, 0xF)
	if err != nil {
		return dst, err
	}
	for len(out) < end {
		out = append(out, 0xFF)
	}
	return out, nil
}

// AppendUint appends v as size bytes, right-justified with zeros in front. A
// number that does not fit gives ErrLength.
func AppendUint(dst []byte, v uint64, size int) ([]byte, error) {
	if size < 0 {
		return dst, ErrLength
	}
	start := len(dst)
	for range size {
		dst = append(dst, 0)
	}
	for i := len(dst) - 1; i >= start && v > 0; i-- {
		dst[i] = byte(v%10) | byte(v/10%10)<<4
		v /= 100
	}
	if v > 0 {
		return dst[:start], ErrLength
	}
	return dst, nil
}

// IsDigits reports whether s has only the characters 0 to 9. Empty text has.
func IsDigits[T Text](s T) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}
