package cryptogram

import (
	"crypto/cipher"
	"fmt"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

const headerSize = 5 // CLA INS P1 P2 Lc

// ScriptMAC is the MAC of a secured issuer script command (EMV Book 2, 9.2):
// over header (CLA INS P1 P2 Lc), prefix (ATC and cryptogram where the scheme
// asks for them, else empty) and data, with padding method 2. key is the
// session key from the issuer's master key for script integrity.
func ScriptMAC(key secret.Secret, header, prefix, data []byte) (AC, error) {
	if len(header) != headerSize {
		return AC{}, fmt.Errorf("%w: the command header has %d bytes, want %d", ErrInput, len(header), headerSize)
	}
	all := append(append(append(make([]byte, 0, headerSize+len(prefix)+len(data)), header...), prefix...), data...)
	return retailMAC(key, all, mac.Padding2)
}

// Encipherment is how the PIN block of a PIN change command is padded and
// enciphered (EMV Book 2, 9.3, and the schemes' own forms).
type Encipherment string

// The encipherments.
const (
	EnciphermentVisa       Encipherment = "visa"       // length byte, block, padding 80; ECB
	EnciphermentMastercard Encipherment = "mastercard" // padding only where needed; CBC
	EnciphermentEMV        Encipherment = "emv"        // padding 80 always; CBC
)

// Encipher enciphers the 8-byte PIN block under key, the session key for script
// confidentiality. An unknown form gives ErrProfile.
func (e Encipherment) Encipher(key secret.Secret, block secret.Secret) ([]byte, error) {
	if block.Len() != blockSize {
		return nil, fmt.Errorf("%w: the PIN block has %d bytes, want %d", ErrInput, block.Len(), blockSize)
	}
	c, err := newTDES(key)
	if err != nil {
		return nil, err
	}
	switch e {
	case EnciphermentVisa:
		out := make([]byte, 2*blockSize)
		out[0] = blockSize
		out[1+copy(out[1:], block.Expose())] = 0x80
		c.Encrypt(out[:blockSize], out[:blockSize])
		c.Encrypt(out[blockSize:], out[blockSize:])
		return out, nil
	case EnciphermentMastercard:
		out := make([]byte, blockSize)
		c.Encrypt(out, block.Expose()) // CBC of one block with a zero IV
		return out, nil
	case EnciphermentEMV:
		out := pad80(block.Expose())
		cipher.NewCBCEncrypter(c, make([]byte, blockSize)).CryptBlocks(out, out)
		return out, nil
	default:
		return nil, fmt.Errorf("%w: encipherment %q", ErrProfile, string(e))
	}
}
