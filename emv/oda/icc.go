package oda

import (
	"tallystick.example/emv"
	"tallystick.example/internal/pure/secret"
)

// An ICCKey is a card's public key as its certificate holds it: the one for
// signatures or the one for PIN encipherment.
type ICCKey struct {
	PublicKey
	certificate certificate
}

// RecoverICC opens the card's certificate with the issuer's key (B2 6.4 steps 1 to
// 7, 10 and 11): tags 9F46, 9F48 (empty where there is none) and 9F47. static are
// the static data to be authenticated, with the value of the AIP at the end where
// tag 9F4A asks for it. The error is an [*Error] of StepICC.
func RecoverICC(issuer PublicKey, cert, remainder, exponent, static []byte) (*ICCKey, error) {
	return recoverICC(issuer, keyObjects{cert, remainder, exponent}, static, StepICC, "B2 6.4")
}

// RecoverPINKey opens the certificate of the card's PIN encipherment key (B2 7.1):
// tags 9F2D, 9F2F and 9F2E. The error is an [*Error] of StepPINKey.
func RecoverPINKey(issuer PublicKey, cert, remainder, exponent []byte) (*ICCKey, error) {
	return recoverICC(issuer, keyObjects{cert, remainder, exponent}, nil, StepPINKey, "B2 7.1")
}

func recoverICC(issuer PublicKey, o keyObjects, static []byte, step Step, clause string) (*ICCKey, error) {
	c, err := openCertificate(issuer, formatICC, 10, o, static, step, clause)
	if err != nil {
		return nil, err
	}
	return &ICCKey{c.key, c}, nil
}

// Wipe clears the PAN that the certificate was made for; the key stays usable.
func (k *ICCKey) Wipe() { k.certificate.holder.Wipe() }

// PAN are the digits that the certificate was made for. The caller wipes them.
func (k *ICCKey) PAN() secret.Secret {
	d, _ := k.certificate.digits() // what is no PAN is empty, and Belongs refuses it
	return d
}

// Expiry is the month after which the certificate is not valid, MMYY.
func (k *ICCKey) Expiry() [2]byte { return k.certificate.expiry }

// Belongs checks that the certificate was made for a PAN (B2 6.4 step 8).
func (k *ICCKey) Belongs(pan secret.Secret) error { return k.certificate.belongs(pan, true) }

// ValidOn checks the expiry of the certificate (B2 6.4 step 9).
func (k *ICCKey) ValidOn(day emv.Day) error { return k.certificate.validOn(day) }

// An ICCInput is what a card's key comes in, and what it must belong to.
type ICCInput struct {
	Certificate, Remainder, Exponent []byte        // 9F46, 9F48, 9F47 or 9F2D, 9F2F, 9F2E
	Static                           []byte        // empty for the PIN encipherment key
	PAN                              secret.Secret // ASCII digits
	Date                             emv.Day
}

// ICC recovers the card's key with all checks of B2 6.4. The error is an [*Error]
// of StepICC.
func (k *IssuerKey) ICC(in ICCInput) (*ICCKey, error) {
	key, err := RecoverICC(k.PublicKey, in.Certificate, in.Remainder, in.Exponent, in.Static)
	return checked(key, err, in)
}

// PINKey recovers the card's PIN encipherment key with all checks of B2 7.1.
// Static is not looked at.
func (k *IssuerKey) PINKey(in ICCInput) (*ICCKey, error) {
	key, err := RecoverPINKey(k.PublicKey, in.Certificate, in.Remainder, in.Exponent)
	return checked(key, err, in)
}

func checked(key *ICCKey, err error, in ICCInput) (*ICCKey, error) {
	if err != nil {
		return nil, err
	}
	if err = key.Belongs(in.PAN); err == nil {
		err = key.ValidOn(in.Date)
	}
	if err != nil {
		key.Wipe()
		return nil, err
	}
	return key, nil
}
