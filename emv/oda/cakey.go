package oda

import (
	"crypto/sha1" // the check sum of the standard (B2 11.2.2)
	"crypto/subtle"
	"errors"
	"fmt"

	"tallystick.example/emv"
)

// A CAKey is a public key of a scheme's certification authority as a terminal
// keeps it (B2 11.2).
type CAKey struct {
	RID      [5]byte // of the scheme: the first five bytes of its AIDs
	Index    byte    // tag 8F names it
	Modulus  []byte  // 64 to 248 bytes
	Exponent []byte  // 03 or 010001
	Checksum [20]byte
	Expires  emv.Day // last day on which it is used
}

// Sum is the check sum that belongs to RID, index, modulus and exponent: SHA-1
// over the four (B2 11.2.2).
func (k CAKey) Sum() [20]byte {
	h := sha1.New()
	for _, part := range [][]byte{k.RID[:], {k.Index}, k.Modulus, k.Exponent} {
		h.Write(part)
	}
	return [20]byte(h.Sum(nil))
}

// String names the key: "A000000003 92".
func (k CAKey) String() string { return fmt.Sprintf("%X %02X", k.RID, k.Index) }

// Errors of a CA key that must not be loaded.
var (
	ErrChecksum = errors.New("the check sum is wrong")
	ErrKey      = errors.New("the modulus must be odd and have 64 to 248 bytes, the exponent be 03 or 010001")
)

// Check refuses a key with a wrong check sum, and one that is no key of the
// standard: ErrChecksum, ErrKey.
func (k CAKey) Check() error {
	sum := k.Sum()
	if subtle.ConstantTimeCompare(sum[:], k.Checksum[:]) != 1 {
		return fmt.Errorf("oda: CA key %v: %w", k, ErrChecksum)
	}
	if _, ok := NewPublicKey(k.Modulus, k.Exponent); !ok {
		return fmt.Errorf("oda: CA key %v: %w", k, ErrKey)
	}
	if _, err := emv.ParseDay(k.Expires.Bytes()); err != nil {
		return fmt.Errorf("oda: CA key %v: no date of expiry", k)
	}
	return nil
}

// A Revocation names an issuer certificate that is not to be trusted any more
// (B2 5.1.2): an entry of the Certificate Revocation List.
type Revocation struct {
	RID    [5]byte
	Index  byte    // of the CA key that signed it
	Serial [3]byte // of the certificate
}
