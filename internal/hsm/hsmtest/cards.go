package hsmtest

import (
	"bytes"
	"strings"
	"testing"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/cardcodes"
)

const testPAN = "4929000000000006"

// cardCodes checks each entry mode with the right code, with that of another
// mode, and with none.
func cardCodes(t *testing.T, open Open) {
	x := start(t, open, Options{})
	cvk := unhex(t, testCVK)
	code := func(v []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	cvv := code(cardcodes.CVV(cvk, []byte(testPAN), []byte("2912"), []byte("201")))
	icvv := code(cardcodes.ICVV(cvk, []byte(testPAN), []byte("2912")))
	cvv2 := code(cardcodes.CVV2(cvk, []byte(testPAN), []byte("1229")))
	p := x.personalize(api.Personalize{PAN: text(testPAN), CodeAt: 5})
	track := func(c string) cardblob.Card { return stripe(t, testPAN, testPAN+"=2912201"+"11234"+c+"00") }
	keyed := func(c string) cardblob.Card {
		return cardblob.Card{PAN: text(testPAN), Expiry: "2912", CVV2: text(c)}
	}
	for _, c := range []struct {
		name, entry string
		card        cardblob.Card
		want        api.CardCodeVerdict
	}{
		{"stripe", "901", track(cvv), api.CardCodeRight},
		{"stripe made of chip data", "901", track(icvv), api.CardCodeWrong},
		{"fallback", "801", track(cvv), api.CardCodeRight},
		{"chip", "051", track(icvv), api.CardCodeRight},
		{"chip made of a stripe", "051", track(cvv), api.CardCodeWrong},
		{"contactless chip", "071", track(icvv), api.CardCodeRight},
		{"keyed", "012", keyed(cvv2), api.CardCodeRight},
		{"keyed after a fault", "792", keyed(cvv2), api.CardCodeRight},
		{"keyed with the code of the stripe", "012", keyed(cvv), api.CardCodeWrong},
		{"keyed without code", "012", plain(testPAN), api.CardCodeNone},
		{"stored stripe", "901", plain(testPAN), api.CardCodeNone},
		{"short track", "901", stripe(t, testPAN, testPAN+"=291220111234"), api.CardCodeWrong},
		{"contactless stripe", "911", track(cvv), api.CardCodeNone},
	} {
		o := x.opened(x.aes, x.aes.message(t, payment{card: c.card, entry: c.entry}))
		v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, CardCode: true})
		if v.CardCode != c.want || v.PIN != api.PINNone || v.Cryptogram != api.CryptogramNone {
			t.Errorf("%s: verdict %+v, want %s", c.name, v, c.want)
		}
	}
}

// offset verifies PINs by the IBM 3624 method, chosen by the usage of the key.
func offset(t *testing.T, open Open) {
	x := start(t, open, Options{})
	pvk := x.importKey("V1", "T", "C", testPVK)
	p := x.personalize(api.Personalize{PAN: text(testPAN), PIN: text("123456"), PVK: pvk})
	for pin, want := range map[string]api.PINVerdict{"123456": api.PINRight, "123457": api.PINWrong, "12345": api.PINWrong, "1234567": api.PINWrong} {
		for _, tm := range []*terminal{x.aes, x.tdes} {
			o := x.opened(tm, tm.message(t, payment{card: plain(testPAN), pin: pin}))
			if v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PVK: pvk, PIN: true}); v.PIN != want {
				t.Errorf("PIN of %d digits: verdict %s, want %s", len(pin), v.PIN, want)
			}
		}
	}
	o := x.opened(x.aes, x.aes.message(t, payment{card: plain(testPAN), pin: "123456"}))
	_, err := x.hsm.Verify(t.Context(), x.withKeys(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true}))
	x.want("a PVV key for an offset", err, api.ErrKey)
}

