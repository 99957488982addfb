package cryptogram

import (
	"crypto/cipher"
	"math/bits"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

const (
	blockSize = mac.BlockSize
	keySize   = 2 * blockSize
)

// newTDES makes the cipher of a double length key.
func newTDES(key secret.Secret) (cipher.Block, error) {
	if key.Len() != keySize {
		return nil, ErrKey
	}
	return mac.NewTDES(key.Expose())
}

// encipherPair enciphers two blocks under key and makes one key with odd parity
// of the results: the shape of every derivation in EMV Book 2, Annex A1.
func encipherPair(key secret.Secret, left, right [blockSize]byte) (secret.Secret, error) {
	c, err := newTDES(key)
	if err != nil {
		return secret.Secret{}, err
	}
	out := make([]byte, keySize)
	c.Encrypt(out[:blockSize], left[:])
	c.Encrypt(out[blockSize:], right[:])
	setOddParity(out)
	return secret.Take(out), nil
}

// setOddParity makes the lowest bit of each byte such that the byte has an odd
// number of one bits, as DES keys have.
func setOddParity(key []byte) {
	for i, b := range key {
		if bits.OnesCount8(b)%2 == 0 {
			key[i] = b ^ 1
		}
	}
}

// pad80 appends 80 and as many 00 as fill the last block (ISO/IEC 9797-1
// padding method 2). It does not change data.
func pad80(data []byte) []byte {
	out := make([]byte, len(data)+blockSize-len(data)%blockSize)
	copy(out, data)
	out[len(data)] = 0x80
	return out
}

// padZero appends as many 00 as fill the last block (padding method 1).
func padZero(data []byte) []byte {
	n := (len(data) + blockSize - 1) / blockSize * blockSize
	out := make([]byte, max(n, blockSize))
	copy(out, data)
	return out
}
