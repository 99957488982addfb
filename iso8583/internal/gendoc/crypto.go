package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"

	"tallystick.example/internal/pure/bcd"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// The keys of the examples are those of the first transaction in the supplement
// to ANSI X9.24-3:2017, which everybody knows. They protect nothing.
const (
	exampleBDK     = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
	exampleKSN     = "123456789012345600000001"
	examplePINKey  = "AF8CB133A78F8DC2D1359F18527593FB"
	exampleMACKey  = "A2DC23DE6FDE0824A2BC321E08E4B8B7"
	exampleAnswer  = "DBB463945B286C07CD3AD82EE96FD9C9"
	exampleDataKey = "A35C412EFD41FDB98B69797C02DCD08F"
	examplePAN     = "4111111111111111"
	examplePIN     = "1234"
	exampleTrack2  = "4111111111111111D3012201000000000F"
	exampleIV      = "000102030405060708090A0B0C0D0E0F"
	exampleFill    = "8A7B6C5D4E3F2A1B" // random part of the PIN field
)

// unhex decodes a constant of this program.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// cmac is the MAC function of a key set with AES.
func cmac(key string) func([]byte) ([iso8583.MACSize]byte, error) {
	return func(in []byte) (out [iso8583.MACSize]byte, err error) {
		full, err := mac.CMACAES(unhex(key), in)
		copy(out[:], full)
		return out, err
	}
}

// encryptCard makes the blob of DE 63 tag 06 and returns it clear as well.
func encryptCard() (clear []byte, data iso8583.CardData, err error) {
	blob, err := cardblob.Card{Track2: secret.New(unhex(exampleTrack2)), PSN: "01"}.Build(aes.BlockSize)
	if err != nil {
		return nil, data, fmt.Errorf("building the card data: %w", err)
	}
	block, err := aes.NewCipher(unhex(exampleDataKey))
	if err != nil {
		return nil, data, err
	}
	clear = blob.Expose()
	data = iso8583.CardData{IV: unhex(exampleIV), Ciphertext: make([]byte, len(clear))}
	cipher.NewCBCEncrypter(block, data.IV).CryptBlocks(data.Ciphertext, clear)
	return clear, data, nil
}

// encryptPIN makes a PIN block of format 4 (ISO 9564-1:2017, 9.4) and returns its
// two fields as well.
func encryptPIN() (pinField, panField, sealed []byte, err error) {
	pinField = append(unhex(fmt.Sprintf("4%X%sAAAAAAAAAA", len(examplePIN), examplePIN)), unhex(exampleFill)...)
	panField, err = bcd.AppendLeft(nil, fmt.Sprint(len(examplePAN)-12)+examplePAN, 0)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("packing the PAN: %w", err)
	}
	panField = append(panField, make([]byte, aes.BlockSize-len(panField))...)
	block, err := aes.NewCipher(unhex(examplePINKey))
	if err != nil {
		return nil, nil, nil, err
	}
	sealed = make([]byte, aes.BlockSize)
	block.Encrypt(sealed, pinField)
	for i := range sealed {
		sealed[i] ^= panField[i]
	}
	block.Encrypt(sealed, sealed)
	return pinField, panField, sealed, nil
}
