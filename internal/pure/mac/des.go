// Package mac computes the message authentication codes and key check values
// of payment systems: ISO/IEC 9797-1 algorithms 1 and 3 with DES and TDES, CMAC
// of NIST SP 800-38B with TDES and AES, and the check values of ANSI X9.24-1.
//
// A caller with one message uses [Algorithm3] or [CMACAES]; one with many
// messages under a key keeps a [Retail] or [CMAC], which saves the key schedule.
// Codes are compared with [Verify] only.
//
// The package is pure: no I/O, no clock, no randomness. It keeps and changes no
// memory of the caller. Key schedules of the standard library cannot be
// overwritten, so a Retail or CMAC should live no longer than its key.
package mac

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"errors"
)

// Errors of this package. Their texts carry no values.
var (
	// ErrKeyLength means that a key has none of the lengths its algorithm takes.
	ErrKeyLength = errors.New("mac: wrong key length")
	// ErrPadding means a padding method other than 1, 2 and 3.
	ErrPadding = errors.New("mac: unknown padding method")
	// ErrLength means that a code or check value of this length cannot be had.
	ErrLength = errors.New("mac: length out of range")
	// ErrAlgorithm means an algorithm that the function does not know.
	ErrAlgorithm = errors.New("mac: unknown algorithm")
)

// NewTDES returns the DES cipher of an 8-byte key, or the TDES cipher of a
// 16-byte (K1 K2 K1) or 24-byte key (NIST SP 800-67). Parity bits are ignored.
// Other lengths give ErrKeyLength. The result may be used by many goroutines.
func NewTDES(key []byte) (cipher.Block, error) {
	var (
		b   cipher.Block
		err error
	)
	switch len(key) {
	case 8:
		b, err = des.NewCipher(key)
	case 16:
		var k [24]byte
		copy(k[:], key)
		copy(k[16:], key[:8])
		b, err = des.NewTripleDESCipher(k[:])
		clear(k[:])
	case 24:
		b, err = des.NewTripleDESCipher(key)
	default:
		return nil, ErrKeyLength
	}
	return b, err
}

// NewAES returns the AES cipher of a 16-, 24- or 32-byte key (FIPS 197). Other
// lengths give ErrKeyLength. The result may be used by many goroutines.
func NewAES(key []byte) (cipher.Block, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrKeyLength
	}
	return b, nil
}
