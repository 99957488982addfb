package dukpt

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
)

// forward derives several keys from one, which is what a terminal does: its key
// schedules are made once. It is used within one call and then dropped.
type forward struct {
	scheme Scheme
	tdes   [2]tdesHalf // right half of the result, then left
	aes    cipher.Block
	typ    KeyType
}

// tdesHalf makes one half of a derived key; see tdesKey.half.
type tdesHalf struct {
	block cipher.Block
	mask  [8]byte
}

func newForward(s Scheme, key []byte) (*forward, error) {
	f := &forward{scheme: s}
	if s == AES {
		k, err := newAESKey(key)
		if err != nil {
			return nil, err
		}
		f.typ = k.typ
		f.aes, err = k.cipher()
		clear(k.b[:])
		return f, err
	}
	if len(key) != 16 {
		return nil, ErrKeyLength
	}
	k := tdesKey(key)
	defer clear(k[:])
	for i := range f.tdes {
		if i == 1 {
			k.xor(&halfMask)
		}
		b, err := des.NewCipher(k[:8])
		if err != nil {
			return nil, err
		}
		f.tdes[i].block = b
		copy(f.tdes[i].mask[:], k[8:])
	}
	return f, nil
}

// derive puts the key of ksn into dst, where ksn has one more one bit than the
// counter of the key of f.
func (f *forward) derive(dst []byte, ksn KSN) error {
	if f.scheme == AES {
		deriveAES(f.aes, dst, usageDerivation, f.typ, transactionID(ksn, ksn.Counter()))
		return nil
	}
	register := ksn.b[2:10]
	for i, part := range [2][]byte{dst[8:16], dst[:8]} {
		h := &f.tdes[i]
		subtle.XORBytes(part, register, h.mask[:])
		h.block.Encrypt(part, part)
		subtle.XORBytes(part, part, h.mask[:])
	}
	return nil
}
