package soft

import (
	"context"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
)

// dummyPIN stands in for the PIN of a malformed block, so that such a block
// takes the same steps as a wrong PIN.
var dummyPIN = []byte("0000")

// Verify checks PIN, cryptogram and card code of an opened message.
func (s *Session) Verify(ctx context.Context, req api.VerifyRequest) (api.Verdict, error) {
	if err := s.ready(ctx); err != nil {
		return api.Verdict{}, err
	}
	o, err := s.use(req.Handle)
	if err != nil {
		return api.Verdict{}, outward("verifying", err)
	}
	defer o.mu.Unlock()
	v, err := s.hsm.verify(o, req)
	if err != nil {
		return api.Verdict{}, outward("verifying", err)
	}
	return v, nil
}

func (h *HSM) verify(o *opened, req api.VerifyRequest) (api.Verdict, error) {
	v := api.Verdict{PIN: api.PINNone, Cryptogram: api.CryptogramNone, CardCode: api.CardCodeNone}
	if !o.authentic || req.PIN && o.pinDone {
		return v, api.ErrPolicy
	}
	if !o.hasCard {
		return v, nil
	}
	ref, ok := openReference(h.own.reference, req.Reference, o.lookup)
	if !ok {
		return v, nil
	}
	v.ReferenceOK = true
	var err error
	if req.Cryptogram && o.chip != nil {
		if v.Cryptogram, err = h.verifyCryptogram(o, ref, req.IMK); err != nil {
			return v, err
		}
	}
	if req.CardCode {
		if v.CardCode, err = h.verifyCode(o, ref, req.CVK); err != nil {
			return v, err
		}
	}
	if req.PIN && o.pinBlock != nil && ref.method != methodNone {
		if v.PIN, err = h.verifyPIN(o, ref, req.PVK); err != nil {
			return v, err
		}
	}
	return v, nil
}

// verifyCryptogram checks tag 9F26 and, when it is right, keeps the key of the
// answer to it.
func (h *HSM) verifyCryptogram(o *opened, ref reference, block api.KeyBlock) (api.CryptogramVerdict, error) {
	imk, err := h.unwrap(block)
	if err != nil {
		return api.CryptogramNone, err
	}
	defer imk.Wipe()
	if ref.profile == "" {
		return api.CryptogramWrong, nil // a card without chip made none
	}
	c := core.Chip{PAN: o.card.PAN, PSN: ref.psn, Profile: ref.profile, Fields: o.chip}
	right, err := core.VerifyARQC(imk, c)
	if err != nil {
		return api.CryptogramNone, err
	}
	if !right {
		return api.CryptogramWrong, nil
	}
	key, err := core.ARPCKey(imk, c)
	if err != nil {
		return api.CryptogramNone, err
	}
	o.answer.Wipe()
	o.answer = key
	return api.CryptogramRight, nil
}

// verifyPIN spends the PIN block: whatever the result, it is gone. A malformed
// block and a wrong PIN take the same steps and are one verdict, which leaves
// only after it has been counted.
func (h *HSM) verifyPIN(o *opened, ref reference, block api.KeyBlock) (api.PINVerdict, error) {
	pvk, err := h.unwrap(block)
	if err != nil {
		return api.PINNone, err
	}
	defer pvk.Wipe()
	pin, formed := o.pinKey.Decode(o.pinBlock, o.card.PAN)
	if !formed {
		pin = secret.New(dummyPIN)
	}
	defer pin.Wipe()
	right, err := ref.checkPIN(pvk, pin, o.card.PAN)
	if err != nil {
		return api.PINNone, err
	}
	o.pinDone = true
	o.pinKey.Wipe()
	clear(o.pinBlock)
	right = right && formed
	blocked, err := h.brake.decide(o.lookup, right)
	switch {
	case err != nil:
		return api.PINNone, err
	case blocked:
		return api.PINBlocked, nil
	case right:
		return api.PINRight, nil
	}
	return api.PINWrong, nil
}

// Entry modes of DE 22 by the card code that they carry.
const (
	entryChip            = "05"
	entryContactless     = "07"
	entryStripe          = "90"
	entryFallback        = "80"
	entryKeyed           = "01"
	entryKeyedAfterFault = "79"
)

// verifyCode checks the card code that the entry mode carries: iCVV of a chip,
// CVV of a stripe, CVV2 of a keyed card. Contactless stripe mode has dynamic
// codes, which need data that messages do not carry: none.
func (h *HSM) verifyCode(o *opened, ref reference, block api.KeyBlock) (api.CardCodeVerdict, error) {
	var code secret.Secret
	var expiry, service string
	switch o.entry {
	case entryChip, entryContactless, entryStripe, entryFallback:
		t, ok := cardblob.ParseTrack2(o.card.Track2)
		if !ok {
			return api.CardCodeNone, nil
		}
		defer wipeAll(t.PAN, t.Discretionary)
		expiry, service = t.Expiry, t.ServiceCode
		if o.entry == entryChip || o.entry == entryContactless {
			service = core.ServiceChip
		}
		if code, ok = ref.code(t.Discretionary); !ok {
			return api.CardCodeWrong, nil
		}
	case entryKeyed, entryKeyedAfterFault:
		if o.card.CVV2.IsZero() {
			return api.CardCodeNone, nil
		}
		code = secret.New(o.card.CVV2.Expose())
		expiry, service = swapExpiry(o.card.Expiry), core.ServicePrint
	default:
		return api.CardCodeNone, nil
	}
	defer code.Wipe()
	cvk, err := h.unwrap(block)
	if err != nil {
		return api.CardCodeNone, err
	}
	defer cvk.Wipe()
	right, err := core.VerifyCVV(cvk, o.card.PAN, expiry, service, code)
	switch {
	case err != nil:
		return api.CardCodeNone, err
	case right:
		return api.CardCodeRight, nil
	}
	return api.CardCodeWrong, nil
}
