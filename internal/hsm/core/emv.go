package core

import (
	"errors"
	"fmt"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/secret"
)

// A Chip names a card and its transaction to the issuer.
type Chip struct {
	PAN     secret.Secret // ASCII digits
	PSN     string        // two digits, or empty
	Profile string        // cryptogram profile of package cryptogram, such as "visa_cvn18"
	Fields  cryptogram.Fields
}

// card names the card with the derivation that fits its PAN: option B for more
// than 16 digits, which falls back to A for others (EMV Book 2, A1.4.2).
func (c Chip) card() cryptogram.Card {
	return cryptogram.Card{PAN: c.PAN, PSN: c.PSN, Option: cryptogram.OptionB}
}

// VerifyARQC reports whether tag 9F26 of the fields is the card's cryptogram,
// under an issuer master key of usage E0. Fields that the profile needs and
// that are missing or malformed make no valid cryptogram: false.
func VerifyARQC(imk Key, c Chip) (bool, error) {
	if err := imk.allow(modesDerive, "E0"); err != nil {
		return false, err
	}
	err := cryptogram.Verify(imk.value, c.card(), cryptogram.Profile(c.Profile), c.Fields)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, cryptogram.ErrMismatch), errors.Is(err, cryptogram.ErrInput):
		return false, nil
	}
	return false, inputError("a cryptogram", err)
}

// IssuerAuthData computes the value of tag 91 for the cryptogram in the fields
// and the two-character authorisation response code arc, under an issuer master
// key of usage E0. Profiles of method 2 (EMV Book 2, 8.2.2) get a card status
// update in place of the code.
func IssuerAuthData(imk Key, c Chip, arc string) ([]byte, error) {
	key, err := ARPCKey(imk, c)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return key.Answer(arc)
}

// An AnswerKey makes issuer authentication data for one cryptogram. It exists so
// that the issuer master key need not be kept until the answer.
type AnswerKey struct {
	key     secret.Secret
	ac      cryptogram.AC
	profile cryptogram.Profile
}

// ARPCKey derives the key of the issuer's answer to the cryptogram in the
// fields, under an issuer master key of usage E0. The caller wipes it.
func ARPCKey(imk Key, c Chip) (AnswerKey, error) {
	if err := imk.allow(modesDerive, "E0"); err != nil {
		return AnswerKey{}, err
	}
	ac := c.Fields[0x9F26]
	profile, err := cryptogram.ParseProfile(c.Profile)
	if err != nil || len(ac) != len(cryptogram.AC{}) {
		return AnswerKey{}, ErrInput
	}
	card, err := cryptogram.CardKey(imk.value, c.card())
	if err != nil {
		return AnswerKey{}, inputError("a card key", err)
	}
	defer card.Wipe()
	key, err := profile.ARPCKey(card, c.Fields)
	if err != nil {
		return AnswerKey{}, inputError("an answer key", err)
	}
	return AnswerKey{key: key, ac: cryptogram.AC(ac), profile: profile}, nil
}

// Wipe clears the key.
func (k AnswerKey) Wipe() { k.key.Wipe() }

// IsZero reports whether there is no key.
func (k AnswerKey) IsZero() bool { return k.key.IsZero() }

// Answer is the value of tag 91 for the two-character code arc; ErrInput for
// another length or without a key.
func (k AnswerKey) Answer(arc string) ([]byte, error) {
	if len(arc) != 2 || k.IsZero() {
		return nil, ErrInput
	}
	auth := cryptogram.IssuerAuth{Method: 1, ARC: []byte(arc)}
	if k.profile.ARPCMethod() == 2 {
		auth = cryptogram.IssuerAuth{Method: 2, CSU: cardStatusUpdate(arc)}
	}
	data, err := auth.Data(k.key, k.ac)
	if err != nil {
		return nil, inputError("issuer authentication data", err)
	}
	return data, nil
}

// cardStatusUpdate says to the card whether its issuer approves (EMV Book 3,
// Annex C10: byte 2 bit 8) and leaves blocks, counters and PIN tries alone.
func cardStatusUpdate(arc string) []byte {
	const approves = 0x80
	csu := make([]byte, 4)
	if arc == "00" || arc == "10" { // whole and partial approval
		csu[1] = approves
	}
	return csu
}

// cardKey derives a card's key from an issuer master key of the given usage.
func cardKey(imk Key, usage string, pan secret.Secret, psn string) (secret.Secret, error) {
	if err := imk.allow(modesDerive, usage); err != nil {
		return secret.Secret{}, err
	}
	k, err := cryptogram.CardKey(imk.value, cryptogram.Card{PAN: pan, PSN: psn, Option: cryptogram.OptionB})
	if err != nil {
		return secret.Secret{}, fmt.Errorf("core: deriving a card key: %w: %w", ErrInput, err)
	}
	return k, nil
}
