// Package cardcodes computes the check values that an issuer prints, encodes
// and verifies: Visa PVV and IBM 3624 for PINs, CVV, iCVV, CVV2, dynamic CVV
// and CVC3 for cards.
//
// The functions are pure and may be called by many goroutines at once. Digits
// travel as ASCII bytes, so that the caller can clear them; nothing given is
// changed or kept. Results are short ASCII digits; compare them with
// [crypto/subtle.ConstantTimeCompare].
package cardcodes

import (
	"crypto/cipher"
	"crypto/des"
	"errors"
)

// Errors of this package. Their texts carry no values.
var (
	// ErrKey means that a key is not 16 bytes long.
	ErrKey = errors.New("cardcodes: key is not 16 bytes long")
	// ErrDigits means that an input holds something other than decimal digits or
	// has a length that the algorithm does not know.
	ErrDigits = errors.New("cardcodes: input is not digits of the right length")
)

// Lengths of account numbers (ISO/IEC 7812-1) and PINs (ISO 9564-1).
const (
	minPAN, maxPAN = 8, 19
	minPIN, maxPIN = 4, 12
)

// tdes returns two-key triple DES for a 16-byte key.
func tdes(key []byte) (cipher.Block, error) {
	if len(key) != 16 {
		return nil, ErrKey
	}
	var k [24]byte
	copy(k[:], key)
	copy(k[16:], key[:8])
	defer clear(k[:])
	return des.NewTripleDESCipher(k[:])
}

// digits reports whether b holds lo to hi decimal digits and nothing else.
func digits(b []byte, lo, hi int) bool {
	if len(b) < lo || len(b) > hi {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// pack writes digits as BCD, left-justified in n bytes and filled with zeros.
func pack(d []byte, n int) []byte {
	out := make([]byte, n)
	for i, c := range d {
		out[i/2] |= (c - '0') << (4 * (1 - i%2))
	}
	return out
}

// decimalize takes n digits out of cipher text by the two-pass method of PVV
// and CVV: first the decimal digits in order, then, when they are too few, the
// digits A to F less ten.
func decimalize(block []byte, n int) []byte {
	out := make([]byte, 0, 2*len(block))
	for pass := range 2 {
		for i := range 2 * len(block) {
			d := nibble(block, i)
			switch {
			case pass == 0 && d < 10:
				out = append(out, '0'+d)
			case pass == 1 && d >= 10:
				out = append(out, '0'+d-10)
			}
		}
	}
	clear(out[n:])
	return out[:n:n]
}

// nibble is the i-th half byte of b, from the left.
func nibble(b []byte, i int) byte { return b[i/2] >> (4 * (1 - i%2)) & 0x0F }
