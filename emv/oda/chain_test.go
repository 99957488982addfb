package oda_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/testvectors/vectortest"
)

var today = emv.Day{Year: 2026, Month: 11, Day: 28}

// A chain is everything that one authentication is made of.
type chain struct {
	name    string
	method  string // sda, dda, cda or pin
	ca      oda.CAKey
	aid     []byte
	index   byte
	issuer  [3][]byte // 90, 92, 9F32
	icc     [3][]byte // 9F46, 9F48, 9F47 or 9F2D, 9F2F, 9F2E
	ssad    []byte    // 93
	static  []byte
	pan     []byte
	data    []byte // of the terminal: DDOL data or the unpredictable number
	sdad    []byte // 9F4B
	pdol    []byte
	cdol    []byte
	answer  []byte // objects without 9F4B
	cid     emv.CID
	revoked []oda.Revocation
	date    emv.Day
}

// verify takes all the steps of the method.
func (c *chain) verify() error {
	keys, err := oda.NewKeys([]oda.CAKey{c.ca}, c.revoked)
	if err != nil {
		return err
	}
	return c.verifyWith(keys)
}

func (c *chain) verifyWith(keys *oda.Keys) error {
	pan := secret.New(c.pan)
	defer pan.Wipe()
	issuer, err := keys.Issuer(oda.IssuerInput{AID: c.aid, Index: c.index,
		Certificate: c.issuer[0], Remainder: c.issuer[1], Exponent: c.issuer[2], PAN: pan, Date: c.date})
	if err != nil {
		return err
	}
	in := oda.ICCInput{Certificate: c.icc[0], Remainder: c.icc[1], Exponent: c.icc[2], Static: c.static, PAN: pan, Date: c.date}
	switch c.method {
	case "sda":
		_, err = issuer.VerifyStatic(c.ssad, c.static)
		return err
	case "pin":
		_, err = issuer.PINKey(in)
		return err
	}
	icc, err := issuer.ICC(in)
	if err != nil {
		return err
	}
	if c.method == "dda" {
		_, err = icc.VerifyDynamic(c.sdad, c.data)
		return err
	}
	_, err = icc.VerifyCombined(oda.Combined{Signature: c.sdad, Unpredictable: c.data, CID: c.cid,
		Data: [][]byte{c.pdol, c.cdol}, Response: c.answer})
	return err
}

// clone is a chain that can be changed.
func (c *chain) clone() *chain {
	n := *c
	n.ca.Modulus, n.ca.Exponent = bytes.Clone(c.ca.Modulus), bytes.Clone(c.ca.Exponent)
	for i := range n.issuer {
		n.issuer[i], n.icc[i] = bytes.Clone(c.issuer[i]), bytes.Clone(c.icc[i])
	}
	for _, p := range []*[]byte{&n.aid, &n.ssad, &n.static, &n.pan, &n.data, &n.sdad, &n.pdol, &n.cdol, &n.answer} {
		*p = bytes.Clone(*p)
	}
	return &n
}

// published are the chains of the vectors that are good and made for an issuer
// whose certificates have not expired, with the check sum that their key has.
func published(t testing.TB) []*chain {
	t.Helper()
	var out []*chain
	for _, v := range vectortest.Load(t, "emv_oda", "emv.oda.verify") {
		capk := v.Object("capk")
		if !v.Out.Bool("ok") || capk.Text("rid") != "F000000999" {
			continue
		}
		tags := v.Tags("tags")
		c := &chain{name: v.Name, method: v.Text("method"), static: v.Hex("static_data"), date: today,
			issuer: [3][]byte{tags["90"], tags["92"], tags["9F32"]}, icc: [3][]byte{tags["9F46"], tags["9F48"], tags["9F47"]}, ssad: tags["93"],
			ca: oda.CAKey{RID: [5]byte(capk.Hex("rid")), Index: capk.Hex("index")[0], Modulus: capk.Hex("modulus"),
				Exponent: capk.Hex("exponent"), Expires: today}}
		c.ca.Checksum = c.ca.Sum()
		c.aid, c.index = append(c.ca.RID[:], 0x10), c.ca.Index
		if v.Has("pan") {
			c.pan = []byte(v.Digits("pan"))
		} else { // the PAN stands at the front of these chains' static data
			digits, err := emv.Digits(c.static[2 : 2+int(c.static[1])])
			if err != nil || c.static[0] != 0x5A {
				t.Fatalf("%s: no PAN", v.Name)
			}
			c.pan = []byte(digits)
		}
		switch c.method {
		case "dda":
			c.data, c.sdad = v.Hex("terminal_data"), v.Hex("signature")
		case "cda":
			c.data, c.sdad, c.cid = v.Hex("un"), v.Hex("signature"), emv.CID(v.Out.Hex("cid")[0])
			c.pdol, c.cdol, c.answer = v.Hex("pdol_values"), v.Hex("cdol_values"), v.Hex("response")
		}
		out = append(out, c)
	}
	return out
}

