package soft

import (
	"context"
	"crypto/cipher"
	"fmt"
	"io"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/cardcodes"
	"tallystick.example/internal/pure/secret"
)

// A method is how a card's PIN is verified.
type method byte

const (
	methodNone method = iota
	methodPVV
	methodOffset
)

// A reference is the issuer's record of a card: what its PIN, cryptogram and
// card code are verified against. Outside it exists only sealed, with the
// look-up value of its PAN as associated data, so that it opens for no other.
type reference struct {
	psn     string // two digits
	profile string
	method  method
	pvki    byte
	value   string // PVV or offset
	pinLen  byte   // a PVV covers four digits only; the rest must not be ignored
	codeAt  byte
}

const (
	referenceContext = "card reference 1\x00"
	referenceNonce   = 12
	// decimalization is the table of the IBM 3624 method in all records. It is
	// sealed in here and never a parameter: choosing it is an attack.
	decimalization = "0123456789012345"
	// pvKeyIndex is the key index of PVVs: the key is named by its block.
	pvKeyIndex = 1
	maxCodeAt  = 10
)

func (r reference) pack() []byte {
	b := append([]byte(r.psn), byte(r.method), r.pvki, r.pinLen, r.codeAt, byte(len(r.value)))
	b = append(b, r.value...)
	return append(b, r.profile...)
}

func unpackReference(b []byte) (reference, bool) {
	const fixed = 2 + 5
	if len(b) < fixed || len(b) < fixed+int(b[6]) {
		return reference{}, false
	}
	end := fixed + int(b[6])
	return reference{
		psn: string(b[:2]), method: method(b[2]), pvki: b[3], pinLen: b[4], codeAt: b[5],
		value: string(b[fixed:end]), profile: string(b[end:]),
	}, true
}

// sealReference seals a record for the card of a look-up value.
func (h *HSM) sealReference(r reference, lookup [32]byte) ([]byte, error) {
	out := make([]byte, referenceNonce)
	if _, err := io.ReadFull(h.rand, out); err != nil {
		return nil, fmt.Errorf("soft: drawing a nonce: %w", err)
	}
	plain := r.pack()
	defer clear(plain)
	return h.own.reference.Seal(out, out, plain, referenceAAD(lookup)), nil
}

// openReference opens a record; false for one that was changed or belongs to
// another card.
func openReference(a cipher.AEAD, sealed []byte, lookup [32]byte) (reference, bool) {
	if len(sealed) < referenceNonce {
		return reference{}, false
	}
	b, err := a.Open(nil, sealed[:referenceNonce], sealed[referenceNonce:], referenceAAD(lookup))
	if err != nil {
		return reference{}, false
	}
	defer clear(b)
	return unpackReference(b)
}

func referenceAAD(lookup [32]byte) []byte { return append([]byte(referenceContext), lookup[:]...) }

// Personalize makes the issuer's reference record of a card.
func (s *Session) Personalize(ctx context.Context, p api.Personalize) (api.Personalized, error) {
	if err := s.ready(ctx); err != nil {
		return api.Personalized{}, err
	}
	out, err := s.hsm.personalize(p)
	if err != nil {
		return api.Personalized{}, outward("personalizing a card", err)
	}
	return out, nil
}

func (h *HSM) personalize(p api.Personalize) (api.Personalized, error) {
	// Building a blob checks PAN, PSN and expiry as a terminal's are checked.
	blob, err := cardblob.Card{PAN: p.PAN, PSN: p.PSN, Expiry: p.Expiry}.Build(8)
	if err != nil || len(p.PSN) != 2 || len(p.Expiry) != 4 {
		return api.Personalized{}, api.ErrInput
	}
	defer blob.Wipe()
	card, err := cardblob.Parse(blob.Expose())
	if err != nil {
		return api.Personalized{}, api.ErrInput
	}
	defer card.Wipe()
	ref := reference{psn: p.PSN, profile: p.Profile, codeAt: byte(p.CodeAt)}
	if p.CodeAt < 0 || p.CodeAt > maxCodeAt {
		return api.Personalized{}, api.ErrInput
	}
	if _, err := cryptogram.ParseProfile(p.Profile); err != nil && p.Profile != "" {
		return api.Personalized{}, api.ErrInput
	}
	if !p.PIN.IsZero() {
		if err := h.pinReference(p, &ref); err != nil {
			return api.Personalized{}, err
		}
	}
	lookup := h.lookup(card.PAN)
	out, err := h.describe(card, lookup)
	if err != nil {
		return api.Personalized{}, err
	}
	sealed, err := h.sealReference(ref, lookup)
	if err != nil {
		return api.Personalized{}, err
	}
	return api.Personalized{Card: out, Reference: sealed}, nil
}

// pinReference computes the PIN's verification value by the usage of the key.
func (h *HSM) pinReference(p api.Personalize, ref *reference) error {
	pvk, err := h.unwrap(p.PVK)
	if err != nil {
		return err
	}
	defer pvk.Wipe()
	ref.pinLen = byte(p.PIN.Len())
	if pvk.Usage == "V1" {
		ref.method = methodOffset
		validation, err := cardcodes.ValidationData(p.PAN.Expose())
		if err != nil {
			return api.ErrInput
		}
		ref.value, err = core.GenerateOffset(pvk, decimalization, validation, p.PIN)
		return err
	}
	ref.method, ref.pvki = methodPVV, pvKeyIndex
	ref.value, err = core.GeneratePVV(pvk, pvKeyIndex, p.PIN, p.PAN)
	return err
}

// checkPIN reports whether pin is the card's.
func (r reference) checkPIN(pvk core.Key, pin, pan secret.Secret) (bool, error) {
	if r.method == methodOffset {
		validation, err := cardcodes.ValidationData(pan.Expose())
		if err != nil {
			return false, api.ErrInput
		}
		return core.VerifyOffset(pvk, decimalization, validation, r.value, pin)
	}
	right, err := core.VerifyPVV(pvk, int(r.pvki), r.value, pin, pan)
	return right && pin.Len() == int(r.pinLen), err
}

// code is the card verification value within discretionary data, false when
// these are too short.
func (r reference) code(discretionary secret.Secret) (secret.Secret, bool) {
	const codeLen = 3
	at := int(r.codeAt)
	if discretionary.Len() < at+codeLen {
		return secret.Secret{}, false
	}
	return secret.New(discretionary.Expose()[at : at+codeLen]), true
}

// swapExpiry turns YYMM into MMYY, the order of a CVV2.
func swapExpiry(yymm string) string {
	return yymm[2:] + yymm[:2]
}
