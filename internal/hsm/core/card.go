package core

import (
	"tallystick.example/internal/pure/cardcodes"
	"tallystick.example/internal/pure/secret"
)

// Service codes of the card verification values that do not stand on a stripe.
const (
	ServiceChip  = "999" // iCVV
	ServicePrint = "000" // CVV2
)

// GenerateCVV computes a three-digit card verification value (see
// [cardcodes.CVV]) under a key of usage C0 that may generate. expiry is four
// digits in the issuer's order; service is the service code of the stripe,
// ServiceChip or ServicePrint.
func GenerateCVV(cvk Key, pan secret.Secret, expiry, service string) (string, error) {
	if err := cvk.allow(modesGenerate, "C0"); err != nil {
		return "", err
	}
	v, err := cardcodes.CVV(cvk.value.Expose(), pan.Expose(), []byte(expiry), []byte(service))
	if err != nil {
		return "", inputError("a card verification value", err)
	}
	return string(v), nil
}

// VerifyCVV reports whether cvv is the card verification value, under a key of
// usage C0 that may verify.
func VerifyCVV(cvk Key, pan secret.Secret, expiry, service string, cvv secret.Secret) (bool, error) {
	if err := cvk.allow(modesVerify, "C0"); err != nil {
		return false, err
	}
	v, err := cardcodes.CVV(cvk.value.Expose(), pan.Expose(), []byte(expiry), []byte(service))
	if err != nil {
		return false, inputError("a card verification value", err)
	}
	defer clear(v)
	return cardcodes.Equal(v, cvv.Expose()), nil
}

// VerifyDCVV reports whether dcvv is the dynamic CVV of a contactless card in
// stripe mode: under the card's key from the issuer master key imk (usage E4),
// over the ATC. psn is two digits or empty.
func VerifyDCVV(imk Key, pan secret.Secret, psn, expiry, service string, atc []byte, dcvv secret.Secret) (bool, error) {
	key, err := cardKey(imk, "E4", pan, psn)
	if err != nil {
		return false, err
	}
	defer key.Wipe()
	v, err := cardcodes.DCVV(key.Expose(), pan.Expose(), []byte(expiry), []byte(service), atc)
	if err != nil {
		return false, inputError("a dynamic CVV", err)
	}
	defer clear(v)
	return cardcodes.Equal(v, dcvv.Expose()), nil
}

// VerifyCVC3 reports whether cvc3 is the end of the dynamic code of a Mastercard
// contactless card in stripe mode: under the card's key from the issuer master
// key imk (usage E4), over its static track data, the reader's unpredictable
// number and the ATC. cvc3 has three to five digits.
func VerifyCVC3(imk Key, pan secret.Secret, psn string, track secret.Secret, un, atc []byte, cvc3 secret.Secret) (bool, error) {
	key, err := cardKey(imk, "E4", pan, psn)
	if err != nil {
		return false, err
	}
	defer key.Wipe()
	iv, err := cardcodes.IVCVC3(key.Expose(), track.Expose())
	if err != nil {
		return false, inputError("a CVC3", err)
	}
	v, err := cardcodes.CVC3(key.Expose(), iv, un, atc)
	if err != nil {
		return false, inputError("a CVC3", err)
	}
	defer clear(v)
	if cvc3.Len() < 3 || cvc3.Len() > len(v) {
		return false, ErrInput
	}
	return cardcodes.Equal(v[len(v)-cvc3.Len():], cvc3.Expose()), nil
}
