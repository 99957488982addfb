package pinblock

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"io"

	"tallystick.example/internal/pure/bcd"
	"tallystick.example/internal/pure/mac"
)

// Encipher makes the block of pin under key: formats 0, 1 and 3 with TDES in ECB
// (16 or 24 key bytes, 8-byte block), format 4 with AES (16, 24 or 32 key bytes,
// 16-byte block; ISO 9564-1:2017, 9.4.2). Format 2 gives ErrFormat, since it goes
// to the card only; a key of another length ErrKey. The rest is as for [Encode].
func Encipher(f Format, key, pin, pan []byte, random io.Reader) ([]byte, error) {
	b, err := blockCipher(f, key)
	if err != nil {
		return nil, err
	}
	block, err := Encode(f, pin, pan, random)
	if err != nil {
		return nil, err
	}
	if f == ISO4 {
		field, err := PANField(pan)
		if err != nil {
			clear(block)
			return nil, err
		}
		b.Encrypt(block, block)
		subtle.XORBytes(block, block, field[:])
	}
	b.Encrypt(block, block)
	return block, nil
}

// Decipher takes the PIN out of a block that Encipher made with the same key and
// PAN. A block that holds no PIN gives ErrBlock, which a wrong key or PAN also
// leads to, though not always. The caller clears the result.
func Decipher(f Format, key, block, pan []byte) ([]byte, error) {
	b, err := blockCipher(f, key)
	if err != nil {
		return nil, err
	}
	if len(block) != f.Size() {
		return nil, ErrBlock
	}
	plain := make([]byte, len(block))
	defer clear(plain)
	b.Decrypt(plain, block)
	if f == ISO4 {
		field, err := PANField(pan)
		if err != nil {
			return nil, err
		}
		subtle.XORBytes(plain, plain, field[:])
		b.Decrypt(plain, plain)
	}
	return Decode(f, plain, pan)
}

// blockCipher is the cipher of key for f.
func blockCipher(f Format, key []byte) (cipher.Block, error) {
	var (
		b   cipher.Block
		err error
	)
	switch {
	case f == ISO4:
		b, err = aes.NewCipher(key)
	case f != ISO0 && f != ISO1 && f != ISO3:
		return nil, ErrFormat
	case len(key) == 8: // PCI PIN 2-3: single DES protects no PIN
		return nil, ErrKey
	default:
		b, err = mac.NewTDES(key)
	}
	if err != nil {
		return nil, ErrKey
	}
	return b, nil
}

// PANField is the 16-byte PAN field of format 4 (ISO 9564-1:2017, 9.4.2.3): a
// digit that tells by how many digits the PAN is longer than 12, the PAN, and
// zeros. A PAN of less than 12 digits has zeros in front. One of 1 to 19 digits
// is accepted, else ErrPAN is returned.
func PANField(pan []byte) ([16]byte, error) {
	var field [16]byte
	if len(pan) < 1 || len(pan) > MaxPAN || !bcd.IsDigits(pan) {
		return field, ErrPAN
	}
	start := 1
	if len(pan) < 12 {
		start += 12 - len(pan)
	} else {
		field[0] = byte(len(pan)-12) << 4
	}
	for i, d := range pan {
		setNibble(field[:], start+i, d-'0')
	}
	return field, nil
}
