package keyblock

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"tallystick.example/internal/pure/mac"
)

// Unwrap checks a block of any version under kbpk and gives its header and its
// key, which the caller clears.
//
// kbpk has 16 or 24 bytes for versions A, B and C, and 16, 24 or 32 for D and E,
// else it gives ErrKBPK. Text that is no block gives ErrFormat or ErrVersion, a
// changed one or a wrong kbpk ErrMAC. A key whose length its algorithm does not
// have, or whose check value is not the one in a KC block, gives ErrKey; a KP
// block that is not of kbpk gives ErrKBPK.
func Unwrap(kbpk []byte, block string) (Header, []byte, error) {
	p, err := parse(block)
	if err != nil {
		return Header{}, nil, err
	}
	if err := p.checkKBPK(len(kbpk)); err != nil {
		return Header{}, nil, err
	}
	data, err := p.open(kbpk)
	defer clear(data)
	if err != nil {
		return Header{}, nil, err
	}
	key, err := cutKey(data)
	if err != nil {
		return Header{}, nil, err
	}
	if err := p.checkKey(kbpk, key); err != nil {
		clear(key)
		return Header{}, nil, err
	}
	return p.Header, key, nil
}

// open deciphers the data of a block and checks its MAC.
func (p *parsed) open(kbpk []byte) ([]byte, error) {
	k, err := keysOf(p.Version, kbpk)
	defer k.wipe()
	if err != nil {
		return nil, err
	}
	data := bytes.Clone(p.data)
	if err := crypt(p.Version, k.encryption, p.header, p.mac, data, false); err != nil {
		return data, err
	}
	covered := data
	if p.Version == 'A' || p.Version == 'C' {
		covered = p.data
	}
	want, err := authenticate(p.Version, k.authentication, p.header, covered)
	if err != nil {
		return data, err
	}
	if subtle.ConstantTimeCompare(want, p.mac) != 1 {
		return data, ErrMAC
	}
	return data, nil
}

// cutKey takes the key out of the deciphered data: its length in bits, the key,
// and padding of any content.
func cutKey(data []byte) ([]byte, error) {
	length := int(binary.BigEndian.Uint16(data))
	if length == 0 || length%8 != 0 || length/8 > len(data)-2 {
		return nil, fmt.Errorf("%w: length", ErrKey)
	}
	return bytes.Clone(data[2 : 2+length/8]), nil
}

// checkKey compares the key with what the header says of it.
func (p *parsed) checkKey(kbpk, key []byte) error {
	if !keyLengthFits(p.Algorithm, len(key)) {
		return fmt.Errorf("%w: length for the algorithm", ErrKey)
	}
	algorithm := byte('T')
	if p.aes {
		algorithm = 'A'
	}
	return p.checkValues(algorithm, kbpk, key)
}

// checkValues compares the check values in the header with the keys; algorithm
// is that of kbpk.
func (h Header) checkValues(algorithm byte, kbpk, key []byte) error {
	if !h.checkValueFits(IDCheckKey, h.Algorithm, key) {
		return fmt.Errorf("%w: check value", ErrKey)
	}
	if !h.checkValueFits(IDCheckKBPK, algorithm, kbpk) {
		return fmt.Errorf("%w: check value", ErrKBPK)
	}
	return nil
}

// checkValueFits reports whether an optional block with a check value is absent
// or right. A method that does not belong to the algorithm cannot be checked.
func (h Header) checkValueFits(id string, algorithm byte, key []byte) bool {
	stated, found := h.Find(id)
	if !found {
		return true
	}
	if len(stated) < 2 {
		return false
	}
	method, stated := stated[:2], stated[2:]
	kind := mac.DESZero
	switch {
	case algorithm == 'A' && method == methodCMAC:
		kind = mac.AESCMAC
	case algorithm == 'T' && method == methodLegacy:
	default:
		return true
	}
	kcv, err := mac.KCV(kind, key, len(stated)/2)
	return err == nil && fmt.Sprintf("%X", kcv) == stated
}

// keyLengthFits reports whether keys of the algorithm can have n bytes.
func keyLengthFits(algorithm byte, n int) bool {
	switch algorithm {
	case 'A':
		return n == 16 || n == 24 || n == 32
	case 'T':
		return n == 16 || n == 24
	case 'D':
		return n == 8
	}
	return n > 0
}
