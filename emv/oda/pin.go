package oda

import (
	"errors"
	"fmt"
	"io"

	"tallystick.example/internal/pure/secret"
)

// ErrPIN means a PIN of another length than 4 to 12 digits.
var ErrPIN = errors.New("oda: the PIN must have 4 to 12 digits")

const pinHeader = 0x7F

// EncipherPIN makes the data of VERIFY for an enciphered offline PIN (B2 7.2):
// header, PIN block, the card's challenge of 8 bytes and padding from random, as
// long as the key. pin holds ASCII digits; the caller owns and wipes it. A random
// that fails, a challenge of another length and ErrPIN are the errors.
func (k PublicKey) EncipherPIN(pin secret.Secret, challenge []byte, random io.Reader) ([]byte, error) {
	block, err := PINBlock(pin)
	if err != nil {
		return nil, err
	}
	defer block.Wipe()
	if len(challenge) != 8 {
		return nil, fails(StepPIN, "B2 7.2", "the challenge must have 8 bytes")
	}
	data := make([]byte, k.Size())
	defer clear(data)
	data[0] = pinHeader
	copy(data[1:], block.Expose())
	copy(data[9:], challenge)
	if _, err := io.ReadFull(random, data[17:]); err != nil {
		return nil, fmt.Errorf("oda: drawing the padding of a PIN: %w", err)
	}
	out, ok := k.encipher(data)
	if !ok { // a modulus of full length begins with 80 or more, and the data with 7F
		return nil, fails(StepPIN, "B2 7.2", "the key is too short for the data")
	}
	return out, nil
}

// PINBlock is the plaintext PIN block of 8 bytes for a card (B3 table 24): control
// 2, length, digits, filler F. The caller wipes it.
func PINBlock(pin secret.Secret) (secret.Secret, error) {
	if pin.Len() < 4 || pin.Len() > 12 {
		return secret.Secret{}, ErrPIN
	}
	block := []byte{0x20 | byte(pin.Len()), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	for i, c := range pin.Expose() {
		if i%2 == 0 {
			block[1+i/2] = c<<4 | 0x0F
		} else {
			block[1+i/2] = block[1+i/2]&0xF0 | c&0x0F
		}
	}
	return secret.Take(block), nil
}
