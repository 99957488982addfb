package mac

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// BlockSize is the block of DES and TDES in bytes, and the length of an
// ISO/IEC 9797-1 code before it is cut.
const BlockSize = 8

// Padding is a padding method of ISO/IEC 9797-1:2011, clause 6.3.
type Padding int

// The padding methods.
const (
	// Padding1 adds as few zero bytes as fill the last block; empty data become
	// one zero block.
	Padding1 Padding = 1
	// Padding2 adds 80 and then as few zero bytes as fill the last block.
	Padding2 Padding = 2
	// Padding3 is Padding1 with a block before it that holds the length of the
	// data in bits.
	Padding3 Padding = 3
)

// A Retail computes codes of ISO/IEC 9797-1:2011 algorithm 3, which ANSI X9.19
// calls the retail MAC, under one key. It is safe for many goroutines.
type Retail struct {
	chain, middle cipher.Block
}

// NewRetail prepares algorithm 3. With a 16-byte key the first half is the DES
// key that chains and the second half deciphers at the end; with 32 bytes both
// halves are double-length TDES keys. Other lengths give ErrKeyLength.
func NewRetail(key []byte) (*Retail, error) {
	if len(key) != 16 && len(key) != 32 {
		return nil, ErrKeyLength
	}
	chain, err := NewTDES(key[:len(key)/2])
	if err != nil {
		return nil, err
	}
	middle, err := NewTDES(key[len(key)/2:])
	if err != nil {
		return nil, err
	}
	return &Retail{chain: chain, middle: middle}, nil
}

// Sum returns the 8-byte code of data. An unknown padding gives ErrPadding.
func (r *Retail) Sum(data []byte, p Padding) ([BlockSize]byte, error) {
	var state [BlockSize]byte
	if err := chain(r.chain, &state, data, p); err != nil {
		return state, err
	}
	r.middle.Decrypt(state[:], state[:])
	r.chain.Encrypt(state[:], state[:])
	return state, nil
}

// Algorithm1 returns the 8-byte code of data by ISO/IEC 9797-1:2011 algorithm 1:
// CBC-MAC with DES (8-byte key) or TDES (16 or 24 bytes).
func Algorithm1(key, data []byte, p Padding) ([BlockSize]byte, error) {
	var state [BlockSize]byte
	b, err := NewTDES(key)
	if err != nil {
		return state, err
	}
	err = chain(b, &state, data, p)
	return state, err
}

// Algorithm3 returns the 8-byte code of data under a 16- or 32-byte key, as
// NewRetail and Sum do.
func Algorithm3(key, data []byte, p Padding) ([BlockSize]byte, error) {
	r, err := NewRetail(key)
	if err != nil {
		return [BlockSize]byte{}, err
	}
	return r.Sum(data, p)
}

// chain runs the CBC chain of b over the padded data, without a copy of them.
func chain(b cipher.Block, state *[BlockSize]byte, data []byte, p Padding) error {
	switch p {
	case Padding1, Padding2:
	case Padding3:
		binary.BigEndian.PutUint64(state[:], uint64(len(data))*8)
		b.Encrypt(state[:], state[:])
	default:
		return ErrPadding
	}
	rest := data
	for len(rest) >= BlockSize {
		subtle.XORBytes(state[:], state[:], rest[:BlockSize])
		b.Encrypt(state[:], state[:])
		rest = rest[BlockSize:]
	}
	if len(rest) == 0 && len(data) > 0 && p != Padding2 {
		return nil
	}
	subtle.XORBytes(state[:], state[:], rest)
	if p == Padding2 {
		state[len(rest)] ^= 0x80
	}
	b.Encrypt(state[:], state[:])
	return nil
}
