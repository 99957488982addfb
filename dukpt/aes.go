package dukpt

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// updateCounter stands in the derivation data of the key that protects the next
// initial key; no transaction can have it (X9.24-3:2017, 6.5.4).
const updateCounter = 0xFFFFFFFF

// derivationData is the input of one derivation (X9.24-3:2017, 6.3.2). Byte 1
// is the number of the 16-byte block of the key, from 1.
func derivationData(u Usage, t KeyType, id [8]byte) (data [16]byte) {
	data[0] = 1 // version
	binary.BigEndian.PutUint16(data[2:], uint16(u))
	binary.BigEndian.PutUint16(data[4:], keyTypes[t].algorithm)
	binary.BigEndian.PutUint16(data[6:], uint16(t.Len()*8))
	copy(data[8:], id[:])
	return data
}

// transactionID is what the derivation data of a transaction end with: the
// derivation ID and the counter.
func transactionID(ksn KSN, counter uint32) (id [8]byte) {
	copy(id[:4], ksn.b[4:8])
	binary.BigEndian.PutUint32(id[4:], counter)
	return id
}

// deriveAES puts the key of type t and usage u into dst, which has its length
// (X9.24-3:2017, 6.3.4).
func deriveAES(b cipher.Block, dst []byte, u Usage, t KeyType, id [8]byte) {
	data := derivationData(u, t, id)
	var block [16]byte
	for n := 1; len(dst) > 0; n++ {
		data[1] = byte(n)
		b.Encrypt(block[:], data[:])
		dst = dst[copy(dst, block[:]):]
	}
	clear(block[:])
}

// aesKey is a derivation key of AES DUKPT.
type aesKey struct {
	typ KeyType
	b   [32]byte // the first typ.Len() bytes
}

func newAESKey(b []byte) (aesKey, error) {
	t, err := derivationType(len(b))
	if err != nil {
		return aesKey{}, err
	}
	k := aesKey{typ: t}
	copy(k.b[:], b)
	return k, nil
}

func (k *aesKey) bytes() []byte { return k.b[:k.typ.Len()] }

func (k *aesKey) cipher() (cipher.Block, error) { return aes.NewCipher(k.bytes()) }

// initialAES derives the initial key from the base key whose cipher is b.
func initialAES(b cipher.Block, t KeyType, ksn KSN) aesKey {
	ik := aesKey{typ: t}
	deriveAES(b, ik.bytes(), usageInitial, t, [8]byte(ksn.b[:8]))
	return ik
}

// transactionKey derives the derivation key of the counter in ksn from an
// initial key, one step for every one bit from the highest down
// (X9.24-3:2017, 6.4).
func (k aesKey) transactionKey(ksn KSN) (aesKey, error) {
	counter, reached := ksn.Counter(), uint32(0)
	for bit := uint32(1) << 31; bit > 0; bit >>= 1 {
		if counter&bit == 0 {
			continue
		}
		reached |= bit
		b, err := k.cipher()
		if err != nil {
			return aesKey{}, err
		}
		deriveAES(b, k.bytes(), usageDerivation, k.typ, transactionID(ksn, reached))
	}
	return k, nil
}

// checkWorking returns an error unless keys of type from may derive a key of
// type t with usage u. A key is never stronger than what it comes from
// (X9.24-3:2017, 6.3.1).
func checkWorking(from, t KeyType, u Usage) error {
	switch {
	case !t.known(), !t.isTDES() && t.Len() > from.Len():
		return ErrKeyType
	case !u.fits(t):
		return ErrUsage
	}
	return nil
}
