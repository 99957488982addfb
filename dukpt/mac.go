package dukpt

import (
	"crypto/hmac"
	"crypto/sha256"

	"tallystick.example/internal/pure/mac"
)

// MACAlgorithm is a way to authenticate a message with a working key.
type MACAlgorithm uint8

// The algorithms.
const (
	X919       MACAlgorithm = 1 // ISO/IEC 9797-1 algorithm 3, padding 1, with a TDES2 key: 8 bytes
	CMAC       MACAlgorithm = 2 // NIST SP 800-38B with a TDES or AES key: 8 or 16 bytes
	HMACSHA256 MACAlgorithm = 3 // FIPS 198-1 with an HMAC key: 32 bytes
)

// MACLength is how many bytes of a code the messages of the terminal interface
// carry.
const MACLength = 8

// MAC computes the whole code of data with a key of type t. A key of another
// length gives ErrKeyLength, an algorithm that does not go with t ErrAlgorithm.
func MAC(a MACAlgorithm, t KeyType, key, data []byte) ([]byte, error) {
	if !t.known() || len(key) != t.Len() {
		return nil, ErrKeyLength
	}
	switch {
	case a == X919 && t == TDES2:
		code, err := mac.Algorithm3(key, data, mac.Padding1)
		return code[:], err
	case a == CMAC && t.isTDES():
		return mac.CMACTDES(key, data)
	case a == CMAC && t.isAES():
		return mac.CMACAES(key, data)
	case a == HMACSHA256 && t.isHMAC():
		h := hmac.New(sha256.New, key)
		h.Write(data) // a hash never fails to take data
		return h.Sum(nil), nil
	}
	return nil, ErrAlgorithm
}
