package core

import (
	"fmt"

	"tallystick.example/internal/pure/cardcodes"
	"tallystick.example/internal/pure/secret"
)

// GeneratePVV computes the Visa PVV of a PIN (see [cardcodes.PVV]) under a key
// of usage V2 that may generate.
func GeneratePVV(pvk Key, pvki int, pin, pan secret.Secret) (string, error) {
	if err := pvk.allow(modesGenerate, "V2"); err != nil {
		return "", err
	}
	v, err := cardcodes.PVV(pvk.value.Expose(), pvki, pin.Expose(), pan.Expose())
	if err != nil {
		return "", inputError("a PVV", err)
	}
	return string(v), nil
}

// VerifyPVV reports whether pin fits the PVV of the card, under a key of usage
// V2 that may verify.
func VerifyPVV(pvk Key, pvki int, pvv string, pin, pan secret.Secret) (bool, error) {
	if err := pvk.allow(modesVerify, "V2"); err != nil {
		return false, err
	}
	v, err := cardcodes.PVV(pvk.value.Expose(), pvki, pin.Expose(), pan.Expose())
	if err != nil {
		return false, inputError("a PVV", err)
	}
	return cardcodes.Equal(v, []byte(pvv)), nil
}

// GenerateOffset computes the IBM 3624 offset of a PIN, as many digits as the
// PIN has, under a key of usage V1 that may generate. table is the
// decimalization table, validation the eight bytes of validation data.
func GenerateOffset(pvk Key, table string, validation []byte, pin secret.Secret) (string, error) {
	if err := pvk.allow(modesGenerate, "V1"); err != nil {
		return "", err
	}
	natural, offset, err := cardcodes.IBM3624(pvk.value.Expose(), []byte(table), validation, pin.Expose())
	clear(natural)
	if err != nil {
		return "", inputError("an offset", err)
	}
	return string(offset), nil
}

// VerifyOffset reports whether pin fits the IBM 3624 offset of the card, under a
// key of usage V1 that may verify. A PIN of another length than the offset does
// not fit.
func VerifyOffset(pvk Key, table string, validation []byte, offset string, pin secret.Secret) (bool, error) {
	if err := pvk.allow(modesVerify, "V1"); err != nil {
		return false, err
	}
	natural, got, err := cardcodes.IBM3624(pvk.value.Expose(), []byte(table), validation, pin.Expose())
	clear(natural)
	if err != nil {
		return false, inputError("an offset", err)
	}
	return cardcodes.Equal(got, []byte(offset)), nil
}

// inputError marks a failure of an algorithm on its input. The key has been
// checked before, so the input is at fault.
func inputError(what string, err error) error {
	return fmt.Errorf("core: computing %s: %w: %w", what, ErrInput, err)
}
