package dukpt

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"

	"tallystick.example/internal/pure/mac"
)

// tdesKey is a double-length key of TDES DUKPT.
type tdesKey [16]byte

// halfMask changes a key into the one that makes the other half of a derived
// key (X9.24-1:2009, A.2 and A.6).
var halfMask = tdesKey{0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0, 0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0}

// variants are the masks that make the working keys (X9.24-1:2009, A.4.1). Each
// stands for both halves.
var variants = map[Usage]uint64{
	PINEncryption:   0x00000000000000FF,
	MACGeneration:   0x000000000000FF00,
	MACVerification: 0x00000000FF000000,
	DataEncryption:  0x0000000000FF0000,
	DataDecryption:  0x000000FF00000000,
}

func (k *tdesKey) xor(m *tdesKey) { subtle.XORBytes(k[:], k[:], m[:]) }

// tdesBase holds the ciphers of a base derivation key, whose schedules cost more
// than their use.
type tdesBase struct{ left, right cipher.Block }

func newTDESBase(bdk []byte) (*tdesBase, error) {
	if len(bdk) != 16 {
		return nil, ErrKeyLength
	}
	left, err := mac.NewTDES(bdk)
	if err != nil {
		return nil, err
	}
	k := tdesKey(bdk)
	k.xor(&halfMask)
	right, err := mac.NewTDES(k[:])
	clear(k[:])
	if err != nil {
		return nil, err
	}
	return &tdesBase{left, right}, nil
}

// initialKey is the key loaded into the terminal: the eight leftmost bytes of
// the initial KSN under the base key and under its masked form (A.6).
func (b *tdesBase) initialKey(ksn KSN) (key tdesKey) {
	initial := ksn.Initial()
	b.left.Encrypt(key[:8], initial.b[:8])
	b.right.Encrypt(key[8:], initial.b[:8])
	return key
}

// derive is the non-reversible key generation process (A.2, "Non-reversible Key
// Generation Process"): a new key from k and the eight rightmost bytes of ksn.
// The DES ciphers are of keys that come only once, so that there is nothing to
// keep.
func (k *tdesKey) derive(ksn KSN) (tdesKey, error) {
	var out tdesKey
	register := ksn.b[2:10]
	if err := k.half(out[8:], register); err != nil {
		return out, err
	}
	masked := *k
	masked.xor(&halfMask)
	err := masked.half(out[:8], register)
	clear(masked[:])
	return out, err
}

// half makes one half of a derived key: the register, masked with the right half
// of k before and after, under DES with the left half.
func (k *tdesKey) half(dst, register []byte) error {
	b, err := des.NewCipher(k[:8])
	if err != nil {
		return err
	}
	subtle.XORBytes(dst, register, k[8:])
	b.Encrypt(dst, dst)
	subtle.XORBytes(dst, dst, k[8:])
	return nil
}

// transactionKey derives the key of the counter in ksn from an initial key, one
// step for every one bit from the highest down (A.3).
func (k tdesKey) transactionKey(ksn KSN) (tdesKey, error) {
	counter, reached := ksn.Counter(), uint32(0)
	for bit := uint32(1) << 20; bit > 0; bit >>= 1 {
		if counter&bit == 0 {
			continue
		}
		reached |= bit
		d, err := k.derive(ksn.at(reached))
		if err != nil {
			return tdesKey{}, err
		}
		k = d
	}
	return k, nil
}

// workingKey makes the variant of a transaction key for a usage; data keys are
// enciphered under themselves, so that no other key can be had from them
// (A.4.1).
func (k *tdesKey) workingKey(u Usage) (tdesKey, error) {
	v, ok := variants[u]
	if !ok {
		return tdesKey{}, ErrUsage
	}
	var mask tdesKey
	binary.BigEndian.PutUint64(mask[:8], v)
	binary.BigEndian.PutUint64(mask[8:], v)
	mask.xor(k)
	if u != DataEncryption && u != DataDecryption {
		return mask, nil
	}
	b, err := mac.NewTDES(mask[:])
	if err != nil {
		return tdesKey{}, err
	}
	b.Encrypt(mask[:8], mask[:8])
	b.Encrypt(mask[8:], mask[8:])
	return mask, nil
}
