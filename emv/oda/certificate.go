package oda

import (
	"bytes"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/secret"
)

// Certificate formats (B2 tables 6, 14 and 25).
const (
	formatIssuer = 0x02
	formatICC    = 0x04
)

// A certificate is an opened certificate of a key: what those of issuers and
// cards have in common.
type certificate struct {
	holder secret.Secret // issuer identifier or PAN in digits, filled with F on the right
	expiry [2]byte
	serial [3]byte
	key    PublicKey
	step   Step
	clause string
}

// openCertificate recovers the key of a certificate (B2 5.3, 6.3, 6.4). holder is
// the length of its first field; static enters the hash last.
func openCertificate(by PublicKey, format byte, holder int, c keyObjects, static []byte, step Step, clause string) (certificate, error) {
	s, err := by.recover(c.certificate, format, step, clause)
	if err != nil {
		return certificate{}, err
	}
	defer clear(s) // the holder of a card's certificate is its PAN
	body := s.content()
	fixed := holder + 9 // expiry 2, serial 3, two algorithms, two lengths
	room := len(body) - fixed
	f := body[holder:fixed]
	hash, pk, length, exponent := f[5], f[6], int(f[7]), int(f[8])
	digits := body[fixed:]
	switch {
	case hash != algorithm:
		return certificate{}, fails(step, clause+" step 6", "the hash algorithm is unknown")
	case !s.hashes(c.remainder, c.exponent, static):
		e := fails(step, clause+" step 7", "the hash differs")
		e.Missing = len(c.remainder) == 0 && length > room
		return certificate{}, e
	case pk != algorithm:
		return certificate{}, fails(step, clause, "the public key algorithm is unknown")
	case length > by.Size():
		return certificate{}, fails(step, clause, "the key is longer than the one that signed it")
	case len(c.remainder) != max(0, length-room):
		return certificate{}, fails(step, clause, "the length of the remainder is wrong")
	case len(c.exponent) != exponent:
		return certificate{}, fails(step, clause, "the length of the exponent is wrong")
	}
	modulus := append(append([]byte{}, digits[:min(length, room)]...), c.remainder...)
	key, ok := NewPublicKey(modulus, c.exponent)
	if !ok {
		return certificate{}, fails(step, clause, "it holds no RSA key that the standard allows")
	}
	return certificate{secret.New(body[:holder]), [2]byte(f[:2]), [3]byte(f[2:5]), key, step, clause}, nil
}

// keyObjects are the three objects that a key comes in.
type keyObjects struct{ certificate, remainder, exponent []byte }

// validOn checks that day is not after the last day of the month of expiry, MMYY
// (step 9). Years 50 to 99 are of the 1900s (B4 6.7.3).
func (c certificate) validOn(day emv.Day) error {
	last, err := emv.ParseDay([]byte{c.expiry[1], c.expiry[0], 0x31})
	if err != nil || last.Before(day) {
		return fails(c.step, c.clause+" step 9", "the certificate has expired")
	}
	return nil
}

// digits are those of the holder field without the filler on the right; ok is
// false for anything else there. They never become a string, which nobody could
// wipe.
func (c certificate) digits() (d secret.Secret, ok bool) {
	out := make([]byte, 0, 2*c.holder.Len())
	filler := false
	ok = true
	for _, b := range c.holder.Expose() {
		for _, nibble := range [2]byte{b >> 4, b & 0x0F} {
			switch {
			case nibble == 0x0F:
				filler = true
			case nibble > 9 || filler:
				ok = false
			default:
				out = append(out, '0'+nibble)
			}
		}
	}
	return secret.Take(out), ok
}

// belongs checks the digits of the holder field against those of a PAN: all of
// them, or its first three to eight (step 8).
func (c certificate) belongs(pan secret.Secret, whole bool) error {
	d, ok := c.digits()
	defer d.Wipe()
	if !ok || d.Len() < 3 || !bytes.HasPrefix(pan.Expose(), d.Expose()) || whole && d.Len() != pan.Len() {
		return fails(c.step, c.clause+" step 8", "the certificate was made for another PAN")
	}
	return nil
}
