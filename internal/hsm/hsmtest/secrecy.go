package hsmtest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/cardcodes"
)

// Planted values that must not be seen anywhere outside.
const (
	canaryPAN   = "4929731846250917"
	canaryPIN   = "739215846027"
	canaryTrack = canaryPAN + "=2912201112349735500"
	canaryCVV2  = "4718"
)

// nothingReadable plants a card, a PIN and keys, lets everything happen to them,
// good and bad, and looks for them in all that came back and was written.
func nothingReadable(t *testing.T, open Open) {
	x := start(t, open, Options{WrongPINs: 3})
	var seen bytes.Buffer
	note := func(values ...any) {
		for _, v := range values {
			fmt.Fprintf(&seen, "%+v|%x|%s|%v\n", v, v, v, v)
		}
	}
	p := x.personalize(api.Personalize{PAN: text(canaryPAN), PIN: text(canaryPIN), PVK: x.pvk, Profile: "visa_cvn10", CodeAt: 5})
	note(p)
	pay := payment{card: stripe(t, canaryPAN, canaryTrack), pin: canaryPIN, chip: unhex(t, chipData)}
	keyed := payment{card: plain(canaryPAN), pin: "1111", entry: "012"}
	keyed.card.CVV2 = text(canaryCVV2)
	for _, pay := range []payment{pay, keyed, keyed, keyed, pay} {
		for _, tm := range []*terminal{x.aes, x.tdes} {
			message := tm.message(t, pay)
			o, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{tm.set}})
			note(o, err)
			v, err := x.hsm.Verify(t.Context(), x.withKeys(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true, Cryptogram: true, CardCode: true}))
			note(v, err)
			_, err = x.hsm.Verify(t.Context(), x.withKeys(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true, PVK: x.imk}))
			note(err)
			s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
			note(s, err)
			resealed, err := x.hsm.Reseal(t.Context(), o.Card.NewToken, o.Card.NewSealed)
			note(resealed, err)
		}
	}
	_, err := x.hsm.Personalize(t.Context(), api.Personalize{PAN: text(canaryPAN + "x"), PIN: text(canaryPIN), PVK: x.pvk, PSN: "00", Expiry: "2912"})
	note(err)
	k, err := x.hsm.ImportClear(t.Context(), api.ImportClear{Spec: api.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 15}, Key: hidden(unhex(t, aesBDK))})
	note(k, err, x.info())
	lookFor(t, "an answer", seen.Bytes())
	lookFor(t, "a file or a log", x.b.Written(t))
}

// lookFor fails when planted values are in b.
func lookFor(t *testing.T, where string, b []byte) {
	t.Helper()
	for _, name := range shown(t, b) {
		t.Errorf("%s shows the planted %s", where, name)
	}
}

// shown names the planted values that are in b, as text, as BCD or as hex of
// either.
func shown(t *testing.T, b []byte) (names []string) {
	t.Helper()
	bcd := func(digits string) []byte {
		if len(digits)%2 == 1 {
			digits += "F"
		}
		return unhex(t, strings.ReplaceAll(digits, "=", "D"))
	}
	pvv, err := cardcodes.PVV(unhex(t, testPVK), 1, []byte(canaryPIN), []byte(canaryPAN))
	if err != nil {
		t.Fatal(err)
	}
	lower := bytes.ToLower(b)
	for name, v := range map[string][]byte{
		"PAN": []byte(canaryPAN), "packed PAN": bcd(canaryPAN), "PIN": []byte(canaryPIN), "packed PIN": bcd(canaryPIN),
		"track": bcd(canaryTrack), "base key": unhex(t, aesBDK), "issuer key": unhex(t, testIMK),
		"record with its PVV": append([]byte("00\x01\x01\x0C\x05\x04"), pvv...),
	} {
		if bytes.Contains(b, v) || bytes.Contains(lower, []byte(hex.EncodeToString(v))) {
			names = append(names, name)
		}
	}
	return names
}

// manyAtOnce lets 32 goroutines share one connection and the same input slices.
func manyAtOnce(t *testing.T, open Open) {
	const goroutines, rounds = 32, 6
	x := start(t, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(chipPAN), PSN: "01", PIN: text("1234"), PVK: x.pvk, Profile: "visa_cvn10"})
	type shared struct {
		tm      *terminal
		message []byte
		answer  []byte
		sets    []api.KeySet
	}
	var work []shared
	for _, tm := range []*terminal{x.aes, x.tdes} {
		m := tm.message(t, payment{card: plain(chipPAN), pin: "1234", chip: unhex(t, chipData)})
		work = append(work, shared{tm, m, answer(t, m, "00"), []api.KeySet{x.tdes.set, x.aes.set}})
	}
	fingerprint := func() string {
		var b []byte
		for _, w := range work {
			b = append(append(append(b, w.message...), w.answer...), w.sets[0].ID...)
		}
		return string(b)
	}
	want, before := unhex(t, chipARPC), fingerprint()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for range rounds {
				w := work[g%2]
				o, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: w.message, KeySets: w.sets})
				if err != nil || o.MAC != api.MACValid {
					t.Errorf("opening: %q, %v", o.MAC, err)
					return
				}
				v, err := x.hsm.Verify(t.Context(), x.withKeys(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true, Cryptogram: true}))
				if err != nil || v.PIN != api.PINRight || v.Cryptogram != api.CryptogramRight {
					t.Errorf("verdict %+v, %v", v, err)
					return
				}
				s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: w.answer, ARC: "00"})
				if err != nil || !bytes.Equal(s.IssuerAuthData, want) {
					t.Errorf("sealing: %v", err)
					return
				}
				if err := w.tm.authentic(1, s.Answer); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if fingerprint() != before {
		t.Error("shared inputs were changed")
	}
}
