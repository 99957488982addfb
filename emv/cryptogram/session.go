package cryptogram

import (
	"encoding/binary"
	"fmt"

	"tallystick.example/internal/pure/secret"
)

// Method says how a session key comes from a card key.
type Method string

// The session key methods.
const (
	// SessionNone uses the card key itself (Visa CVN 10).
	SessionNone Method = "none"
	// SessionCommon is the common session key of EMV Book 2 A1.3.1, from the ATC.
	SessionCommon Method = "emv_common"
	// SessionCommonR is the same with an 8-byte value R, such as the ARQC for the
	// keys of issuer scripts.
	SessionCommonR Method = "emv_common_r"
	// SessionMastercard diversifies by ATC and unpredictable number.
	SessionMastercard Method = "mastercard"
	// SessionVisaSM is Visa's key for secure messaging: card key exclusive-or ATC.
	SessionVisaSM Method = "visa_sm"
	// SessionEMV2000 is the key tree of EMV2000 Book 2, Annex A1.3.
	SessionEMV2000 Method = "emv2000"
)

// A Session holds what a session key is derived from. Only the fields that the
// method names are read.
type Session struct {
	Method Method
	ATC    []byte // 2 bytes: emv_common, mastercard, visa_sm, emv2000
	UN     []byte // 4 bytes: mastercard
	R      []byte // 8 bytes: emv_common_r
	IV     []byte // 16 bytes: emv2000
	// Height and Branch shape the tree of emv2000; Branch to the power of Height
	// must reach 65,536 (8 and 4, 16 and 2).
	Height, Branch int
}

// Key derives the session key. cardKey has 16 bytes, or ErrKey; a field of a
// wrong length gives ErrInput, an unknown method ErrProfile. The result is a
// key of its own even for SessionNone: the caller wipes it.
func (s Session) Key(cardKey secret.Secret) (secret.Secret, error) {
	if cardKey.Len() != keySize {
		return secret.Secret{}, ErrKey
	}
	switch s.Method {
	case SessionNone:
		return secret.New(cardKey.Expose()), nil
	case SessionCommon:
		return s.common(cardKey, s.ATC, 2)
	case SessionCommonR:
		return s.common(cardKey, s.R, blockSize)
	case SessionMastercard:
		if len(s.ATC) != 2 || len(s.UN) != 4 {
			return secret.Secret{}, fmt.Errorf("%w: the Mastercard session key needs an ATC of 2 and an unpredictable number of 4 bytes", ErrInput)
		}
		r := []byte{s.ATC[0], s.ATC[1], 0, 0, s.UN[0], s.UN[1], s.UN[2], s.UN[3]}
		return s.common(cardKey, r, blockSize)
	case SessionVisaSM:
		return s.visaSM(cardKey)
	case SessionEMV2000:
		return s.tree(cardKey)
	default:
		return secret.Secret{}, fmt.Errorf("%w: session method %q", ErrProfile, s.Method)
	}
}

// common enciphers r twice, with F0 and 0F in its third byte (A1.3.1).
func (Session) common(cardKey secret.Secret, r []byte, size int) (secret.Secret, error) {
	if len(r) != size {
		return secret.Secret{}, fmt.Errorf("%w: the session value has %d bytes, want %d", ErrInput, len(r), size)
	}
	var left, right [blockSize]byte
	copy(left[:], r)
	copy(right[:], r)
	left[2], right[2] = 0xF0, 0x0F
	return encipherPair(cardKey, left, right)
}

// visaSM is the card key with the ATC in the last bytes of its left half and
// the complement of the ATC in those of its right half.
func (s Session) visaSM(cardKey secret.Secret) (secret.Secret, error) {
	if len(s.ATC) != 2 {
		return secret.Secret{}, fmt.Errorf("%w: the ATC has %d bytes, want 2", ErrInput, len(s.ATC))
	}
	out := make([]byte, keySize)
	copy(out, cardKey.Expose())
	out[6] ^= s.ATC[0]
	out[7] ^= s.ATC[1]
	out[14] ^= ^s.ATC[0]
	out[15] ^= ^s.ATC[1]
	setOddParity(out)
	return secret.Take(out), nil
}

// maxTreeHeight bounds the work of a tree: the ATC has 16 bits.
const maxTreeHeight = 16

// tree walks from the root to the leaf of the ATC. Each node is made of its
// parent (the key) and its grandparent (the data); the session key is the leaf
// exclusive-or its grandparent.
func (s Session) tree(cardKey secret.Secret) (secret.Secret, error) {
	if len(s.ATC) != 2 || len(s.IV) != keySize {
		return secret.Secret{}, fmt.Errorf("%w: the EMV2000 tree needs an ATC of 2 and an IV of 16 bytes", ErrInput)
	}
	path, err := s.treePath()
	if err != nil {
		return secret.Secret{}, err
	}
	parent, grandparent := secret.New(cardKey.Expose()), secret.New(s.IV)
	defer func() {
		parent.Wipe()
		grandparent.Wipe()
	}()
	for i, digit := range path {
		child, err := treeChild(parent, grandparent, digit)
		if err != nil {
			return secret.Secret{}, err
		}
		if i == len(path)-1 {
			return treeLeaf(child, grandparent), nil
		}
		grandparent.Wipe()
		parent, grandparent = child, parent
	}
	panic("cryptogram: a tree without levels passed its check")
}

// treePath is the ATC as digits to the base Branch, root first.
func (s Session) treePath() ([]byte, error) {
	if s.Branch < 2 || s.Branch > 256 || s.Height < 1 || s.Height > maxTreeHeight {
		return nil, fmt.Errorf("%w: tree of height %d and branch factor %d", ErrInput, s.Height, s.Branch)
	}
	rest := int(binary.BigEndian.Uint16(s.ATC))
	path := make([]byte, s.Height)
	for i := len(path) - 1; i >= 0; i-- {
		path[i] = byte(rest % s.Branch)
		rest /= s.Branch
	}
	if rest != 0 {
		return nil, fmt.Errorf("%w: the tree is too small for the ATC", ErrInput)
	}
	return path, nil
}

func treeChild(parent, grandparent secret.Secret, digit byte) (secret.Secret, error) {
	c, err := newTDES(parent)
	if err != nil {
		return secret.Secret{}, err
	}
	out := make([]byte, keySize)
	copy(out, grandparent.Expose())
	out[7] ^= digit
	out[15] ^= digit ^ 0xF0
	c.Encrypt(out[:blockSize], out[:blockSize])
	c.Encrypt(out[blockSize:], out[blockSize:])
	return secret.Take(out), nil
}

// treeLeaf turns the leaf and its grandparent into the session key. It wipes
// the leaf.
func treeLeaf(leaf, grandparent secret.Secret) secret.Secret {
	defer leaf.Wipe()
	out := make([]byte, keySize)
	for i, b := range leaf.Expose() {
		out[i] = b ^ grandparent.Expose()[i]
	}
	setOddParity(out)
	return secret.Take(out)
}
