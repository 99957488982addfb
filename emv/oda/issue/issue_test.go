package issue_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/testvectors"
	"tallystick.example/testvectors/vectortest"
)

func TestSignVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_oda", "emv.rsa.sign") {
		text := v.Text("private_exponent") // a number: some have an odd count of digits
		if len(text)%2 == 1 {
			text = "0" + text
		}
		private, err := testvectors.ParseHex(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := issue.Sign(v.Hex("modulus"), private, v.Hex("message"))
		v.Check(t, "signature", got, err)
	}
}

// The certificates of the vectors come out again from their keys and contents.
func TestVectorCertificateIsMadeAgain(t *testing.T) {
	sign := vectortest.Load(t, "emv_oda", "emv.rsa.sign")
	verify := vectortest.Load(t, "emv_oda", "emv.oda.verify")
	exponent := []byte{3}
	ca, err := issue.NewKey(sign[0].Hex("modulus"), exponent, sign[0].Hex("private_exponent"))
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := issue.NewKey(sign[1].Hex("modulus"), exponent, sign[1].Hex("private_exponent"))
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, v := range verify {
		tags := v.Tags("tags")
		if !v.Out.Bool("ok") || v.Out.Text("issuer_id") != "999915FF" {
			continue
		}
		c, err := issue.Issuer(ca, issuer, issue.Terms{Holder: "999915", Expiry: [2]byte{0x12, 0x30}, Serial: [3]byte{0, 0, 2}})
		if err != nil || !bytes.Equal(c.Certificate, tags["90"]) || len(c.Remainder) != 0 || !bytes.Equal(c.Exponent, tags["9F32"]) {
			t.Errorf("%s: another issuer certificate, %v", v.Name, err)
		}
		if tags["93"] != nil {
			ssad, err := issue.Static(issuer, [2]byte(v.Out.Hex("dac")), v.Hex("static_data"))
			if err != nil || !bytes.Equal(ssad, tags["93"]) {
				t.Errorf("%s: another static signature, %v", v.Name, err)
			}
		}
		made++
	}
	if made == 0 {
		t.Error("no such chain is there")
	}
}

// The same seed gives the same key, which is one; another seed gives another.
func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []string{"a", "b"} {
		for _, bits := range []int{512, 776, 1152} {
			for _, e := range []int64{3, 65537} {
				k, err := issue.Generate(issue.Stream(seed), bits, e)
				again, err2 := issue.Generate(issue.Stream(seed), bits, e)
				if err != nil || err2 != nil || !bytes.Equal(k.Modulus(), again.Modulus()) || k.Size() != bits/8 {
					t.Fatalf("%s %d %d: %v %v", seed, bits, e, err, err2)
				}
				if _, err := issue.NewKey(k.Modulus(), k.Exponent(), k.Private()); err != nil {
					t.Errorf("%s %d %d: %v", seed, bits, e, err)
				}
				if seen[string(k.Private())] {
					t.Errorf("%s %d %d: a key that was there before", seed, bits, e)
				}
				seen[string(k.Private())] = true
			}
		}
	}
	for _, bits := range []int{0, 504, 513, 1992} {
		if _, err := issue.Generate(issue.Stream(""), bits, 3); !errors.Is(err, issue.ErrKey) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	if _, err := issue.Generate(issue.Stream(""), 512, 5); !errors.Is(err, issue.ErrKey) {
		t.Errorf("exponent 5: %v", err)
	}
	if _, err := issue.Generate(bytes.NewReader(make([]byte, 10)), 512, 3); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that ends: %v", err)
	}
}

func TestMistakesAreRefused(t *testing.T) {
	small, err := issue.Generate(issue.Stream("small"), 512, 3)
	if err != nil {
		t.Fatal(err)
	}
	large, err := issue.Generate(issue.Stream("large"), 768, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := issue.NewKey(small.Modulus(), small.Exponent(), large.Private()); !errors.Is(err, issue.ErrKey) {
		t.Errorf("a private half of another key: %v", err)
	}
	for name, err := range map[string]error{
		"longer key":  errOf(issue.Issuer(small, large, issue.Terms{Holder: "476173"})),
		"long holder": errOf(issue.Issuer(large, small, issue.Terms{Holder: "476173900"})),
		"no digits":   errOf(issue.ICC(large, small, issue.Terms{Holder: "4761A"}, nil)),
		"no room":     errOf(issue.Dynamic(small, make([]byte, 40), nil)),
		"short block": errOf(small.Sign(make([]byte, 63))),
		"large block": errOf(small.Sign(bytes.Repeat([]byte{0xFF}, 64))),
		"no modulus":  errOf(issue.Sign(nil, nil, nil)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, ok := issue.DecipherPIN(small, make([]byte, 10), make([]byte, 8)); ok {
		t.Error("a PIN of ten bytes was opened")
	}
	if _, err := issue.Combined(small, []byte{1, 2}, [8]byte{}, oda.Combined{}); err != nil {
		t.Errorf("a key of 512 bits has room for a combined signature: %v", err)
	}
}

func errOf[T any](_ T, err error) error { return err }
