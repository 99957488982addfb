package mac

import (
	"crypto/cipher"
	"crypto/subtle"
)

// A CMAC computes codes of NIST SP 800-38B under one key. It is safe for many
// goroutines.
type CMAC struct {
	block  cipher.Block
	k1, k2 [16]byte // the subkeys of clause 6.1, in their first BlockSize bytes
}

// NewCMAC prepares CMAC with a cipher of 8-byte (TDES) or 16-byte (AES) blocks;
// another block size gives ErrAlgorithm.
func NewCMAC(b cipher.Block) (*CMAC, error) {
	n := b.BlockSize()
	if n != 8 && n != 16 {
		return nil, ErrAlgorithm
	}
	c := &CMAC{block: b}
	b.Encrypt(c.k1[:n], c.k1[:n])
	double(c.k1[:n])
	c.k2 = c.k1
	double(c.k2[:n])
	return c, nil
}

// double multiplies by x in the field of the block size (SP 800-38B, 6.1),
// without a branch on the secret bit.
func double(b []byte) {
	poly := byte(0x87) // R128
	if len(b) == 8 {
		poly = 0x1B // R64
	}
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	last := len(b) - 1
	b[last] = b[last]<<1 ^ poly&-carry
}

// Sum returns the code of data, one whole block: 8 bytes with TDES, 16 with
// AES. The caller cuts it to the length that its protocol asks for.
func (c *CMAC) Sum(data []byte) []byte {
	n := c.block.BlockSize()
	state := make([]byte, n)
	for len(data) > n {
		subtle.XORBytes(state, state, data[:n])
		c.block.Encrypt(state, state)
		data = data[n:]
	}
	subtle.XORBytes(state, state, data)
	if len(data) == n {
		subtle.XORBytes(state, state, c.k1[:n])
	} else {
		state[len(data)] ^= 0x80
		subtle.XORBytes(state, state, c.k2[:n])
	}
	c.block.Encrypt(state, state)
	return state
}

// CMACTDES returns the 8-byte CMAC of data under a TDES key of 16 or 24 bytes.
// Other lengths give ErrKeyLength; single DES has no place in a CMAC.
func CMACTDES(key, data []byte) ([]byte, error) {
	if len(key) != 16 && len(key) != 24 {
		return nil, ErrKeyLength
	}
	return cmac(NewTDES, key, data)
}

// CMACAES returns the 16-byte CMAC of data under an AES key of 16, 24 or 32
// bytes. Other lengths give ErrKeyLength.
func CMACAES(key, data []byte) ([]byte, error) { return cmac(NewAES, key, data) }

func cmac(cipherOf func([]byte) (cipher.Block, error), key, data []byte) ([]byte, error) {
	b, err := cipherOf(key)
	if err != nil {
		return nil, err
	}
	c, err := NewCMAC(b)
	if err != nil {
		return nil, err
	}
	return c.Sum(data), nil
}