// testKeys are the keys that tests have made.
var testKeys sync.Map

// testKey is a key of the tests, made once.
func testKey(t testing.TB, name string, bits int, exponent int64) *issue.Key {
	t.Helper()
	if k, ok := testKeys.Load(name); ok {
		return k.(*issue.Key)
	}
	k, err := issue.Generate(issue.Stream("tallystick oda test "+name), bits, exponent)
	if err != nil {
		t.Fatal(err)
	}
	testKeys.Store(name, k)
	return k
}

// made are chains of our own: sizes that need remainders, and all methods.
func made(t testing.TB) []*chain {
	t.Helper()
	ca, issuer, icc := testKey(t, "ca", 1024, 3), testKey(t, "issuer", 1024, 65537), testKey(t, "icc", 768, 3)
	k := oda.CAKey{RID: [5]byte{0xF0, 0, 0, 1, 0x23}, Index: 0xF7, Modulus: ca.Modulus(), Exponent: ca.Exponent(), Expires: emv.Day{Year: 2030, Month: 6, Day: 30}}
	k.Checksum = k.Sum()
	const pan = "4761739001010010"
	base := &chain{ca: k, aid: []byte{0xF0, 0, 0, 1, 0x23, 0x10}, index: 0xF7, static: []byte("records and AIP"), pan: []byte(pan),
		data: []byte{1, 2, 3, 4}, date: today, pdol: []byte{9, 9}, cdol: []byte{7, 7, 7}, cid: 0x80,
		answer: []byte{0x9F, 0x27, 1, 0x80, 0x9F, 0x36, 2, 0, 1}}
	must := func(cert issue.Certificate, err error) [3][]byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return [3][]byte{cert.Certificate, cert.Remainder, cert.Exponent}
	}
	sign := func(signature []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	base.issuer = must(issue.Issuer(ca, issuer, issue.Terms{Holder: pan[:8], Expiry: [2]byte{0x12, 0x29}, Serial: [3]byte{1, 2, 3}}))
	terms := issue.Terms{Holder: pan, Expiry: [2]byte{0x11, 0x26}, Serial: [3]byte{4, 5, 6}}
	number := []byte{0xAA, 0xBB, 0xCC}
	var out []*chain
	for _, method := range []string{"sda", "dda", "cda", "pin"} {
		c := base.clone()
		c.name, c.method = "made/"+method, method
		switch method {
		case "sda":
			c.ssad = sign(issue.Static(issuer, [2]byte{0xDA, 0xC0}, c.static))
		case "dda":
			c.icc, c.sdad = must(issue.ICC(issuer, icc, terms, c.static)), sign(issue.Dynamic(icc, number, c.data))
		case "cda":
			c.icc = must(issue.ICC(issuer, icc, terms, c.static))
			c.sdad = sign(issue.Combined(icc, number, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, oda.Combined{Unpredictable: c.data,
				CID: c.cid, Data: [][]byte{c.pdol, c.cdol}, Response: c.answer}))
		case "pin":
			c.icc = must(issue.PINKey(issuer, icc, terms))
		}
		out = append(out, c)
	}
	return out
}

func all(t testing.TB) []*chain { return slices.Concat(published(t), made(t)) }

// stepOf is the step that failed.
func stepOf(err error) oda.Step {
	if e, ok := errors.AsType[*oda.Error](err); ok {
		return e.Step
	}
	return ""
}
