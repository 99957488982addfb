package hsmtest

import (
	"testing"

	"tallystick.example/internal/hsm/api"
)

// tryPIN opens a payment with a PIN and verifies it.
func (x *bench) tryPIN(p api.Personalized, pay payment) api.PINVerdict {
	x.Helper()
	o := x.opened(x.aes, x.aes.message(x, pay))
	return x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true}).PIN
}

// onePINVerdict: a malformed block, one under another key or for another PAN,
// and a wrong PIN are one verdict, all are counted, and a PIN is verified once.
func onePINVerdict(t *testing.T, open Open) {
	x := start(t, open, Options{WrongPINs: 100})
	p := x.personalize(api.Personalize{PAN: text(testPAN), PIN: text("1234"), PVK: x.pvk})
	card := plain(testPAN)
	for name, pay := range map[string]payment{
		"wrong PIN":              {card: card, pin: "1235"},
		"longer PIN, same start": {card: card, pin: "12349"},
		"malformed block":        {card: card, block: make([]byte, 16)},
		"short block":            {card: card, block: unhex(t, "00112233445566778899AABBCCDDEEFF")},
	} {
		if v := x.tryPIN(p, pay); v != api.PINWrong {
			t.Errorf("%s: verdict %s", name, v)
		}
	}
	if v := x.tryPIN(p, payment{card: card, pin: "1234"}); v != api.PINRight {
		t.Errorf("right PIN: verdict %s", v)
	}
	o := x.opened(x.aes, x.aes.message(t, payment{card: card, pin: "1234"}))
	r := x.withKeys(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true})
	if v := x.verify(r); v.PIN != api.PINRight {
		t.Errorf("verdict %s", v.PIN)
	}
	_, err := x.hsm.Verify(t.Context(), r)
	x.want("verifying a PIN twice", err, api.ErrPolicy)

	zeros := x.personalize(api.Personalize{PAN: text("4929000000000014"), PIN: text("0000"), PVK: x.pvk})
	for name, pay := range map[string]payment{
		"malformed block": {card: plain("4929000000000014"), block: make([]byte, 16)},
		"wrong PIN":       {card: plain("4929000000000014"), pin: "0001"},
	} {
		if v := x.tryPIN(zeros, pay); v != api.PINWrong {
			t.Errorf("%s for a card with the PIN 0000: verdict %s", name, v)
		}
	}
	without := x.personalize(api.Personalize{PAN: text(testPAN)})
	if v := x.tryPIN(without, payment{card: card, pin: "1234"}); v != api.PINNone {
		t.Errorf("a card without PIN: verdict %s", v)
	}
	if v := x.tryPIN(p, payment{card: card}); v != api.PINNone {
		t.Errorf("a message without PIN: verdict %s", v)
	}
	// Format 0 of TDES sets.
	o = x.opened(x.tdes, x.tdes.message(t, payment{card: card, block: make([]byte, 8)}))
	if v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true}); v.PIN != api.PINWrong {
		t.Errorf("malformed format 0 block: verdict %s", v.PIN)
	}
}

// brakeOverRestart: wrong PINs are counted over restarts, the right one ends the
// count, and a blocked card is blocked for the right PIN too until an operator
// clears it.
func brakeOverRestart(t *testing.T, open Open) {
	x := start(t, open, Options{WrongPINs: 3})
	p := x.personalize(api.Personalize{PAN: text(testPAN), PIN: text("1234"), PVK: x.pvk})
	other := x.personalize(api.Personalize{PAN: text("4929000000000014"), PIN: text("1234"), PVK: x.pvk})
	right, wrong := payment{card: plain(testPAN), pin: "1234"}, payment{card: plain(testPAN), pin: "4321"}
	try := func(what string, pay payment, want api.PINVerdict) {
		t.Helper()
		if v := x.tryPIN(p, pay); v != want {
			t.Errorf("%s: verdict %s, want %s", what, v, want)
		}
	}
	restart := func() {
		x.b.Restart(t)
		x.hsm, _ = x.b.Connect(t)
	}
	try("first wrong", wrong, api.PINWrong)
	try("second wrong", wrong, api.PINWrong)
	try("right before the limit", right, api.PINRight)
	try("counting anew, first", wrong, api.PINWrong)
	restart()
	try("second", wrong, api.PINWrong)
	restart()
	try("third", wrong, api.PINWrong)
	restart()
	try("wrong when blocked", wrong, api.PINBlocked)
	try("right when blocked", right, api.PINBlocked)
	if v := x.tryPIN(other, payment{card: plain("4929000000000014"), pin: "1234"}); v != api.PINRight {
		t.Errorf("another card: verdict %s", v)
	}
	if err := x.hsm.ClearPINBrake(t.Context(), p.Card.Lookup); err != nil {
		t.Fatal(err)
	}
	restart()
	try("cleared", right, api.PINRight)
}

// movedReference: a reference record opens for its own PAN and unchanged only.
func movedReference(t *testing.T, open Open) {
	x := start(t, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(testPAN), PIN: text("1234"), PVK: x.pvk, Profile: "visa_cvn10"})
	message := x.aes.message(t, payment{card: plain("4929000000000014"), pin: "1234"})
	check := func(name string, reference []byte, message []byte) {
		t.Helper()
		o := x.opened(x.aes, message)
		v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: reference, PIN: true, Cryptogram: true, CardCode: true})
		if v.ReferenceOK || v.PIN != api.PINNone || v.Cryptogram != api.CryptogramNone || v.CardCode != api.CardCodeNone {
			t.Errorf("%s: verdict %+v", name, v)
		}
	}
	check("record of another card", p.Reference, message)
	own := x.aes.message(t, payment{card: plain(testPAN), pin: "1234"})
	check("no record", nil, own)
	check("sealed PAN for a record", p.Card.NewSealed, own)
	for i := range p.Reference {
		changed := append([]byte(nil), p.Reference...)
		changed[i] ^= 0x40
		check("changed record", changed, own)
	}
	for n := range p.Reference {
		check("cut record", p.Reference[:n], own)
	}
}
