package core

import (
	"errors"
	"fmt"
	"io"

	"tallystick.example/dukpt/pinblock"
	"tallystick.example/internal/pure/secret"
)

// A PINKey opens the PIN block of one DUKPT transaction.
type PINKey struct {
	key secret.Secret
	aes bool
}

// Wipe clears the key.
func (k PINKey) Wipe() { k.key.Wipe() }

// Decode takes the PIN out of an enciphered block: format 4 under an AES key,
// formats 0 and 3 of ISO 9564-1:2017 under a TDES key. ok is false for a block
// that holds no PIN for pan; it took the same steps. The caller wipes pin.
func (k PINKey) Decode(block []byte, pan secret.Secret) (pin secret.Secret, ok bool) {
	formats := []pinblock.Format{pinblock.ISO0, pinblock.ISO3}
	if k.aes {
		formats = []pinblock.Format{pinblock.ISO4}
	}
	for _, f := range formats {
		p, err := pinblock.Decipher(f, k.key.Expose(), block, pan.Expose())
		if err == nil {
			pin.Wipe()
			pin, ok = secret.Take(p), true
		}
	}
	return pin, ok
}

// Translate enciphers the PIN of a block anew under to, a PIN encryption key
// (usage P0), without changing its PAN (PCI PIN requirement 3-3).
func (k PINKey) Translate(from pinblock.Format, block []byte, to Key, format pinblock.Format, pan secret.Secret, random io.Reader) ([]byte, error) {
	if err := to.allow(modesEncrypt, "P0"); err != nil {
		return nil, err
	}
	return translate(pinblock.Side{Format: from, Key: k.key.Expose()}, pinblock.Side{Format: format, Key: to.value.Expose()}, block, pan, random)
}

// TranslatePIN enciphers the PIN of a block under from anew under to, both PIN
// encryption keys (usage P0). A block that holds no PIN, and a translation that
// PCI PIN requirement 3-3 forbids, give ErrInput.
func TranslatePIN(from Key, fromFormat pinblock.Format, block []byte, to Key, toFormat pinblock.Format, pan secret.Secret, random io.Reader) ([]byte, error) {
	if err := from.allow(modesDecrypt, "P0"); err != nil {
		return nil, err
	}
	if err := to.allow(modesEncrypt, "P0"); err != nil {
		return nil, err
	}
	return translate(pinblock.Side{Format: fromFormat, Key: from.value.Expose()}, pinblock.Side{Format: toFormat, Key: to.value.Expose()}, block, pan, random)
}

func translate(from, to pinblock.Side, block []byte, pan secret.Secret, random io.Reader) ([]byte, error) {
	out, err := pinblock.Translate(from, to, block, pan.Expose(), random)
	switch {
	case errors.Is(err, pinblock.ErrRandom):
		return nil, fmt.Errorf("core: translating a PIN: %w", err)
	case errors.Is(err, pinblock.ErrKey):
		return nil, ErrUse
	case err != nil:
		return nil, inputError("a PIN block", err)
	}
	return out, nil
}

// DecodePIN takes the PIN out of a block under a PIN encryption key (usage P0).
// ok is false for a block that holds no PIN of the format and pan. The caller
// wipes pin.
func DecodePIN(key Key, format pinblock.Format, block []byte, pan secret.Secret) (pin secret.Secret, ok bool, err error) {
	if err := key.allow(modesDecrypt, "P0"); err != nil {
		return secret.Secret{}, false, err
	}
	p, err := pinblock.Decipher(format, key.value.Expose(), block, pan.Expose())
	switch {
	case errors.Is(err, pinblock.ErrBlock):
		return secret.Secret{}, false, nil
	case errors.Is(err, pinblock.ErrKey):
		return secret.Secret{}, false, ErrUse
	case err != nil:
		return secret.Secret{}, false, inputError("a PIN", err)
	}
	return secret.Take(p), true, nil
}
