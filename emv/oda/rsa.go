package oda

import (
	"bytes"
	"crypto/sha1" // the only hash of the standard's RSA signatures (B2 Annex B3.1)
	"math/big"
)

// Limits of a modulus in bytes. 248 is the standard's own (B2 Annex B2.1); below
// 64 there is no room for a certificate.
const (
	minModulus = 64
	maxModulus = 248
)

// Marks of everything that is signed (B2 Annex A2.1).
const (
	header     = 0x6A
	trailer    = 0xBC
	hashLength = sha1.Size
	algorithm  = 0x01 // SHA-1 as a hash, RSA as a key (B2 Annex B)
)

// A PublicKey is an RSA key of 64 to 248 bytes. The zero value has no use.
type PublicKey struct {
	n *big.Int
	e *big.Int
}

// NewPublicKey takes the key from a modulus and an exponent of at most three
// bytes, which must be 3 or 65537 (B2 Annex B2.1). ok is false for anything that
// cannot be such a key: a modulus that is even, too short or long, or begins with
// a zero byte.
func NewPublicKey(modulus, exponent []byte) (key PublicKey, ok bool) {
	e := new(big.Int).SetBytes(exponent)
	n := new(big.Int).SetBytes(modulus)
	switch {
	case len(modulus) < minModulus || len(modulus) > maxModulus || modulus[0] == 0 || n.Bit(0) == 0:
		return PublicKey{}, false
	case len(exponent) < 1 || len(exponent) > 3 || e.Int64() != 3 && e.Int64() != 65537:
		return PublicKey{}, false
	}
	return PublicKey{n, e}, true
}

// Size is the length of the modulus in bytes.
func (k PublicKey) Size() int { return (k.n.BitLen() + 7) / 8 }

// Modulus is a copy of the modulus.
func (k PublicKey) Modulus() []byte { return k.n.Bytes() }

// encipher is the public operation on a whole block (B2 Annex B2.1.2); block must
// have the length of the modulus. ok is false when it is not below the modulus.
// One side may hold a PIN or a PAN, so no number is left behind in memory.
func (k PublicKey) encipher(block []byte) (out []byte, ok bool) {
	var x, y big.Int
	x.SetBytes(block)
	defer func() { clear(x.Bits()); clear(y.Bits()) }()
	if x.Cmp(k.n) >= 0 {
		return nil, false
	}
	y.Exp(&x, k.e, k.n)
	return y.FillBytes(make([]byte, k.Size())), true
}

// recover opens a certificate or signature and checks what all of them have in
// common: length, trailer, header and format (steps 1 to 4 of B2 5.3, 5.4, 6.3,
// 6.4, 6.5.2 and 6.6.2).
func (k PublicKey) recover(signature []byte, format byte, step Step, clause string) (signed, error) {
	if len(signature) != k.Size() {
		return nil, fails(step, clause+" step 1", "its length is not that of the key")
	}
	block, ok := k.encipher(signature)
	switch {
	case !ok || block[len(block)-1] != trailer:
		return nil, fails(step, clause+" step 2", "the trailer is wrong")
	case block[0] != header:
		return nil, fails(step, clause+" step 3", "the header is wrong")
	case block[1] != format:
		return nil, fails(step, clause+" step 4", "the format is wrong")
	}
	return block, nil
}

// signed is an opened certificate or signature: header, format, content, hash,
// trailer.
type signed []byte

// content is what lies between format and hash.
func (s signed) content() []byte { return s[2 : len(s)-hashLength-1] }

// hashes reports whether the hash is that of format and content with more behind.
func (s signed) hashes(more ...[]byte) bool {
	h := sha1.New()
	h.Write(s[1 : len(s)-hashLength-1])
	for _, m := range more {
		h.Write(m)
	}
	return bytes.Equal(h.Sum(nil), s[len(s)-hashLength-1:len(s)-1])
}
