package keyblock

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Wrap makes a version D block of key under kbpk, an AES key of 16, 24 or 32
// bytes that is at least as strong as key (else ErrKBPK).
//
// AES and TDES keys, and HMAC keys up to 32 bytes, are padded with random bytes
// to the longest key of their algorithm, so that the block does not tell the
// length (X9.143:2021, 6.4). The combination of usage, algorithm and mode must be
// one that [Header.Check] allows, else it gives ErrPolicy; a malformed field or
// optional block gives ErrFormat, a key whose length its algorithm does not have
// ErrKey. Check values in KC and KP blocks must be right, as for Unwrap.
func Wrap(kbpk []byte, h Header, key []byte, random io.Reader) (string, error) {
	if h.Version == 0 {
		h.Version = 'D'
	}
	if h.Version != 'D' {
		return "", fmt.Errorf("%w: only version D is made", ErrVersion)
	}
	if h.Context == 0 {
		h.Context = '0'
	}
	v := versions['D']
	if err := v.checkKBPK(len(kbpk)); err != nil {
		return "", err
	}
	if err := h.Check(len(key)); err != nil {
		return "", err
	}
	if strength(h.Algorithm, len(key)) > strength('A', len(kbpk)) {
		return "", fmt.Errorf("%w: it is weaker than the key", ErrKBPK)
	}
	if err := h.checkValues('A', kbpk, key); err != nil {
		return "", err
	}
	data, err := padKey(h.Algorithm, key, v.block, random)
	defer clear(data)
	if err != nil {
		return "", err
	}
	header, err := h.text(2*(len(data)+v.mac), v.block)
	if err != nil {
		return "", err
	}
	k, err := keysOf('D', kbpk)
	defer k.wipe()
	if err != nil {
		return "", err
	}
	code, err := authenticate('D', k.authentication, header, data)
	if err != nil {
		return "", err
	}
	if err := crypt('D', k.encryption, header, code, data, true); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%X%X", header, data, code), nil
}

// padKey is the length of the key in bits, the key, and random bytes.
func padKey(algorithm byte, key []byte, block int, random io.Reader) ([]byte, error) {
	longest := len(key)
	switch algorithm {
	case 'A', 'H':
		longest = max(longest, 32)
	case 'T', 'D':
		longest = max(longest, 24)
	}
	size := (2 + longest + block - 1) / block * block
	data := make([]byte, size)
	binary.BigEndian.PutUint16(data, uint16(len(key)*8))
	n := 2 + copy(data[2:], key)
	if random == nil {
		return data, fmt.Errorf("%w: no source", ErrRandom)
	}
	if _, err := io.ReadFull(random, data[n:]); err != nil {
		return data, fmt.Errorf("%w: %w", ErrRandom, err)
	}
	return data, nil
}

// text writes the header with its optional blocks, and a padding block where
// they are not whole cipher blocks. rest is how many characters follow.
func (h Header) text(rest, block int) (string, error) {
	blocks := slices.DeleteFunc(slices.Clone(h.Optional), func(b Block) bool { return b.ID == IDPadding })
	if err := checkOptional(blocks); err != nil {
		return "", err
	}
	var optional strings.Builder
	count := len(blocks)
	for _, b := range blocks {
		if err := b.check(); err != nil {
			return "", err
		}
		optional.WriteString(b.text())
	}
	if over := optional.Len() % block; over != 0 {
		fill := block - over
		if fill < 4 { // a block has at least its identifier and length
			fill += block
		}
		optional.WriteString(Block{IDPadding, strings.Repeat("0", fill-4)}.text())
		count++
	}
	length := headerLength + optional.Len() + rest
	if count > 99 || length > MaxLength {
		return "", fmt.Errorf("%w: too long", ErrFormat)
	}
	return fmt.Sprintf("%c%04d%s%c%c%s%c%02d%c0%s", h.Version, length, h.Usage, h.Algorithm, h.Mode,
		h.KeyVersion, h.Exportability, count, h.Context, optional.String()), nil
}

// strength is roughly the security of a key in bits (NIST SP 800-57 part 1,
// table 2), to compare keys with each other.
func strength(algorithm byte, length int) int {
	switch algorithm {
	case 'T', 'D':
		return min(length/8*56, 112)
	case 'H':
		return min(length*8, 256)
	}
	return length * 8
}
