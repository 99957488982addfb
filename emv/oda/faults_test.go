package oda_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
)

// places are the bytes of a chain in which a bit can fall over.
func (c *chain) places() map[string][]byte {
	p := map[string][]byte{"90": c.issuer[0], "92": c.issuer[1], "9F32": c.issuer[2], "AID": c.aid[:5],
		"CA modulus": c.ca.Modulus, "CA exponent": c.ca.Exponent, "CA check sum": c.ca.Checksum[:], "CA RID": c.ca.RID[:]}
	switch c.method {
	case "sda":
		p["93"], p["static data"] = c.ssad, c.static
	case "pin":
		p["9F2D"], p["9F2F"], p["9F2E"] = c.icc[0], c.icc[1], c.icc[2]
	default:
		p["9F46"], p["9F48"], p["9F47"], p["static data"] = c.icc[0], c.icc[1], c.icc[2], c.static
		p["9F4B"], p["terminal data"] = c.sdad, c.data
	}
	if c.method == "cda" {
		p["PDOL data"], p["CDOL data"], p["answer"] = c.pdol, c.cdol, c.answer
	}
	if c.method != "sda" {
		p["PAN"] = c.pan
	}
	return p
}

// inCommon are the places that the chains of one card have in common: once is
// enough.
var inCommon = map[string]bool{"90": true, "92": true, "9F32": true, "AID": true, "CA modulus": true, "CA exponent": true,
	"CA check sum": true, "CA RID": true, "9F46": true, "9F47": true, "9F48": true}

// Every chain is good, and with any one bit changed, in a certificate, key,
// exponent, signature or in what was signed, it is not. The error names a step
// and holds nothing of the card.
func TestEveryBitCounts(t *testing.T) {
	faults, seen := 0, map[string]bool{}
	for _, c := range all(t) {
		if err := c.verify(); err != nil {
			t.Errorf("%s: the good chain fails: %v", c.name, err)
			continue
		}
		for place, value := range c.places() {
			if inCommon[place] && seen[place+string(value)] {
				continue
			}
			seen[place+string(value)] = true
			for bit := range 8 * len(c.places()[place]) {
				bad := c.clone()
				b := bad.places()[place] // aliases bad
				b[bit/8] ^= 0x80 >> (bit % 8)
				err := bad.verify()
				if err == nil {
					t.Errorf("%s: bit %d of %s is not missed", c.name, bit, place)
				}
				if err != nil && strings.Contains(err.Error(), string(c.pan[:6])) {
					t.Errorf("%s: the error shows the card: %v", c.name, err)
				}
				faults++
			}
		}
	}
	t.Logf("%d single-bit faults", faults)
	if faults < 1000 {
		t.Errorf("only %d faults were tried", faults)
	}
}

// The CA's key is caught by its check sum alone, and, where somebody computed
// that anew, by the certificate.
func TestChangedCAKeyWithRightChecksum(t *testing.T) {
	for _, c := range all(t) {
		for bit := range 8 * len(c.ca.Modulus) {
			bad := c.clone()
			bad.ca.Modulus[bit/8] ^= 0x80 >> (bit % 8)
			bad.ca.Checksum = bad.ca.Sum()
			if err := bad.verify(); err == nil {
				t.Fatalf("%s: bit %d of the CA's modulus", c.name, bit)
			}
		}
	}
}

