package cryptogram

import (
	"crypto/sha1" //nolint:gosec // EMV Book 2 A1.4.2 prescribes SHA-1; it hides nothing here
	"encoding/hex"
	"fmt"

	"tallystick.example/internal/pure/secret"
)

// Option selects how a card key is derived from PAN and PAN sequence number.
type Option byte

// The options of EMV Book 2, Annex A1.4.
const (
	// OptionA takes the rightmost 16 digits of PAN and sequence number.
	OptionA Option = 'A'
	// OptionB hashes PANs of more than 16 digits; shorter ones fall back to A.
	OptionB Option = 'B'
)

// Limits of a PAN (ISO/IEC 7812-1).
const (
	minPAN = 8
	maxPAN = 19
)

// A Card names one card to its issuer.
type Card struct {
	PAN    secret.Secret // 8 to 19 ASCII digits
	PSN    string        // tag 5F34 as two digits; empty counts as 00 (Annex A1.4)
	Option Option        // the issuer's choice; zero counts as OptionA
}

// CardKey derives the key of card from an issuer master key (EMV Book 2, Annex
// A1.4). imk has 16 bytes, or ErrKey; a PAN or PSN that is not made of digits
// or an unknown option gives ErrInput. The result has 16 bytes of odd parity.
func CardKey(imk secret.Secret, card Card) (secret.Secret, error) {
	digits, err := card.digits()
	if err != nil {
		return secret.Secret{}, err
	}
	defer clear(digits)
	y, err := card.diversifier(digits)
	if err != nil {
		return secret.Secret{}, err
	}
	defer clear(y[:])
	z := y
	for i := range z {
		z[i] ^= 0xFF
	}
	defer clear(z[:])
	return encipherPair(imk, y, z)
}

// digits is the PAN followed by the sequence number. The caller clears it.
func (c Card) digits() ([]byte, error) {
	pan, psn := c.PAN.Expose(), c.PSN
	if psn == "" {
		psn = "00"
	}
	if len(pan) < minPAN || len(pan) > maxPAN || !allDigits(pan) {
		return nil, fmt.Errorf("%w: the PAN is not %d to %d digits", ErrInput, minPAN, maxPAN)
	}
	if len(psn) != 2 || !allDigits([]byte(psn)) {
		return nil, fmt.Errorf("%w: the PAN sequence number is not two digits", ErrInput)
	}
	return append(append(make([]byte, 0, maxPAN+2), pan...), psn...), nil
}

// diversifier is the block Y of Annex A1.4.1 or A1.4.2.
func (c Card) diversifier(digits []byte) ([blockSize]byte, error) {
	switch c.Option {
	case OptionA, 0:
		return rightmost16(digits), nil
	case OptionB:
		if len(digits)-2 <= 16 {
			return rightmost16(digits), nil
		}
		return decimalizedHash(digits), nil
	default:
		return [blockSize]byte{}, fmt.Errorf("%w: derivation option %q", ErrInput, byte(c.Option))
	}
}

// rightmost16 packs the rightmost 16 digits, filled with zeros on the left.
func rightmost16(digits []byte) [blockSize]byte {
	return packBCD(digits[max(0, len(digits)-2*blockSize):])
}

// decimalizedHash hashes the packed digits and takes the first 16 decimal
// digits of the hash; where there are fewer, the letters A to F stand in as 0
// to 5, in their order (Annex A1.4.2).
func decimalizedHash(digits []byte) [blockSize]byte {
	even := digits
	if len(even)%2 == 1 {
		even = append([]byte{'0'}, digits...)
		defer clear(even)
	}
	packed := make([]byte, len(even)/2)
	defer clear(packed)
	for i := range packed {
		packed[i] = (even[2*i]-'0')<<4 | (even[2*i+1] - '0')
	}
	sum := sha1.Sum(packed) //nolint:gosec // see the import
	text := []byte(hex.EncodeToString(sum[:]))
	defer clear(text)
	chosen := make([]byte, 0, len(text))
	for _, d := range text {
		if d <= '9' {
			chosen = append(chosen, d)
		}
	}
	for _, d := range text {
		if d >= 'a' {
			chosen = append(chosen, d-'a'+'0')
		}
	}
	defer clear(chosen)
	return packBCD(chosen[:2*blockSize])
}

// packBCD packs at most 16 digits to the right.
func packBCD(digits []byte) [blockSize]byte {
	var out [blockSize]byte
	shift := 2*blockSize - len(digits)
	for i, d := range digits {
		at := shift + i
		out[at/2] |= (d - '0') << (4 * (1 - at%2))
	}
	return out
}

func allDigits(b []byte) bool {
	for _, d := range b {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}
