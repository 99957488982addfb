package core

import (
	"crypto/cipher"
	"fmt"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// GenerateMAC computes the whole MAC of data: ISO/IEC 9797-1 algorithm 3 with
// padding for a key of usage M3 (8 bytes), CMAC for one of usage M6 (8 or 16
// bytes, padding ignored). The key must be allowed to generate.
func GenerateMAC(key Key, padding mac.Padding, data []byte) ([]byte, error) {
	if err := key.allow(modesGenerate, "M3", "M6"); err != nil {
		return nil, err
	}
	return key.mac(padding, data)
}

// VerifyMAC reports whether code is the MAC of data, or its beginning of at
// least four bytes; see GenerateMAC. The key must be allowed to verify.
func VerifyMAC(key Key, padding mac.Padding, data, code []byte) (bool, error) {
	if err := key.allow(modesVerify, "M3", "M6"); err != nil {
		return false, err
	}
	want, err := key.mac(padding, data)
	if err != nil {
		return false, err
	}
	return mac.Verify(want, code), nil
}

func (k Key) mac(padding mac.Padding, data []byte) (out []byte, err error) {
	switch {
	case k.Usage == "M3":
		var sum [mac.BlockSize]byte
		sum, err = mac.Algorithm3(k.value.Expose(), data, padding)
		out = sum[:]
	case k.Algorithm == "A":
		out, err = mac.CMACAES(k.value.Expose(), data)
	default:
		out, err = mac.CMACTDES(k.value.Expose(), data)
	}
	if err != nil {
		return nil, inputError("a MAC", err)
	}
	return out, nil
}

// EncryptCBC enciphers whole blocks of data under a data key (usage D0). iv is
// one block.
func EncryptCBC(key Key, iv []byte, data secret.Secret) ([]byte, error) {
	if err := key.allow(modesEncrypt, "D0"); err != nil {
		return nil, err
	}
	b, err := newBlock(key.value, key.Algorithm == "A")
	if err != nil {
		return nil, err
	}
	if !wholeBlocks(b, iv, data.Len()) {
		return nil, ErrInput
	}
	out := make([]byte, data.Len())
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(out, data.Expose())
	return out, nil
}

// DecryptCBC deciphers whole blocks of data under a data key (usage D0). The
// caller wipes the result.
func DecryptCBC(key Key, iv, data []byte) (secret.Secret, error) {
	if err := key.allow(modesDecrypt, "D0"); err != nil {
		return secret.Secret{}, err
	}
	return decryptCBC(key.value, key.Algorithm == "A", iv, data)
}

func decryptCBC(key secret.Secret, aes bool, iv, data []byte) (secret.Secret, error) {
	b, err := newBlock(key, aes)
	if err != nil {
		return secret.Secret{}, err
	}
	if !wholeBlocks(b, iv, len(data)) {
		return secret.Secret{}, ErrInput
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(out, data)
	return secret.Take(out), nil
}

func wholeBlocks(b cipher.Block, iv []byte, n int) bool {
	return len(iv) == b.BlockSize() && n > 0 && n%b.BlockSize() == 0
}

func newBlock(k secret.Secret, aes bool) (cipher.Block, error) {
	prepare := mac.NewTDES
	if aes {
		prepare = mac.NewAES
	}
	b, err := prepare(k.Expose())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUse, err)
	}
	return b, nil
}
