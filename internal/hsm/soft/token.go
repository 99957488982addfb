package soft

import (
	"encoding/base32"
	"fmt"
	"io"
)

const (
	// tokenRandom is 13 bytes, of which 20 characters carry 100 bits.
	tokenRandom = 13
	tokenChars  = 20
	// TokenLen is the length of a token: the letter T and 20 characters of the
	// base32 alphabet (RFC 4648).
	TokenLen = 1 + tokenChars
	// maxDigitRun is the longest row of digits in a token. An account number is
	// longer, so that no part of a token can be one, Luhn-valid or not.
	maxDigitRun = 7
	maxDraws    = 64
)

// newToken draws a token: a letter first, never digits alone, at least 96
// random bits. A draw with a long row of digits is thrown away.
func newToken(random io.Reader) (string, error) {
	var b [tokenRandom]byte
	for range maxDraws {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("soft: drawing a token: %w", err)
		}
		token := "T" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])[:tokenChars]
		if digitRun(token) <= maxDigitRun {
			return token, nil
		}
	}
	return "", fmt.Errorf("soft: the source of randomness gives digits only")
}

// validToken reports whether s has the form of a token.
func validToken(s string) bool {
	if len(s) != TokenLen || s[0] != 'T' {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'A' && c <= 'Z' || c >= '2' && c <= '7') {
			return false
		}
	}
	return true
}

func digitRun(s string) int {
	longest, run := 0, 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
