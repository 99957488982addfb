package dukpt

import (
	"crypto/aes"
	"crypto/cipher"

	"tallystick.example/internal/pure/mac"
)

// EncryptCBC enciphers data in CBC mode with a TDES or AES key of type t. iv has
// one block and data has whole blocks, at least one (8 bytes with TDES, 16 with
// AES), else it gives ErrData: padding is the message format's business. HMAC
// types give ErrKeyType, a key of another length ErrKeyLength. The result is new
// memory.
func EncryptCBC(t KeyType, key, iv, data []byte) ([]byte, error) {
	b, err := cbcCipher(t, key, iv, data)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(out, data)
	return out, nil
}

// DecryptCBC is the reverse of EncryptCBC. It authenticates nothing: the message
// around the data has a MAC, which is checked first.
func DecryptCBC(t KeyType, key, iv, data []byte) ([]byte, error) {
	b, err := cbcCipher(t, key, iv, data)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(out, data)
	return out, nil
}

func cbcCipher(t KeyType, key, iv, data []byte) (cipher.Block, error) {
	if !t.isTDES() && !t.isAES() {
		return nil, ErrKeyType
	}
	if len(key) != t.Len() {
		return nil, ErrKeyLength
	}
	size, newCipher := aes.BlockSize, aes.NewCipher
	if t.isTDES() {
		size, newCipher = mac.BlockSize, mac.NewTDES
	}
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, ErrData
	}
	return newCipher(key)
}
