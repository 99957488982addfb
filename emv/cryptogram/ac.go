package cryptogram

import (
	"crypto/subtle"
	"fmt"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// AC is an application cryptogram (ARQC, TC or AAC, tag 9F26): which of the
// three it is says the card in tag 9F27, which the cryptogram does not cover by
// itself.
type AC [blockSize]byte

// Padding completes the last block of data that enter a MAC.
type Padding string

// The paddings of ISO/IEC 9797-1 that cryptogram versions use.
const (
	PaddingZero    Padding = "zero"    // method 1: 00 to the end of the block, Visa CVN 10
	PaddingMethod2 Padding = "method2" // method 2: 80, then 00
)

// NewAC computes a cryptogram over data under a session key: ISO/IEC 9797-1
// algorithm 3 with DES (EMV Book 2, 8.1). key has 16 bytes, or ErrKey.
func NewAC(key secret.Secret, data []byte, padding Padding) (AC, error) {
	switch padding {
	case PaddingZero:
		return retailMAC(key, data, mac.Padding1)
	case PaddingMethod2:
		return retailMAC(key, data, mac.Padding2)
	default:
		return AC{}, fmt.Errorf("%w: padding %q", ErrProfile, string(padding))
	}
}

// Generate computes the application cryptogram of a card over fields, which
// hold the ten objects of EMV Book 2, 8.1.1 and tag 9F10. cardKey comes from
// [CardKey].
func (p Profile) Generate(cardKey secret.Secret, fields Fields) (AC, error) {
	data, err := p.Input(fields)
	if err != nil {
		return AC{}, err
	}
	key, err := p.SessionKey(cardKey, fields)
	if err != nil {
		return AC{}, fmt.Errorf("deriving the session key: %w", err)
	}
	defer key.Wipe()
	return NewAC(key, data, profiles[p].padding())
}

// Verify checks the cryptogram in tag 9F26 of fields as an issuer: it derives
// card and session key from the issuer master key imk and compares in constant
// time. It answers nil, ErrMismatch for a cryptogram that does not fit, or
// ErrInput, ErrKey or ErrProfile where nothing could be computed.
func Verify(imk secret.Secret, card Card, profile Profile, fields Fields) error {
	given, err := fields.get(tagCryptogram, blockSize)
	if err != nil {
		return err
	}
	cardKey, err := CardKey(imk, card)
	if err != nil {
		return fmt.Errorf("deriving the card key: %w", err)
	}
	defer cardKey.Wipe()
	want, err := profile.Generate(cardKey, fields)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(want[:], given) != 1 {
		return ErrMismatch
	}
	return nil
}