// A certificate is good to the last day of its month, a CA key to its last day;
// a revocation counts for one RID, index and serial number.
func TestDatesAndRevocation(t *testing.T) {
	day := func(y, m, d int) emv.Day { return emv.Day{Year: y, Month: m, Day: d} }
	revoke := func(rid5, index, serial3 byte) []oda.Revocation {
		return []oda.Revocation{{RID: [5]byte{0xF0, 0, 0, 1, rid5}, Index: index, Serial: [3]byte{1, 2, serial3}}}
	}
	for _, c := range made(t) {
		own := oda.StepICC // the step that finds the card's certificate expired
		if c.method == "pin" {
			own = oda.StepPINKey
		}
		if c.method == "sda" {
			own = ""
		}
		for name, x := range map[string]struct {
			date    emv.Day
			revoked []oda.Revocation
			want    oda.Step
		}{
			"last day of the card":          {day(2026, 11, 30), nil, ""},
			"after the card":                {day(2026, 12, 1), nil, own},
			"last day of the issuer":        {day(2029, 12, 31), nil, own},
			"after the issuer":              {day(2030, 1, 1), nil, oda.StepIssuer},
			"last day of the CA key":        {day(2030, 6, 30), nil, oda.StepIssuer},
			"after the CA key":              {day(2030, 7, 1), nil, oda.StepCAKey},
			"revoked":                       {today, revoke(0x23, 0xF7, 3), oda.StepIssuer},
			"another serial number revoked": {today, revoke(0x23, 0xF7, 4), ""},
			"another index revoked":         {today, revoke(0x23, 0xF6, 3), ""},
			"another RID revoked":           {today, revoke(0x24, 0xF7, 3), ""},
		} {
			bad := c.clone()
			bad.date, bad.revoked = x.date, x.revoked
			if err := bad.verify(); stepOf(err) != x.want || (err == nil) != (x.want == "") {
				t.Errorf("%s, %s: %v, want %q", c.name, name, err, x.want)
			}
		}
	}
}

// Each step is the one that says so.
func TestStepsThatFail(t *testing.T) {
	cda := made(t)[2]
	for want, change := range map[oda.Step]func(*chain){
		oda.StepCAKey:       func(c *chain) { c.index++ },
		oda.StepIssuer:      func(c *chain) { c.pan[0] = '5' },
		oda.StepICC:         func(c *chain) { c.pan[15] = '1' },
		oda.StepDynamic:     func(c *chain) { c.cid = 0x40 },
		oda.StepTransaction: func(c *chain) { c.answer[8] = 2 },
	} {
		bad := cda.clone()
		change(bad)
		if err := bad.verify(); stepOf(err) != want || !strings.Contains(err.Error(), "(B2 ") {
			t.Errorf("%v, want a failure of %s with its clause", err, want)
		}
	}
	shorter := cda.clone()
	shorter.pan = shorter.pan[:15]
	longer := cda.clone()
	longer.pan = append(longer.pan, '0')
	for _, bad := range []*chain{shorter, longer} {
		if err := bad.verify(); stepOf(err) != oda.StepICC {
			t.Errorf("a PAN of %d digits: %v", len(bad.pan), err)
		}
	}
}

// What a terminal must not load.
func TestCAKeysAreChecked(t *testing.T) {
	good := made(t)[0].ca
	if _, err := oda.NewKeys([]oda.CAKey{good, good}, nil); err == nil {
		t.Error("a key that is there twice was loaded")
	}
	for name, c := range map[string]struct {
		change func(*oda.CAKey)
		want   error
	}{
		"check sum":   {func(k *oda.CAKey) { k.Checksum[19]++ }, oda.ErrChecksum},
		"even":        {func(k *oda.CAKey) { k.Modulus = append(k.Modulus[:len(k.Modulus)-1:len(k.Modulus)-1], 2) }, oda.ErrKey},
		"too short":   {func(k *oda.CAKey) { k.Modulus = k.Modulus[:63] }, oda.ErrKey},
		"too long":    {func(k *oda.CAKey) { k.Modulus = append(make([]byte, 0), append(k.Modulus, make([]byte, 121)...)...) }, oda.ErrKey},
		"zero first":  {func(k *oda.CAKey) { k.Modulus = append([]byte{0}, k.Modulus...) }, oda.ErrKey},
		"exponent 1":  {func(k *oda.CAKey) { k.Exponent = []byte{1} }, oda.ErrKey},
		"exponent 2":  {func(k *oda.CAKey) { k.Exponent = []byte{2} }, oda.ErrKey},
		"no exponent": {func(k *oda.CAKey) { k.Exponent = nil }, oda.ErrKey},
		"no date":     {func(k *oda.CAKey) { k.Expires = emv.Day{} }, nil},
	} {
		k := good
		c.change(&k)
		if name != "check sum" {
			k.Checksum = k.Sum()
		}
		if _, err := oda.NewKeys([]oda.CAKey{k}, nil); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := oda.NewKeys(make([]oda.CAKey, 2000), nil); err == nil {
		t.Error("2000 keys were loaded")
	}
	if fmt.Sprint(good) != "F000000123 F7" {
		t.Errorf("a key prints as %v", good)
	}
}
