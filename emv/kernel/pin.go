package kernel

import (
	"context"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/internal/pure/secret"
)

// maxPINTries bounds how often a card can have the PIN asked again: the counter
// of 63Cx has four bits.
const maxPINTries = 16

// onlinePIN has the caller capture the PIN for the issuer (B3 10.5.2).
func (r *verifying) onlinePIN(ctx context.Context) (attempt, error) {
	if r.skipsPIN() {
		return failed, nil
	}
	status, err := r.Ask.OnlinePIN(ctx, r.Info)
	if err != nil {
		return failed, stopped(stepVerify, err)
	}
	if r.captured(status) {
		r.tvr = append(r.tvr, emv.TVROnlinePIN)
		return succeeded, nil
	}
	return failed, nil
}

// skipsPIN counts a PIN as not entered because one was bypassed before (B4 6.3.4.3).
func (r *verifying) skipsPIN() bool {
	if r.bypassed && r.BypassAll {
		r.tvr = append(r.tvr, emv.TVRPINNotEntered)
		return true
	}
	return false
}

// captured sets the bits of a PIN that was not entered.
func (r *verifying) captured(status PINStatus) bool {
	switch status {
	case PINEntered:
		return true
	case PINBypassed:
		r.bypassed = true
		r.tvr = append(r.tvr, emv.TVRPINNotEntered)
	default:
		r.tvr = append(r.tvr, emv.TVRPINPadFault)
	}
	return false
}

// offlinePIN has the card verify the PIN (B3 10.5.1), again while it is wrong
// and tries are left.
func (r *verifying) offlinePIN(ctx context.Context, enciphered bool) (attempt, error) {
	if r.skipsPIN() {
		return failed, nil
	}
	prompt := PINPrompt{}
	tries, err := readTag(ctx, r.Card, stepVerify, emv.TagPINTries)
	if err != nil {
		return failed, err
	}
	if len(tries) == 1 {
		if tries[0] == 0 {
			return r.tryLimit(), nil
		}
		prompt.TriesLeft, prompt.LastTry = int(tries[0]), tries[0] == 1
	}
	encode, ok := r.pinEncoding(enciphered)
	if !ok {
		return failed, nil
	}
	for range maxPINTries {
		sw, entered, err := r.verifyOnce(ctx, prompt, encode)
		if err != nil || !entered {
			return failed, err
		}
		left, wrong := sw.Counter()
		switch {
		case sw == emv.SWOK:
			return succeeded, nil
		case sw == emv.SWBlocked, sw == emv.SWUnusable, wrong && left == 0:
			return r.tryLimit(), nil
		case !wrong:
			return failed, cardError(stepVerify, "B3 6.5.12.5", "the card answers %v to VERIFY", sw)
		}
		prompt = PINPrompt{TriesLeft: left, LastTry: left == 1, Retry: true}
	}
	return failed, cardError(stepVerify, "B3 6.5.12.5", "the PIN tries of the card do not run out")
}

func (r *verifying) tryLimit() attempt {
	r.tvr = append(r.tvr, emv.TVRPINTryLimit)
	return failed
}

// verifyOnce captures a PIN and sends VERIFY. entered is false when there was no
// PIN to send.
func (r *verifying) verifyOnce(ctx context.Context, prompt PINPrompt, encode pinEncoding) (sw emv.SW, entered bool, err error) {
	status, pin, err := r.Ask.OfflinePIN(ctx, prompt)
	defer pin.Wipe()
	if err != nil {
		return 0, false, stopped(stepVerify, err)
	}
	if !r.captured(status) {
		return 0, false, nil
	}
	if pin.Len() < 4 || pin.Len() > 12 {
		return 0, false, stopped(stepVerify, oda.ErrPIN)
	}
	data, qualifier, err := encode(ctx, pin)
	defer clear(data)
	if err != nil || data == nil {
		return 0, false, err
	}
	_, sw, err = send(ctx, r.Card, stepVerify, command{cla: 0x00, ins: 0x20, p2: qualifier, data: data})
	return sw, true, err
}

// A pinEncoding makes the data and P2 of VERIFY (B3 6.5.12). No data without an
// error means that the PIN could not be enciphered, which counts as failed.
type pinEncoding func(ctx context.Context, pin secret.Secret) (data []byte, qualifier byte, err error)

// pinEncoding is how PINs of this card are sent. ok is false when there is no key
// to encipher them under: the cardholder is then not asked.
func (r *verifying) pinEncoding(enciphered bool) (encode pinEncoding, ok bool) {
	if !enciphered {
		return plaintextPIN, true
	}
	if r.PINKey == nil {
		return nil, false
	}
	key, ok := r.PINKey()
	return func(ctx context.Context, pin secret.Secret) ([]byte, byte, error) {
		return r.encipheredPIN(ctx, key, pin)
	}, ok
}

// encipheredPIN asks the card for a challenge (B3 6.5.6), a fresh one each time,
// and enciphers it with the PIN (B2 7.2).
func (r *verifying) encipheredPIN(ctx context.Context, key oda.PublicKey, pin secret.Secret) ([]byte, byte, error) {
	challenge, sw, err := send(ctx, r.Card, stepVerify, command{ins: 0x84, le: true})
	if err != nil {
		return nil, 0, err
	}
	if sw != emv.SWOK || len(challenge) != 8 {
		r.Ask.observe(stepVerify, "B3 6.5.6", "no challenge", sw.String())
		return nil, 0, nil
	}
	data, err := key.EncipherPIN(pin, challenge, r.Random)
	return data, 0x88, err
}

// plaintextPIN is the plaintext offline PIN block of 8 bytes (B3 table 24).
func plaintextPIN(_ context.Context, pin secret.Secret) ([]byte, byte, error) {
	block, err := oda.PINBlock(pin)
	return block.Expose(), 0x80, err
}
