package oda_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/secret"
)

// An issuer's key is recovered once and remembered; dates, PAN and revocation
// are asked each time; no more than 64 are kept.
func TestIssuerKeysAreRemembered(t *testing.T) {
	c := made(t)[2]
	keys, err := oda.NewKeys([]oda.CAKey{c.ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.verifyWith(keys); err != nil {
			t.Fatal(err)
		}
	}
	if keys.Opened() != 1 {
		t.Errorf("%d certificates were opened for one issuer", keys.Opened())
	}
	other := c.clone()
	other.pan[0] = '5'
	late := c.clone()
	late.date = emv.Day{Year: 2030, Month: 1, Day: 1}
	for _, bad := range []*chain{other, late} {
		if err := bad.verifyWith(keys); stepOf(err) != oda.StepIssuer {
			t.Errorf("an issuer that is remembered: %v", err)
		}
	}
	ca := testKey(t, "ca", 1024, 3)
	certificates := map[int]*chain{}
	for i := range 65 {
		n := c.clone()
		cert, err := issue.Issuer(ca, testKey(t, "issuer", 1024, 65537), issue.Terms{Holder: "47617390", Expiry: [2]byte{0x12, 0x29}, Serial: [3]byte{9, 9, byte(i)}})
		if err != nil {
			t.Fatal(err)
		}
		n.issuer = [3][]byte{cert.Certificate, cert.Remainder, cert.Exponent}
		certificates[i] = n
		if err := n.verifyWith(keys); err != nil {
			t.Fatal(err)
		}
	}
	before := keys.Opened()
	if err := certificates[64].verifyWith(keys); err != nil || keys.Opened() != before {
		t.Errorf("the newest issuer was forgotten: %v", err)
	}
	if err := c.verifyWith(keys); err != nil || keys.Opened() != before+1 {
		t.Errorf("the oldest issuer was kept: %d certificates opened, %v", keys.Opened()-before, err)
	}
}

func TestKeysAreSharedByGoroutines(t *testing.T) {
	c := made(t)[2]
	keys, err := oda.NewKeys([]oda.CAKey{c.ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if err := c.clone().verifyWith(keys); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// A key that needs a remainder says so when there is none.
func TestMissingRemainder(t *testing.T) {
	for _, method := range []int{0, 2} {
		c := made(t)[method].clone()
		c.issuer[1] = nil
		err := c.verify()
		if e, ok := errors.AsType[*oda.Error](err); !ok || !e.Missing || e.Step != oda.StepIssuer {
			t.Errorf("%v", err)
		}
	}
	c := made(t)[1].clone()
	c.issuer[1] = append(c.issuer[1], 0)
	err := c.verify()
	if e, ok := errors.AsType[*oda.Error](err); !ok || e.Missing {
		t.Errorf("a remainder that is too long: %v", err)
	}
}

// The data of VERIFY open with the card's key alone, for its challenge alone, and
// are never the same twice.
func TestPINEncipherment(t *testing.T) {
	key, challenge := testKey(t, "icc", 768, 3), []byte{1, 2, 3, 4, 5, 6, 7, 8}
	seen := map[string]bool{}
	random := issue.Stream("padding")
	for _, pin := range []string{"1234", "123456789012", "98765"} {
		for range 2 {
			data, err := key.Public().EncipherPIN(secret.New([]byte(pin)), challenge, random)
			if err != nil || len(data) != 96 || seen[string(data)] {
				t.Fatalf("%d bytes, %v, repeated %v", len(data), err, seen[string(data)])
			}
			seen[string(data)] = true
			block, ok := issue.DecipherPIN(key, data, challenge)
			if want := fmt.Sprintf("2%X%s", len(pin), pin); !ok || !strings.HasPrefix(fmt.Sprintf("%X", block), want) ||
				strings.Trim(fmt.Sprintf("%X", block)[len(want):], "F") != "" {
				t.Errorf("block %X, %v", block, ok)
			}
			if _, ok := issue.DecipherPIN(key, data, []byte{1, 2, 3, 4, 5, 6, 7, 9}); ok {
				t.Error("opened with another challenge")
			}
			if _, ok := issue.DecipherPIN(testKey(t, "other", 768, 3), data, challenge); ok {
				t.Error("opened with another key")
			}
		}
	}
}

func TestPINThatCannotBeEnciphered(t *testing.T) {
	key := testKey(t, "icc", 768, 3).Public()
	eight := make([]byte, 8)
	for _, pin := range []string{"", "123", "1234567890123"} {
		if _, err := key.EncipherPIN(secret.New([]byte(pin)), eight, issue.Stream("")); !errors.Is(err, oda.ErrPIN) {
			t.Errorf("%d digits: %v", len(pin), err)
		}
	}
	if _, err := key.EncipherPIN(secret.New([]byte("1234")), eight[:7], issue.Stream("")); stepOf(err) != oda.StepPIN {
		t.Errorf("a short challenge: %v", err)
	}
	if _, err := key.EncipherPIN(secret.New([]byte("1234")), eight, bytes.NewReader(eight)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that ends: %v", err)
	}
}

// No printing of a card's key shows its PAN.
func TestPANIsNotPrinted(t *testing.T) {
	c := made(t)[1]
	keys, err := oda.NewKeys([]oda.CAKey{c.ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pan := secret.New(c.pan)
	issuer, err := keys.Issuer(oda.IssuerInput{AID: c.aid, Index: c.index, Certificate: c.issuer[0], Remainder: c.issuer[1], Exponent: c.issuer[2], PAN: pan, Date: today})
	if err != nil {
		t.Fatal(err)
	}
	icc, err := issuer.ICC(oda.ICCInput{Certificate: c.icc[0], Remainder: c.icc[1], Exponent: c.icc[2], Static: c.static, PAN: pan, Date: today})
	if err != nil {
		t.Fatal(err)
	}
	if got := icc.PAN(); string(got.Expose()) != string(c.pan) {
		t.Error("the PAN is another one")
	}
	defer func() {
		icc.Wipe()
		if p := icc.PAN(); !p.IsZero() || icc.Size() != 96 {
			t.Error("a wiped key has a PAN, or is no key any more")
		}
	}()
	for _, text := range []string{fmt.Sprint(icc), fmt.Sprintf("%+v", *icc), fmt.Sprintf("%v", icc), fmt.Sprintf("%#v", icc)} {
		if strings.Contains(text, "4761739001010010") || strings.Contains(text, "71 97 115 144") || strings.Contains(text, "0x47, 0x61") {
			t.Errorf("printed: %.200s", text)
		}
	}
}
