package mac

import (
	"crypto/subtle"
	"fmt"
)

// MinLength is the shortest code that Verify accepts, in bytes. ANSI X9.19 cuts
// to 4; less can be guessed on line.
const MinLength = 4

// Verify reports whether got, as it came from a peer, is want or a beginning of
// want that has at least MinLength bytes. The time does not depend on where the
// two differ. The caller has checked that got has the length of its protocol.
func Verify(want, got []byte) bool {
	if len(got) < MinLength || len(got) > len(want) {
		return false
	}
	return subtle.ConstantTimeCompare(want[:len(got)], got) == 1
}

// KCVAlgorithm names a way to compute a key check value.
type KCVAlgorithm string

// The algorithms of key check values (ANSI X9.24-1:2017, Annex A).
const (
	DESZero KCVAlgorithm = "des_zero" // a zero block under DES or TDES: 8, 16 or 24 key bytes
	AESZero KCVAlgorithm = "aes_zero" // a zero block under AES
	AESCMAC KCVAlgorithm = "aes_cmac" // the CMAC of a zero block under AES
)

// Usual lengths of check values in bytes. Longer ones give away more of the
// key than a check needs (PCI PIN: at most 3 bytes for TDES, 5 for AES).
const (
	KCVLengthTDES = 3
	KCVLengthAES  = 5
)

// KCV returns the first length bytes of the check value of key. An unknown
// algorithm gives ErrAlgorithm, a key it cannot take ErrKeyLength, and a length
// outside 1 to the block size ErrLength.
func KCV(algorithm KCVAlgorithm, key []byte, length int) ([]byte, error) {
	var zero, out [16]byte
	n := 16
	switch algorithm {
	case DESZero:
		b, err := NewTDES(key)
		if err != nil {
			return nil, fmt.Errorf("key check value: %w", err)
		}
		n = BlockSize
		b.Encrypt(out[:n], zero[:n])
	case AESZero:
		b, err := NewAES(key)
		if err != nil {
			return nil, fmt.Errorf("key check value: %w", err)
		}
		b.Encrypt(out[:], zero[:])
	case AESCMAC:
		sum, err := CMACAES(key, zero[:])
		if err != nil {
			return nil, fmt.Errorf("key check value: %w", err)
		}
		copy(out[:], sum)
	default:
		return nil, ErrAlgorithm
	}
	if length < 1 || length > n {
		return nil, ErrLength
	}
	return append([]byte(nil), out[:length]...), nil
}
