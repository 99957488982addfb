package cardcodes

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strconv"

	"tallystick.example/internal/pure/mac"
)

// Service codes that stand for a place rather than a card.
const (
	serviceChip  = "999" // iCVV: the code in chip data must not make a stripe
	servicePrint = "000" // CVV2: the code printed on the card
)

// CVV computes the three-digit card verification value of the stripe.
//
// cvk is the pair of card verification keys, 16 bytes; pan has 8 to 19 digits;
// expiry is four digits in the order that the issuer uses, YYMM on the stripe;
// service is the three-digit service code. Other inputs give ErrKey or
// ErrDigits.
func CVV(cvk, pan, expiry, service []byte) ([]byte, error) {
	if len(cvk) != 16 {
		return nil, ErrKey
	}
	if !digits(pan, minPAN, maxPAN) || !digits(expiry, 4, 4) || !digits(service, 3, 3) {
		return nil, ErrDigits
	}
	text := make([]byte, 0, maxPAN+7)
	text = append(append(append(text, pan...), expiry...), service...)
	defer clear(text)
	b := pack(text, 16)
	defer clear(b)
	// The chain of ISO/IEC 9797-1 algorithm 3 over two blocks without further
	// padding, so the retail MAC is the whole calculation.
	sum, err := mac.Algorithm3(cvk, b, mac.Padding1)
	if err != nil {
		return nil, fmt.Errorf("cardcodes: computing a card verification value: %w", err)
	}
	return decimalize(sum[:], 3), nil
}

// ICVV computes the value in the track 2 equivalent data of a chip: CVV with
// service code 999. Inputs and errors are those of [CVV].
func ICVV(cvk, pan, expiry []byte) ([]byte, error) {
	return CVV(cvk, pan, expiry, []byte(serviceChip))
}

// CVV2 computes the value printed on the card: CVV with service code 000, and
// expiry mostly as MMYY. Inputs and errors are those of [CVV].
func CVV2(cvk, pan, expiry []byte) ([]byte, error) {
	return CVV(cvk, pan, expiry, []byte(servicePrint))
}

// DCVV computes the dynamic CVV of a contactless card in stripe mode: CVV
// under the 16-byte card key, with the four half bytes of the ATC in
// place of the first four digits of pan. atc is the value of tag 9F36, two
// bytes whose half bytes must be decimal digits.
func DCVV(cardKey, pan, expiry, service, atc []byte) ([]byte, error) {
	if !digits(pan, minPAN, maxPAN) || len(atc) != 2 {
		return nil, ErrDigits
	}
	p := make([]byte, len(pan))
	copy(p, pan)
	defer clear(p)
	copy(p, fmt.Appendf(nil, "%04X", atc))
	return CVV(cardKey, p, expiry, service)
}

// IVCVC3 computes the two-byte initial vector of CVC3: the end of the
// ISO/IEC 9797-1 algorithm 3 MAC, padding 2, of the card's static track data
// under its 16-byte card key.
func IVCVC3(cardKey, track []byte) ([]byte, error) {
	if len(cardKey) != 16 {
		return nil, ErrKey
	}
	sum, err := mac.Algorithm3(cardKey, track, mac.Padding2)
	if err != nil {
		return nil, fmt.Errorf("cardcodes: computing an IVCVC3: %w", err)
	}
	return sum[6:8:8], nil
}

// CVC3 computes the dynamic card code of a Mastercard contactless card in
// stripe mode as five digits: the last two bytes, read as a number, of ivcvc3
// (2 bytes), un (4) and atc (2) enciphered under the card key.
func CVC3(cardKey, ivcvc3, un, atc []byte) ([]byte, error) {
	block, err := tdes(cardKey)
	if err != nil {
		return nil, err
	}
	if len(ivcvc3) != 2 || len(un) != 4 || len(atc) != 2 {
		return nil, ErrDigits
	}
	b := make([]byte, 0, 8)
	b = append(append(append(b, ivcvc3...), un...), atc...)
	block.Encrypt(b, b)
	n := binary.BigEndian.Uint16(b[6:])
	return []byte(fmt.Sprintf("%05s", strconv.Itoa(int(n)))), nil
}

// Equal compares two check values in time that depends only on their lengths.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
