package oda_test

import (
	"crypto/sha1"
	"math/big"
	"testing"

	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
)

// resign opens what key has signed, changes it, makes the hash right again over
// the content and more, and signs it anew.
func resign(t *testing.T, key *issue.Key, signature []byte, change func(block []byte), more ...[]byte) []byte {
	t.Helper()
	n, e := new(big.Int).SetBytes(key.Modulus()), new(big.Int).SetBytes(key.Exponent())
	x := new(big.Int).SetBytes(signature)
	block := x.Exp(x, e, n).FillBytes(make([]byte, key.Size()))
	change(block)
	h := sha1.New()
	h.Write(block[1 : len(block)-21])
	for _, m := range more {
		h.Write(m)
	}
	copy(block[len(block)-21:], h.Sum(nil))
	out, err := key.Sign(block)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A signature that is right and says something that the standard does not know is
// refused all the same: header, trailer, format, algorithms, lengths.
func TestSignedButNotOfTheStandard(t *testing.T) {
	ca, issuer, icc := testKey(t, "ca", 1024, 3), testKey(t, "issuer", 1024, 65537), testKey(t, "icc", 768, 3)
	all := made(t)
	sda, dda, cda := all[0], all[1], all[2]
	set := func(at int, v byte) func([]byte) {
		return func(b []byte) { b[(at+len(b))%len(b)] = v }
	}
	keep := func([]byte) {}
	for name, change := range map[string]func([]byte){
		"unchanged": keep, "header": set(0, 0x6B), "trailer": set(-1, 0xBD), "format": set(1, 0x04),
		"hash algorithm": set(11, 2), "key algorithm": set(12, 2),
		"key length, shorter": set(13, 127), "key length, longer": set(13, 129), "exponent length": set(14, 1),
	} {
		bad := dda.clone()
		bad.issuer[0] = resign(t, ca, dda.issuer[0], change, dda.issuer[1], dda.issuer[2])
		judge(t, "issuer certificate: "+name, bad, name == "unchanged", oda.StepIssuer)
	}
	longer := dda.clone()
	longer.issuer[1] = append(longer.issuer[1], 0x01)
	longer.issuer[0] = resign(t, ca, dda.issuer[0], set(13, 129), longer.issuer[1], dda.issuer[2])
	judge(t, "issuer certificate: a key longer than that of the CA", longer, false, oda.StepIssuer)
	for name, c := range map[string]struct {
		change func([]byte)
		good   bool
	}{
		"unchanged": {keep, true}, "header": {set(0, 0x4A), false}, "trailer": {set(-1, 0), false}, "format": {set(1, 2), false},
		"hash algorithm": {set(17, 0), false}, "key algorithm": {set(18, 0), false}, "exponent length": {set(20, 3), false},
	} {
		bad := dda.clone()
		bad.icc[0] = resign(t, issuer, dda.icc[0], c.change, dda.icc[1], dda.icc[2], dda.static)
		judge(t, "card certificate: "+name, bad, c.good, oda.StepICC)
	}
	even := dda.clone()
	even.icc[1][len(even.icc[1])-1] &^= 1
	even.icc[0] = resign(t, issuer, dda.icc[0], keep, even.icc[1], dda.icc[2], dda.static)
	judge(t, "card certificate: even modulus", even, false, oda.StepICC)
	for name, c := range map[string]struct {
		change func([]byte)
		good   bool
	}{"unchanged": {keep, true}, "header": {set(0, 0), false}, "format": {set(1, 5), false}, "hash algorithm": {set(2, 2), false}} {
		bad := sda.clone()
		bad.ssad = resign(t, issuer, sda.ssad, c.change, sda.static)
		judge(t, "static signature: "+name, bad, c.good, oda.StepStatic)
	}
	for name, c := range map[string]struct {
		change func([]byte)
		good   bool
	}{"unchanged": {keep, true}, "header": {set(0, 0), false}, "format": {set(1, 3), false}, "hash algorithm": {set(2, 2), false},
		"length": {set(3, 200), false}, "no number": {set(4, 1), false}, "number of nine": {set(4, 9), false}} {
		for _, chain := range []*chain{dda, cda} {
			bad := chain.clone()
			bad.sdad = resign(t, icc, chain.sdad, c.change, chain.data)
			judge(t, chain.method+" signature: "+name, bad, c.good, oda.StepDynamic)
		}
	}
	short := cda.clone()
	short.sdad = resign(t, icc, cda.sdad, set(3, 20), cda.data)
	judge(t, "a combined signature without a hash", short, false, oda.StepDynamic)
}

func judge(t *testing.T, name string, c *chain, good bool, step oda.Step) {
	t.Helper()
	err := c.verify()
	if good && err != nil || !good && stepOf(err) != step {
		t.Errorf("%s: %v", name, err)
	}
}
