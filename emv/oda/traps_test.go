package oda_test

import (
	"errors"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/secret"
)

// Who a certificate belongs to and how long it is good: the issuer's identifier
// is the first 3 to 8 digits of the PAN, the card's is all of it, both filled with
// F; a month ends with its last day, and two digits of a year turn at 50 (B2 6.3, 6.4).
func TestTrap04HoldersAndDates(t *testing.T) {
	ca, issuer := testKey(t, "ca", 1024, 3), testKey(t, "issuer", 1024, 65537)
	open := func(holder string, expiry [2]byte) *oda.IssuerKey {
		t.Helper()
		c, err := issue.Issuer(ca, issuer, issue.Terms{Holder: holder, Expiry: expiry})
		if err != nil {
			t.Fatal(err)
		}
		k, err := oda.RecoverIssuer(ca.Public(), c.Certificate, c.Remainder, c.Exponent)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	pan := secret.New([]byte("4761739001010010"))
	for holder, belongs := range map[string]bool{"476": true, "4761": true, "476173": true, "47617390": true,
		"": false, "4": false, "47": false, "477": false, "47617391": false, "761": false} {
		if err := open(holder, [2]byte{0x12, 0x29}).Belongs(pan); (err == nil) != belongs {
			t.Errorf("issuer %q: %v", holder, err)
		}
	}
	for expiry, c := range map[[2]byte]struct {
		day  emv.Day
		good bool
	}{
		{0x02, 0x28}: {emv.Day{Year: 2028, Month: 2, Day: 29}, true},
		{0x01, 0x28}: {emv.Day{Year: 2028, Month: 2, Day: 1}, false},
		{0x12, 0x49}: {emv.Day{Year: 2049, Month: 12, Day: 31}, true},
		{0x01, 0x50}: {today, false}, // January 1950
		{0x13, 0x30}: {today, false}, // no such month
		{0x0A, 0x30}: {today, false}, // no digit
		{0x00, 0x30}: {today, false},
	} {
		if err := open("476173", expiry).ValidOn(c.day); (err == nil) != c.good {
			t.Errorf("expiry %X on %v: %v", expiry, c.day, err)
		}
	}
	// An odd PAN: the filler is no digit of it.
	icc := testKey(t, "icc", 768, 3)
	c, err := issue.ICC(issuer, icc, issue.Terms{Holder: "374245001741007", Expiry: [2]byte{0x12, 0x29}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := oda.RecoverICC(issuer.Public(), c.Certificate, c.Remainder, c.Exponent, nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, belongs := range map[string]bool{"374245001741007": true, "3742450017410070": false, "37424500174100": false, "": false} {
		if err := k.Belongs(secret.New([]byte(text))); (err == nil) != belongs {
			t.Errorf("a PAN of %d digits: %v", len(text), err)
		}
	}
}

// The check sum is verified when keys are loaded; a withdrawn index is not there;
// 30 revocations for one RID fit easily (B2 5.1.2, 11.2.2).
func TestTrap32KeysAndRevocationsAtLoad(t *testing.T) {
	c := made(t)[1]
	bad := c.ca
	bad.Checksum[0] ^= 1
	if _, err := oda.NewKeys([]oda.CAKey{bad}, nil); !errors.Is(err, oda.ErrChecksum) {
		t.Errorf("a wrong check sum: %v", err)
	}
	var revoked []oda.Revocation
	for i := range 30 {
		revoked = append(revoked, oda.Revocation{RID: c.ca.RID, Index: c.ca.Index, Serial: [3]byte{1, 2, byte(200 + i)}})
	}
	keys, err := oda.NewKeys([]oda.CAKey{c.ca}, revoked)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.verifyWith(keys); err != nil {
		t.Errorf("a certificate that is not revoked: %v", err)
	}
	keys, err = oda.NewKeys([]oda.CAKey{c.ca}, append(revoked, oda.Revocation{RID: c.ca.RID, Index: c.ca.Index, Serial: [3]byte{1, 2, 3}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.verifyWith(keys); stepOf(err) != oda.StepIssuer {
		t.Errorf("a revoked certificate: %v", err)
	}
	withdrawn := c.clone()
	withdrawn.index = 0x50
	if err := withdrawn.verifyWith(keys); stepOf(err) != oda.StepCAKey {
		t.Errorf("a withdrawn index: %v", err)
	}
}
