package oda_test

import (
	"testing"

	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
)

// FuzzOpened gives every parser blocks that really were signed, with header and
// trailer right and anything in between: what is behind the hash check of honest
// issuers must not panic on a dishonest one.
func FuzzOpened(f *testing.F) {
	key := testKey(f, "issuer", 1024, 65537)
	public := key.Public()
	f.Add(byte(2), []byte{0x47, 0x61, 0x73, 0x90}, []byte{3}, []byte{})
	f.Add(byte(5), []byte{1, 255, 9}, []byte{1, 0, 1}, []byte("remainder"))
	f.Fuzz(func(t *testing.T, format byte, content, exponent, remainder []byte) {
		block := make([]byte, key.Size())
		block[0], block[1], block[len(block)-1] = 0x6A, format, 0xBC
		copy(block[2:len(block)-1], content)
		signature, err := key.Sign(block)
		if err != nil {
			return
		}
		if k, err := oda.RecoverIssuer(public, signature, remainder, exponent); err == nil && k.Size() > key.Size() {
			t.Errorf("a key of %d bytes", k.Size())
		}
		if _, err := oda.RecoverICC(public, signature, remainder, exponent, remainder); err == nil {
			t.Log("a hash was found by chance")
		}
		if _, err := public.RecoverDynamic(signature, content); err == nil {
			t.Log("a hash was found by chance")
		}
	})
}

// FuzzSigned signs any content rightly: only what the standard allows may pass.
func FuzzSigned(f *testing.F) {
	key := testKey(f, "icc", 768, 3)
	icc := iccOf(f)
	f.Add([]byte{1, 2, 3, 4}, []byte{2, 0xAA, 0xBB})
	f.Add([]byte{}, []byte{8})
	f.Fuzz(func(t *testing.T, data, number []byte) {
		signature, err := issue.Dynamic(key, number, data)
		if err != nil {
			return
		}
		got, err := icc.VerifyDynamic(signature, data)
		if allowed := len(number) >= 2 && len(number) <= 8; allowed != (err == nil) || err == nil && string(got) != string(number) {
			t.Errorf("number of %d bytes: %X, %v", len(number), got, err)
		}
		if _, err := icc.VerifyCombined(oda.Combined{Signature: signature, Unpredictable: data}); err == nil {
			t.Error("a dynamic signature passed as a combined one")
		}
	})
}

// iccOf is the card's key of the chains made here.
func iccOf(t testing.TB) *oda.ICCKey {
	t.Helper()
	c := made(t)[2]
	k, err := oda.RecoverICC(testKey(t, "issuer", 1024, 65537).Public(), c.icc[0], c.icc[1], c.icc[2], c.static)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
