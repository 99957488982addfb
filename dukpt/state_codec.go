package dukpt

import (
	"fmt"
	"math/bits"
)

// The stored form of a state: a mark and version of 4 bytes, the scheme, the
// length of a register, the KSN, and all registers, where an empty one is zero.
// Its size depends only on the scheme and the length of the initial key, so that
// it can be overwritten in place.
const (
	stateMark   = "DKS\x01"
	stateHeader = len(stateMark) + 2
)

// StateSize is the length of the stored form of a state: 352 bytes for TDES,
// 530, 786 or 1,042 for AES with an initial key of 16, 24 or 32 bytes. It is 0
// for other schemes and lengths.
func StateSize(s Scheme, keyLength int) int {
	_, err := derivationType(keyLength)
	if err != nil || s != AES && (s != TDES || keyLength != 16) {
		return 0
	}
	return stateHeader + s.ksnLength() + s.counterBits()*keyLength
}

// AppendState appends the stored form of s to dst. It holds keys in clear: the
// caller seals it before it is written anywhere, and clears it. dst should have
// room for [StateSize] bytes, or growing it leaves copies behind. After Wipe it
// gives ErrWiped.
func (s *State) AppendState(dst []byte) ([]byte, error) {
	if s.registers.IsZero() {
		return dst, ErrWiped
	}
	dst = append(dst, stateMark...)
	dst = append(dst, byte(s.ksn.scheme), byte(s.length))
	dst = append(dst, s.ksn.bytes()...)
	return append(dst, s.registers.Expose()...), nil
}

// ParseState reads the stored form of a state, all of data and nothing more. It
// refuses with ErrState what AppendState cannot have written: another version, a
// counter that no terminal stops at, an empty register that has content or a
// full one that has none. Whether the bytes are genuine, the caller's seal tells.
// data is not kept; the caller clears it.
func ParseState(data []byte) (*State, error) {
	if len(data) < stateHeader || string(data[:len(stateMark)]) != stateMark {
		return nil, fmt.Errorf("%w: mark or version", ErrState)
	}
	scheme, length := Scheme(data[len(stateMark)]), int(data[len(stateMark)+1])
	if size := StateSize(scheme, length); size == 0 || len(data) != size {
		return nil, fmt.Errorf("%w: length", ErrState)
	}
	data = data[stateHeader:]
	ksn, err := ParseKSN(scheme, data[:scheme.ksnLength()])
	if err != nil {
		return nil, fmt.Errorf("%w: key serial number", ErrState)
	}
	if c := ksn.Counter(); c != 0 && !usable(scheme, c) {
		return nil, fmt.Errorf("%w: counter", ErrState)
	}
	typ := TDES2
	if scheme == AES {
		if typ, err = derivationType(length); err != nil {
			return nil, fmt.Errorf("%w: key length", ErrState)
		}
	}
	s := emptyState(ksn, typ)
	copy(s.registers.Expose(), data[scheme.ksnLength():])
	s.held = holds(scheme, ksn.Counter())
	for i := range scheme.counterBits() {
		if blank(s.register(i)) == (s.held>>i&1 == 1) {
			s.Wipe()
			return nil, fmt.Errorf("%w: register %d", ErrState, i)
		}
	}
	return s, nil
}

// holds are the registers that hold a key after transaction counter: those of
// its zero bits, unless the counter has all ones that are allowed above the bit.
func holds(s Scheme, counter uint32) uint32 {
	var held uint32
	for i := range s.counterBits() {
		if counter>>i&1 == 0 && bits.OnesCount32(counter>>i) < s.maxOnes() {
			held |= 1 << i
		}
	}
	return held
}

// blank reports whether b is all zero, without stopping early.
func blank(b []byte) bool {
	var or byte
	for _, v := range b {
		or |= v
	}
	return or == 0
}
