package cryptogram

import (
	"fmt"

	"tallystick.example/internal/pure/secret"
)

const (
	minPIN = 4
	maxPIN = 12
)

// BlockISO2 is the PIN block of ISO 9564-1 format 2: 2, length, digits, filled
// with F. pin is 4 to 12 ASCII digits.
func BlockISO2(pin secret.Secret) (secret.Secret, error) {
	return pinBlock(pin, 0x20)
}

// BlockVIS is Visa's block for PIN change (VIS, Annex on secure messaging): the
// length and digits of pin, exclusive-or bytes 5 to 8 of the card's key for
// application cryptograms, and exclusive-or the digits of current where the
// card asks for the current PIN (P2 = 01); current is empty otherwise.
func BlockVIS(cardKey, pin, current secret.Secret) (secret.Secret, error) {
	if cardKey.Len() != keySize {
		return secret.Secret{}, ErrKey
	}
	block, err := pinBlock(pin, 0x00)
	if err != nil {
		return secret.Secret{}, err
	}
	b, k := block.Expose(), cardKey.Expose()
	for i := 4; i < blockSize; i++ {
		b[i] ^= k[i]
	}
	if current.IsZero() {
		return block, nil
	}
	if err := checkPIN(current); err != nil {
		block.Wipe()
		return secret.Secret{}, err
	}
	for i, d := range current.Expose() {
		b[i/2] ^= (d - '0') << (4 * (1 - i%2))
	}
	return block, nil
}

func pinBlock(pin secret.Secret, control byte) (secret.Secret, error) {
	if err := checkPIN(pin); err != nil {
		return secret.Secret{}, err
	}
	b := []byte{control | byte(pin.Len()), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	for i, d := range pin.Expose() {
		shift := 4 * (1 - i%2)
		b[1+i/2] = b[1+i/2]&^(0xF<<shift) | (d-'0')<<shift
	}
	return secret.Take(b), nil
}

func checkPIN(pin secret.Secret) error {
	if pin.Len() < minPIN || pin.Len() > maxPIN || !allDigits(pin.Expose()) {
		return fmt.Errorf("%w: the PIN is not %d to %d digits", ErrInput, minPIN, maxPIN)
	}
	return nil
}

// A PINChange is a PIN CHANGE/UNBLOCK command to be secured (EMV Book 3,
// 6.5.10).
type PINChange struct {
	Header       []byte        // CLA INS P1 P2 Lc as the card shall see it: 5 bytes
	Prefix       []byte        // enters the MAC before the data, see ScriptMAC
	Block        secret.Secret // 8 bytes, see BlockISO2 and BlockVIS
	Encipherment Encipherment
}

// Command is the whole command: header, enciphered PIN block, 8-byte MAC.
// integrity and confidentiality are the two session keys. The header's Lc is
// covered as it is given and not set here.
func (p PINChange) Command(integrity, confidentiality secret.Secret) ([]byte, error) {
	enciphered, err := p.Encipherment.Encipher(confidentiality, p.Block)
	if err != nil {
		return nil, fmt.Errorf("enciphering the PIN block: %w", err)
	}
	mac, err := ScriptMAC(integrity, p.Header, p.Prefix, enciphered)
	if err != nil {
		return nil, err
	}
	return append(append(append(make([]byte, 0, headerSize+len(enciphered)+len(mac)), p.Header...), enciphered...), mac[:]...), nil
}
