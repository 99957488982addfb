package cryptogram

import (
	"bytes"
	"testing"

	"tallystick.example/internal/pure/secret"
	"tallystick.example/testvectors/vectortest"
)

// Issuer Authentication Data: ARPC of 8 bytes and ARC of 2, or ARPC of 4, CSU of 4
// and up to 8 proprietary bytes (Book 2 8.2).
func TestTrap22LayoutOfIssuerAuthenticationData(t *testing.T) {
	key, ac := secret.New(unhex(t, "0123456789ABCDEFFEDCBA9876543210")), AC(unhex(t, "29CCA15AE665FA2E"))
	arpc1, err := ARPC1(key, ac, []byte("00"))
	if err != nil {
		t.Fatal(err)
	}
	one, err := IssuerAuth{Method: 1, ARC: []byte("00")}.Data(key, ac)
	if err != nil || len(one) != 10 || !bytes.Equal(one, append(arpc1, "00"...)) {
		t.Errorf("method 1: %X, %v", one, err)
	}
	csu := []byte{0, 0x82, 0, 0}
	for n := range 10 {
		extra := bytes.Repeat([]byte{0xEE}, n)
		two, err := IssuerAuth{Method: 2, CSU: csu, Proprietary: extra}.Data(key, ac)
		if n > 8 {
			if err == nil {
				t.Error("nine proprietary bytes were taken")
			}
			continue
		}
		arpc2, arpcErr := ARPC2(key, ac, csu, extra)
		if err != nil || arpcErr != nil || len(arpc2) != 4 || !bytes.Equal(two, append(append(arpc2, csu...), extra...)) {
			t.Errorf("method 2, %d bytes: %X, %v, %v", n, two, err, arpcErr)
		}
	}
}

// Option B is for PANs of more than 16 digits; a shorter one falls to A (Book 2
// A1.4.2). The vectors have both.
func TestTrap28OptionBIsForLongPANs(t *testing.T) {
	imk := secret.New(unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	key := func(pan string, option Option) []byte {
		k, err := CardKey(imk, Card{PAN: secret.New([]byte(pan)), PSN: "01", Option: option})
		if err != nil {
			t.Fatal(err)
		}
		return k.Expose()
	}
	for pan, same := range map[string]bool{"4761739001010010": true, "476173900101": true, "47617390010100105": false, "4761739001010010512": false} {
		if got := bytes.Equal(key(pan, 'A'), key(pan, 'B')); got != same {
			t.Errorf("PAN of %d digits: the keys are the same: %v", len(pan), got)
		}
	}
	for _, v := range vectortest.Load(t, "emv_key_derivation", "emv.udk") {
		k, err := CardKey(secret.New(v.Hex("imk")), Card{PAN: secret.New([]byte(v.Digits("pan"))), PSN: v.Digits("psn"), Option: Option(v.Text("option")[0])})
		v.Check(t, "udk", k.Expose(), err)
	}
}

// The input of version 10 ends with the CVR and is filled with zeros; those of 18
// and 22 take the whole of tag 9F10 and the padding 80. Padding is made in one
// place: Padded.
func TestTrap29InputOfTheCryptogram(t *testing.T) {
	_, fields := published(t)
	for profile, c := range map[Profile]struct{ end, padding string }{
		VisaCVN10: {"EE4EB923", "000000"},
		VisaCVN18: {"060112EE4EB923", "8000000000000000"},
		VisaCVN22: {"060112EE4EB923", "8000000000000000"},
	} {
		data, err := profile.Input(fields)
		if err != nil || !bytes.HasSuffix(data, append(fields[0x9F36], unhex(t, c.end)...)) {
			t.Errorf("%s: input %X, %v", profile, data, err)
		}
		padded, err := profile.Padded(fields)
		if err != nil || !bytes.Equal(padded, append(data, unhex(t, c.padding)...)) || len(padded)%8 != 0 {
			t.Errorf("%s: padded %X, %v", profile, padded, err)
		}
	}
}

// The script key of Visa is the card key and the ATC, that of CCD and M/Chip is
// derived from the cryptogram (Book 2 A1.3, 9.2.2): each its own session.
func TestTrap24SessionKeysOfScripts(t *testing.T) {
	card := secret.New(unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	visa, err := Session{Method: SessionVisaSM, ATC: []byte{0x12, 0x34}}.Key(card)
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	for i, x := range []byte{0x12, 0x34} {
		want[6+i] ^= x
		want[14+i] ^= ^x
	}
	setOddParity(want)
	if !bytes.Equal(visa.Expose(), want) {
		t.Errorf("Visa: %X, want %X", visa.Expose(), want)
	}
	seen := map[string]bool{}
	for _, ac := range []string{"0000000000000001", "0000000000000002"} { // M/Chip counts the cryptogram up
		k, err := Session{Method: SessionCommonR, R: unhex(t, ac)}.Key(card)
		if err != nil || seen[string(k.Expose())] {
			t.Errorf("%s: %v", ac, err)
		}
		seen[string(k.Expose())] = true
	}
	for _, v := range vectortest.Load(t, "emv_scripts", "emv.script.pin_change") {
		if v.Text("block") == "iso2" && v.Has("current_pin") {
			t.Errorf("%s: an ISO-2 block knows no current PIN", v.Name)
		}
	}
	block, err := BlockISO2(secret.New([]byte("1234")))
	if err != nil || !bytes.Equal(block.Expose(), unhex(t, "241234FFFFFFFFFF")) {
		t.Errorf("ISO-2 block: %v", err)
	}
}
