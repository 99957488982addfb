package oda

import (
	"tallystick.example/emv"
	"tallystick.example/internal/pure/secret"
)

// An IssuerKey is an issuer's public key as its certificate holds it.
type IssuerKey struct {
	PublicKey
	certificate certificate
}

// RecoverIssuer opens the issuer's certificate with the CA's key (B2 5.3, 6.3,
// steps 1 to 7, 11 and 12): tags 90, 92 (empty where there is none) and 9F32. The
// error is an [*Error] of StepIssuer. Whose certificate it is and whether it is
// still good are asked with Belongs and ValidOn; [Keys.Issuer] does all of it.
func RecoverIssuer(ca PublicKey, cert, remainder, exponent []byte) (*IssuerKey, error) {
	c, err := openCertificate(ca, formatIssuer, 4, keyObjects{cert, remainder, exponent}, nil, StepIssuer, "B2 6.3")
	if err != nil {
		return nil, err
	}
	return &IssuerKey{c.key, c}, nil
}

// ID is the issuer identifier: the first 3 to 8 digits of the PAN, filled with F.
func (k *IssuerKey) ID() [4]byte { return [4]byte(k.certificate.holder.Expose()) }

// Expiry is the month after which the certificate is not valid, MMYY.
func (k *IssuerKey) Expiry() [2]byte { return k.certificate.expiry }

// Serial is the serial number that a revocation names.
func (k *IssuerKey) Serial() [3]byte { return k.certificate.serial }

// Belongs checks the issuer identifier against the digits of a PAN (step 8).
func (k *IssuerKey) Belongs(pan secret.Secret) error { return k.certificate.belongs(pan, false) }

// ValidOn checks the expiry of the certificate (step 9).
func (k *IssuerKey) ValidOn(day emv.Day) error { return k.certificate.validOn(day) }

// formatStatic marks Signed Static Application Data (B2 table 7).
const formatStatic = 0x03

// VerifyStatic checks Signed Static Application Data, tag 93, over the static
// data to be authenticated and returns the Data Authentication Code, tag 9F45 of
// two bytes (B2 5.4). static must end with the value of the AIP where tag 9F4A
// asks for it. The error is an [*Error] of StepStatic.
func (k *IssuerKey) VerifyStatic(signature, static []byte) (code []byte, err error) {
	s, err := k.recover(signature, formatStatic, StepStatic, "B2 5.4")
	if err != nil {
		return nil, err
	}
	body := s.content()
	switch {
	case body[0] != algorithm:
		return nil, fails(StepStatic, "B2 5.4 step 6", "the hash algorithm is unknown")
	case !s.hashes(static):
		return nil, fails(StepStatic, "B2 5.4 step 7", "the hash differs")
	}
	return body[1:3], nil
}
