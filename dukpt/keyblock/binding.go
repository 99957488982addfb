package keyblock

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"

	"tallystick.example/internal/pure/mac"
)

// masks make the two keys of the variant method (TR-31:2018, 5.3.1).
const (
	maskEncryption     = 'E'
	maskAuthentication = 'M'
)

// Key usage indicators of the derivation method (TR-31:2018, 5.3.2; ISO 20038).
const (
	deriveCBC            = 0
	deriveAuthentication = 1
	deriveCounter        = 2
)

// keys are the two keys that protect a block: for enciphering and for the MAC.
type keys struct{ encryption, authentication []byte }

func (k keys) wipe() {
	clear(k.encryption)
	clear(k.authentication)
}

// keysOf makes the keys of a block version from the KBPK.
func keysOf(versionID byte, kbpk []byte) (keys, error) {
	v := versions[versionID]
	switch versionID {
	case 'A', 'C':
		return keys{masked(kbpk, maskEncryption), masked(kbpk, maskAuthentication)}, nil
	case 'E':
		return derived(kbpk, v.aes, deriveCounter)
	}
	return derived(kbpk, v.aes, deriveCBC)
}

func masked(key []byte, mask byte) []byte {
	out := bytes.Clone(key)
	for i := range out {
		out[i] ^= mask
	}
	return out
}

func derived(kbpk []byte, aes bool, encryption uint16) (keys, error) {
	e, err := derive(kbpk, aes, encryption)
	if err != nil {
		return keys{}, err
	}
	a, err := derive(kbpk, aes, deriveAuthentication)
	return keys{e, a}, err
}

// derive makes a key as long as the KBPK from CMACs of eight bytes each: number
// of the part, usage, separator, algorithm, length in bits (TR-31:2018, 5.3.2).
func derive(kbpk []byte, aes bool, usage uint16) ([]byte, error) {
	cmac, algorithm := mac.CMACTDES, uint16(len(kbpk)/8-2)
	if aes {
		cmac, algorithm = mac.CMACAES, uint16(len(kbpk)/8)
	}
	var data [8]byte
	binary.BigEndian.PutUint16(data[1:], usage)
	binary.BigEndian.PutUint16(data[4:], algorithm)
	binary.BigEndian.PutUint16(data[6:], uint16(len(kbpk)*8))
	key := make([]byte, 0, len(kbpk)+16)
	for data[0] = 1; len(key) < len(kbpk); data[0]++ {
		part, err := cmac(kbpk, data[:])
		if err != nil {
			return nil, err
		}
		key = append(key, part...)
		clear(part)
	}
	return key[:len(kbpk)], nil
}

// authenticate is the MAC of a block over its header and, for versions A and C,
// the enciphered data, else the clear data.
func authenticate(versionID byte, key []byte, header string, data []byte) ([]byte, error) {
	message := append([]byte(header), data...)
	defer clear(message)
	v := versions[versionID]
	switch {
	case versionID == 'A' || versionID == 'C':
		code, err := mac.Algorithm1(key, message, mac.Padding1)
		return code[:v.mac], err
	case v.aes:
		return mac.CMACAES(key, message)
	}
	return mac.CMACTDES(key, message)
}

// crypt enciphers or deciphers the data of a block, in place. The vector is the
// beginning of the header for versions A and C, else the MAC.
func crypt(versionID byte, key []byte, header string, code, data []byte, encrypt bool) error {
	newCipher := mac.NewTDES
	if versions[versionID].aes {
		newCipher = mac.NewAES
	}
	b, err := newCipher(key)
	if err != nil {
		return err
	}
	iv := code
	if versionID == 'A' || versionID == 'C' {
		iv = []byte(header[:8])
	}
	switch {
	case versionID == 'E':
		cipher.NewCTR(b, iv).XORKeyStream(data, data)
	case encrypt:
		cipher.NewCBCEncrypter(b, iv).CryptBlocks(data, data)
	default:
		cipher.NewCBCDecrypter(b, iv).CryptBlocks(data, data)
	}
	return nil
}