// cardData checks what leaves the boundary of a card, and that malformed data
// are no card.
func cardData(t *testing.T, open Open) {
	x := start(t, open, Options{})
	o := x.opened(x.aes, x.aes.message(t, payment{card: stripe(t, testPAN, testPAN+"=291220111234")}))
	c := o.Card
	if c.BIN != "49290000" || c.LastFour != "0006" || c.Expiry != "2912" || c.ServiceCode != "201" || c.PSN != "" {
		t.Errorf("card %+v", c)
	}
	again := x.opened(x.tdes, x.tdes.message(t, payment{card: plain(testPAN)}))
	if again.Card.Lookup != c.Lookup || c.Lookup == [32]byte{} {
		t.Error("the look-up value is not that of the PAN")
	}
	if again.Card.NewToken == c.NewToken || again.Card.PSN != "00" {
		t.Errorf("second card %+v", again.Card)
	}
	other := x.opened(x.aes, x.aes.message(t, payment{card: plain("4929000000000014")}))
	if other.Card.Lookup == c.Lookup {
		t.Error("two PANs have one look-up value")
	}
	for name, blob := range map[string][]byte{
		"garbage":    bytes.Repeat([]byte{0xA5}, 32),
		"no padding": append(unhex(t, "5A0849290000000000065F2403291231"), make([]byte, 16)...),
		"only a PAN": append(unhex(t, "5A08492900000000000680"), make([]byte, 5)...),
	} {
		o := x.opened(x.aes, x.aes.message(t, payment{blob: blob}))
		if o.HasCard || o.Card.BIN != "" {
			t.Errorf("%s: a card was found", name)
		}
		v := x.verify(api.VerifyRequest{Handle: o.Handle, PIN: true, Cryptogram: true, CardCode: true})
		if v.ReferenceOK || v.PIN != api.PINNone || v.Cryptogram != api.CryptogramNone {
			t.Errorf("%s: verdict %+v", name, v)
		}
	}
}

// sealedPANs checks tokens, and that a sealed PAN opens for its token only.
func sealedPANs(t *testing.T, open Open) {
	x := start(t, open, Options{})
	a := x.personalize(api.Personalize{PAN: text(testPAN)}).Card
	b := x.personalize(api.Personalize{PAN: text(testPAN)}).Card
	if a.NewToken == b.NewToken || bytes.Equal(a.NewSealed, b.NewSealed) {
		t.Error("two seals are the same")
	}
	for _, tok := range []string{a.NewToken, b.NewToken} {
		if len(tok) < 16 || len(tok) > 32 || !strings.ContainsAny(tok[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Errorf("token %q", tok)
		}
	}
	reseal := func(token string, sealed []byte) ([]byte, error) { return x.hsm.Reseal(t.Context(), token, sealed) }
	_, err := reseal(b.NewToken, a.NewSealed)
	x.want("a record moved to another token", err, api.ErrInput)
	for i := range a.NewSealed {
		changed := bytes.Clone(a.NewSealed)
		changed[i] ^= 1
		if _, err := reseal(a.NewToken, changed); err == nil {
			t.Errorf("a record with byte %d changed was opened", i)
		}
	}
	version, err := x.hsm.RotateSealing(t.Context())
	if err != nil || version < 2 {
		t.Fatalf("rotation gives version %d, %v", version, err)
	}
	moved, err := reseal(a.NewToken, a.NewSealed)
	if err != nil || bytes.Equal(moved[:4], a.NewSealed[:4]) {
		t.Fatalf("resealing under the new key: %v", err)
	}
	x.b.Restart(t)
	x.hsm, _ = x.b.Connect(t)
	for name, sealed := range map[string][]byte{"old": a.NewSealed, "new": moved} {
		if _, err := reseal(a.NewToken, sealed); err != nil {
			t.Errorf("after a restart the %s record does not open: %v", name, err)
		}
	}
	if c := x.personalize(api.Personalize{PAN: text(testPAN)}).Card; !bytes.Equal(c.NewSealed[:4], moved[:4]) || c.Lookup != a.Lookup {
		t.Error("after a restart another key seals, or the look-up value changed")
	}
}
