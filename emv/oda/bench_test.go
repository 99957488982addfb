package oda_test

import (
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/secret"
)

// benchChain is a chain of usual sizes: 1984, 1408 and 1152 bits.
func benchChain(b *testing.B) *chain {
	b.Helper()
	ca, issuer, icc := testKey(b, "ca 1984", 1984, 3), testKey(b, "issuer 1408", 1408, 3), testKey(b, "icc 1152", 1152, 3)
	c := made(b)[2].clone()
	c.ca.Modulus, c.ca.Exponent = ca.Modulus(), ca.Exponent()
	c.ca.Checksum = c.ca.Sum()
	cert, err := issue.Issuer(ca, issuer, issue.Terms{Holder: string(c.pan[:8]), Expiry: [2]byte{0x12, 0x29}})
	if err != nil {
		b.Fatal(err)
	}
	c.issuer = [3][]byte{cert.Certificate, cert.Remainder, cert.Exponent}
	if cert, err = issue.ICC(issuer, icc, issue.Terms{Holder: string(c.pan), Expiry: [2]byte{0x12, 0x29}}, c.static); err != nil {
		b.Fatal(err)
	}
	c.icc = [3][]byte{cert.Certificate, cert.Remainder, cert.Exponent}
	c.sdad, err = issue.Combined(icc, []byte{1, 2}, [8]byte{}, oda.Combined{Unpredictable: c.data, CID: c.cid, Data: [][]byte{c.pdol, c.cdol}, Response: c.answer})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkCDA is what a full online transaction with CDA costs: the issuer's
// certificate unless it is remembered, the card's, and two answers to GENERATE AC.
func BenchmarkCDA(b *testing.B) {
	c := benchChain(b)
	for _, cold := range []bool{true, false} {
		name := "issuer remembered"
		if cold {
			name = "cold"
		}
		b.Run(name, func(b *testing.B) {
			keys := newKeys(b, c)
			opened := 0
			b.ReportAllocs()
			for b.Loop() {
				if cold {
					b.StopTimer()
					opened += keys.Opened()
					keys = newKeys(b, c)
					b.StartTimer()
				}
				c.twice(b, keys)
			}
			opened += keys.Opened()
			b.ReportMetric(3+float64(opened)/float64(b.N), "RSA/op")
		})
	}
}

func newKeys(b *testing.B, c *chain) *oda.Keys {
	b.Helper()
	keys, err := oda.NewKeys([]oda.CAKey{c.ca}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return keys
}

// twice recovers the keys and checks the signature of both answers.
func (c *chain) twice(b *testing.B, keys *oda.Keys) {
	pan := secret.New(c.pan)
	issuer, err := keys.Issuer(oda.IssuerInput{AID: c.aid, Index: c.index,
		Certificate: c.issuer[0], Remainder: c.issuer[1], Exponent: c.issuer[2], PAN: pan, Date: today})
	if err != nil {
		b.Fatal(err)
	}
	icc, err := issuer.ICC(oda.ICCInput{Certificate: c.icc[0], Remainder: c.icc[1], Exponent: c.icc[2], Static: c.static, PAN: pan, Date: today})
	if err != nil {
		b.Fatal(err)
	}
	for range 2 {
		if _, err := icc.VerifyCombined(oda.Combined{Signature: c.sdad, Unpredictable: c.data, CID: emv.CID(0x80),
			Data: [][]byte{c.pdol, c.cdol}, Response: c.answer}); err != nil {
			b.Fatal(err)
		}
	}
}
