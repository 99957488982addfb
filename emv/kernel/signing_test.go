package kernel_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/ber"
)

// A scheme has the keys from the certification authority down to the card.
type scheme struct{ ca, issuer, icc, pin *issue.Key }

// testScheme is made once: small keys, certificates with and without remainder.
var testScheme = sync.OnceValue(func() scheme {
	key := func(name string, bits int, e int64) *issue.Key {
		k, err := issue.Generate(issue.Stream("tallystick kernel test "+name), bits, e)
		if err != nil {
			panic(err)
		}
		return k
	}
	return scheme{key("ca", 1024, 3), key("issuer", 960, 65537), key("icc", 640, 3), key("pin", 600, 3)}
})

// caKey is the authority's key as a terminal has it.
func (s scheme) caKey() oda.CAKey {
	k := oda.CAKey{RID: [5]byte(unhex(testAID)), Index: 0xF1, Modulus: s.ca.Modulus(), Exponent: s.ca.Exponent(),
		Expires: emv.Day{Year: 2030, Month: 12, Day: 31}}
	k.Checksum = k.Sum()
	return k
}

// loaded is a configuration with the authority's key.
func loaded(t testing.TB, revoked ...oda.Revocation) *kernel.Config {
	t.Helper()
	keys, err := oda.NewKeys([]oda.CAKey{testScheme().caKey()}, revoked)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.CAKeys = keys
	cfg.Applications[0].DefaultDDOL = unhex("9F3704")
	return cfg
}

// A signingCard is a testCard with RSA keys: record 1 is signed, records 2 to 5
// hold certificates and signatures. Its fields change what is right.
type signingCard struct {
	*testCard
	t      testing.TB
	objs   map[string]string // of records 2 to 5, "" leaves one out
	tamper func(sdad []byte)
	cid    byte // answered in clear in place of the signed one, when not FF
	format byte // of INTERNAL AUTHENTICATE: 1 or 2
	pdol   []byte
	cdol1  []byte
}

// newSigningCard is a card of AIP with all that SDA, DDA, CDA and enciphered PINs need.
func newSigningCard(t testing.TB, aip string) *signingCard {
	c := &signingCard{testCard: newCard(), t: t, cid: 0xFF, format: 1}
	c.aip = aip
	c.answers[0xA8] = "8006" + aip[:4] + "08010501 9000" // five records, the first is signed
	c.records["9F4A"] = "82"
	c.certify(c.static())
	return c
}

func (c *signingCard) static() []byte { return append(c.record(), unhex(c.aip)...) }

// certify fills records 2 to 5 for static data.
func (c *signingCard) certify(static []byte) {
	s := testScheme()
	issuer, err := issue.Issuer(s.ca, s.issuer, issue.Terms{Holder: testPAN[:6], Expiry: [2]byte{0x12, 0x29}, Serial: [3]byte{0, 0, 7}})
	must(c.t, err)
	terms := issue.Terms{Holder: testPAN, Expiry: [2]byte{0x12, 0x29}}
	icc, err := issue.ICC(s.issuer, s.icc, terms, static)
	must(c.t, err)
	pin, err := issue.PINKey(s.issuer, s.pin, terms)
	must(c.t, err)
	ssad, err := issue.Static(s.issuer, [2]byte{0xDA, 0xC1}, static)
	must(c.t, err)
	x := func(b []byte) string { return fmt.Sprintf("%X", b) }
	c.objs = map[string]string{
		"8F": "F1", "90": x(issuer.Certificate), "92": x(issuer.Remainder), "9F32": x(issuer.Exponent), "93": x(ssad),
		"9F46": x(icc.Certificate), "9F48": x(icc.Remainder), "9F47": x(icc.Exponent),
		"9F2D": x(pin.Certificate), "9F2F": x(pin.Remainder), "9F2E": x(pin.Exponent), "9F49": "9F37049F0206",
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *signingCard) Transmit(ctx context.Context, capdu []byte) ([]byte, error) {
	ins := capdu[1]
	switch {
	case ins == 0xA8:
		c.pdol = bytes.Clone(capdu[7 : len(capdu)-1])
	case ins == 0xB2 && capdu[2] > 1 && c.answers[ins] == "":
		c.commands = append(c.commands, fmt.Sprintf("%X", capdu))
		return ok(ber.Append(nil, 0x70, c.certificates(int(capdu[2])))), nil
	case c.answers[ins] != "" || ins == c.lost:
	case ins == 0x88:
		c.commands = append(c.commands, fmt.Sprintf("%X", capdu))
		return c.internalAuthenticate(capdu[5 : len(capdu)-1]), nil
	case ins == 0xAE:
		return c.generateSigned(ctx, capdu)
	}
	return c.testCard.Transmit(ctx, capdu)
}

// certificates is the content of record n.
func (c *signingCard) certificates(n int) []byte {
	records := [][]string{{"8F", "90", "92", "9F32", "9F49"}, {"93", "9F47", "9F2E"}, {"9F46", "9F48"}, {"9F2D", "9F2F"}}
	var out []byte
	for _, tag := range records[n-2] {
		if v := c.objs[tag]; v != "" {
			out = append(out, objects(tag, v)...)
		}
	}
	return out
}

func (c *signingCard) internalAuthenticate(data []byte) []byte {
	sdad, err := issue.Dynamic(testScheme().icc, []byte{0xD1, 0xD2, 0xD3}, data)
	must(c.t, err)
	c.change(sdad)
	if c.format == 1 {
		return ok(ber.Append(nil, 0x80, sdad))
	}
	return ok(ber.Append(nil, 0x77, ber.Append(nil, 0x9F4B, sdad)))
}

func (c *signingCard) change(sdad []byte) {
	if c.tamper != nil {
		c.tamper(sdad)
	}
}

// generateSigned answers GENERATE AC, with a combined signature where it is asked for.
func (c *signingCard) generateSigned(ctx context.Context, capdu []byte) ([]byte, error) {
	plain, err := c.testCard.Transmit(ctx, capdu)
	cdols := [][]byte{c.pdol, bytes.Clone(capdu[5 : len(capdu)-1])}
	if c.acs == 1 {
		c.cdol1 = cdols[1]
	} else {
		cdols = [][]byte{c.pdol, c.cdol1, cdols[1]}
	}
	if err != nil || capdu[2]&0x10 == 0 {
		return plain, err
	}
	nodes, err := ber.Parse(plain[:len(plain)-2], ber.Limits{})
	must(c.t, err)
	cid, _ := ber.Find(nodes[0].Children, 0x9F27)
	if cid.Value[0] == byte(emv.AAC) {
		return plain, nil
	}
	clear := cid.Value[0]
	if c.cid != 0xFF {
		clear = c.cid
	}
	unsigned := objects("9F27", fmt.Sprintf("%02X", clear), "9F36", "0001", "9F10", "06010A03A00000")
	sdad, err := issue.Combined(testScheme().icc, []byte{0xC1, 0xC2}, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, oda.Combined{
		Unpredictable: c.cdol1[len(c.cdol1)-4:], CID: emv.CID(cid.Value[0]), Data: cdols, Response: unsigned})
	must(c.t, err)
	c.change(sdad)
	return ok(ber.Append(nil, 0x77, slices.Concat(unsigned, ber.Append(nil, 0x9F4B, sdad)))), nil
}

// p1 are the types that GENERATE AC asked for.
func (c *testCard) p1() []string {
	out := []string{}
	for _, x := range c.sent("AE") {
		out = append(out, x[4:6])
	}
	return out
}
