package issue

import (
	"bytes"
	"crypto/sha1" // the hash that the standard prescribes (EMV Book 2, Annex B3.1)
	"errors"
	"fmt"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
)

// A Certificate is a key's certificate as it lies on a card.
type Certificate struct {
	Certificate []byte // tag 90, 9F46 or 9F2D
	Remainder   []byte // 92, 9F48 or 9F2F; empty where there is none
	Exponent    []byte // 9F32, 9F47 or 9F2E
}

// A Terms is what a certificate says besides the key.
type Terms struct {
	Holder string  // first 3 to 8 digits of the PAN for an issuer, the whole PAN for a card
	Expiry [2]byte // MMYY
	Serial [3]byte
}

// Issuer is the certificate of an issuer's key by the CA's key ca (B2 5.1).
func Issuer(ca, issuer *Key, t Terms) (Certificate, error) {
	return certify(ca, issuer, 0x02, 4, t, nil)
}

// ICC is the certificate of a card's key by its issuer's key, over the static
// data to be authenticated (B2 6.1).
func ICC(issuer, icc *Key, t Terms, static []byte) (Certificate, error) {
	return certify(issuer, icc, 0x04, 10, t, static)
}

// PINKey is the certificate of a card's PIN encipherment key (B2 7.1).
func PINKey(issuer, pin *Key, t Terms) (Certificate, error) {
	return certify(issuer, pin, 0x04, 10, t, nil)
}

func certify(by, key *Key, format byte, holder int, t Terms, static []byte) (Certificate, error) {
	if key.Size() > by.Size() {
		return Certificate{}, errors.New("issue: a key cannot be longer than the one that certifies it")
	}
	id, err := emv.FormatDigits(emv.FormatCN, t.Holder, holder)
	if err != nil || len(t.Holder) > 2*holder {
		return Certificate{}, errors.New("issue: the holder of the certificate is no row of digits that fits")
	}
	body := append([]byte{format}, id...)
	body = append(body, t.Expiry[0], t.Expiry[1], t.Serial[0], t.Serial[1], t.Serial[2])
	body = append(body, 0x01, 0x01, byte(key.Size()), byte(len(key.Exponent())))
	room := by.Size() - 22 - len(body)
	modulus := key.Modulus()
	c := Certificate{Exponent: key.Exponent(), Remainder: []byte{}}
	if len(modulus) > room {
		modulus, c.Remainder = modulus[:room], modulus[room:]
	}
	body = append(body, pad(modulus, room)...)
	c.Certificate, err = sign(by, body, c.Remainder, c.Exponent, static)
	return c, err
}

func pad(b []byte, length int) []byte {
	return append(append([]byte{}, b...), bytes.Repeat([]byte{0xBB}, length-len(b))...)
}

// sign makes header, body, hash over body and more, trailer, and signs them.
func sign(by *Key, body []byte, more ...[]byte) ([]byte, error) {
	h := sha1.New()
	h.Write(body)
	for _, m := range more {
		h.Write(m)
	}
	block := append([]byte{0x6A}, body...)
	block = append(h.Sum(block), 0xBC)
	return by.Sign(block)
}

// Static is Signed Static Application Data, tag 93, with a Data Authentication
// Code of two bytes (B2 5.1).
func Static(issuer *Key, code [2]byte, static []byte) ([]byte, error) {
	body := pad([]byte{0x03, 0x01, code[0], code[1]}, issuer.Size()-22)
	return sign(issuer, body, static)
}

// Dynamic is Signed Dynamic Application Data, tag 9F4B, with an ICC Dynamic Number
// of 2 to 8 bytes over what the DDOL asked for (B2 6.5.1).
func Dynamic(icc *Key, number, ddolData []byte) ([]byte, error) {
	return signDynamic(icc, append([]byte{byte(len(number))}, number...), ddolData)
}

// Combined is the tag 9F4B of an answer to GENERATE AC (B2 6.6.1). c's Signature
// is not looked at; cryptogram has 8 bytes.
func Combined(icc *Key, number []byte, cryptogram [8]byte, c oda.Combined) ([]byte, error) {
	h := sha1.New()
	for _, d := range c.Data {
		h.Write(d)
	}
	h.Write(c.Response)
	dynamic := append([]byte{byte(len(number))}, number...)
	dynamic = append(append(dynamic, byte(c.CID)), cryptogram[:]...)
	return signDynamic(icc, h.Sum(dynamic), c.Unpredictable)
}

func signDynamic(icc *Key, dynamic, terminalData []byte) ([]byte, error) {
	room := icc.Size() - 22
	if len(dynamic)+3 > room {
		return nil, fmt.Errorf("issue: a key of %d bytes has no room for the dynamic data", icc.Size())
	}
	body := append([]byte{0x05, 0x01, byte(len(dynamic))}, dynamic...)
	return sign(icc, pad(body, room), terminalData)
}

// DecipherPIN opens the data of VERIFY (B2 7.2) and returns the PIN block in it. ok
// is false when they are not enciphered for this key or for another challenge.
func DecipherPIN(key *Key, data, challenge []byte) (block [8]byte, ok bool) {
	clear, err := key.Sign(data)
	if err != nil || clear[0] != 0x7F || !bytes.Equal(clear[9:17], challenge) {
		return block, false
	}
	return [8]byte(clear[1:9]), true
}
