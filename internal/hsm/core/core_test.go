package core_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"tallystick.example/dukpt/pinblock"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(s string) secret.Secret { return secret.New([]byte(s)) }

// key makes a key from "usage algorithm mode", such as "V2TC".
func key(t *testing.T, attributes, hexKey string) core.Key {
	t.Helper()
	a := core.Attributes{Usage: attributes[:2], Algorithm: attributes[2:3], Mode: attributes[3:]}
	k, err := core.NewKey(a, secret.New(unhex(t, hexKey)))
	if err != nil {
		t.Fatalf("%s: %v", attributes, err)
	}
	return k
}

const (
	double = "0123456789ABCDEFFEDCBA9876543210"
	aesKey = "2B7E151628AED2A6ABF7158809CF4F3C"
	pan    = "4123456789012345"
)

func TestKeysThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		attributes string
		n          int
	}{
		{"ZZTX", 16}, {"B0QX", 16}, {"B0TV", 16}, {"B0TX", 24}, {"B0AX", 15}, {"E0AX", 16}, {"C0TC", 24}, {"M7AG", 32}, {"V2TX", 16}, {"P0TN", 16}, {"B0T", 16},
	} {
		a := core.Attributes{Usage: c.attributes[:2], Algorithm: c.attributes[2:3], Mode: c.attributes[3:]}
		if _, err := core.NewKey(a, secret.New(make([]byte, c.n))); !errors.Is(err, core.ErrUse) {
			t.Errorf("%s of %d bytes: %v", c.attributes, c.n, err)
		}
	}
	k := key(t, "B0AX", aesKey)
	k.Wipe()
	if _, err := core.NewTransaction(k, unhex(t, "123456789012345600000001")); !errors.Is(err, core.ErrUse) {
		t.Errorf("a wiped key: %v", err)
	}
}

// Check values are those of ANSI X9.24-1:2017, Annex A; the AES key is that of
// NIST SP 800-38B, D.1.
func TestCheckValues(t *testing.T) {
	for _, c := range []struct{ attributes, key, want string }{
		{"B0TX", double, "08D7B4"},
	} {
		if got, err := key(t, c.attributes, c.key).KCV(); err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.attributes, got, err, c.want)
		}
	}
	full, err := mac.CMACAES(unhex(t, aesKey), make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key(t, "B0AX", aesKey).KCV(); err != nil || got != hexUpper(full[:5]) {
		t.Errorf("AES: %s, %v", got, err)
	}
}

func hexUpper(b []byte) string { return string(bytes.ToUpper([]byte(hex.EncodeToString(b)))) }

// Every operation refuses a key of another usage and of the other direction.
func TestUses(t *testing.T) {
	pvkGen, pvkVer := key(t, "V2TG", double), key(t, "V2TV", double)
	ibmGen, ibmVer := key(t, "V1TG", double), key(t, "V1TV", double)
	cvkGen, cvkVer := key(t, "C0TG", double), key(t, "C0TV", double)
	imk, dynamic := key(t, "E0TX", double), key(t, "E4TX", double)
	macGen, macVer := key(t, "M3TG", double), key(t, "M3TV", double)
	pinEnc, pinDec := key(t, "P0TE", double), key(t, "P0TD", double)
	dataEnc, dataDec := key(t, "D0AE", aesKey), key(t, "D0AD", aesKey)
	bdk := key(t, "B0TX", double)
	ksn := unhex(t, "FFFF9876543210E00001")
	none := secret.Secret{}
	for name, err := range map[string]error{
		"PVV, verify key":          second(core.GeneratePVV(pvkVer, 1, text("1234"), text(pan))),
		"PVV, generate key":        second(core.VerifyPVV(pvkGen, 1, "0000", text("1234"), text(pan))),
		"PVV, IBM key":             second(core.VerifyPVV(ibmVer, 1, "0000", text("1234"), text(pan))),
		"offset, verify key":       second(core.GenerateOffset(ibmVer, "0123456789012345", make([]byte, 8), text("1234"))),
		"offset, generate key":     second(core.VerifyOffset(ibmGen, "0123456789012345", make([]byte, 8), "0000", text("1234"))),
		"CVV, verify key":          second(core.GenerateCVV(cvkVer, text(pan), "2912", "201")),
		"CVV, generate key":        second(core.VerifyCVV(cvkGen, text(pan), "2912", "201", text("123"))),
		"dCVV, cryptogram key":     second(core.VerifyDCVV(imk, text(pan), "00", "2912", "201", make([]byte, 2), text("123"))),
		"CVC3, cryptogram key":     second(core.VerifyCVC3(imk, text(pan), "00", none, make([]byte, 4), make([]byte, 2), text("123"))),
		"ARQC, dynamic code key":   second(core.VerifyARQC(dynamic, core.Chip{PAN: text(pan), Profile: "visa_cvn10"})),
		"ARPC, dynamic code key":   second(core.IssuerAuthData(dynamic, core.Chip{PAN: text(pan), Profile: "visa_cvn10"}, "00")),
		"MAC, verify key":          second(core.GenerateMAC(macVer, mac.Padding1, nil)),
		"MAC, generate key":        second(core.VerifyMAC(macGen, mac.Padding1, nil, make([]byte, 8))),
		"MAC, PIN key":             second(core.GenerateMAC(pinEnc, mac.Padding1, nil)),
		"encrypt, decryption key":  second(core.EncryptCBC(dataDec, make([]byte, 16), secret.New(make([]byte, 16)))),
		"decrypt, encryption key":  second(core.DecryptCBC(dataEnc, make([]byte, 16), make([]byte, 16))),
		"translate from encrypt":   second(core.TranslatePIN(pinEnc, pinblock.ISO0, make([]byte, 8), pinEnc, pinblock.ISO0, text(pan), nil)),
		"translate to decrypt":     second(core.TranslatePIN(pinDec, pinblock.ISO0, make([]byte, 8), pinDec, pinblock.ISO0, text(pan), nil)),
		"DUKPT, initial key":       second(core.NewTransaction(key(t, "B1TX", double), ksn)),
		"DUKPT, other algorithm":   second(core.NewTransaction(bdk, unhex(t, "123456789012345600000001"))),
		"initial key, other usage": second(core.InitialKey(imk, unhex(t, "FFFF9876543210E00000"))),
		"initial key, AES set":     second(core.InitialKey(bdk, unhex(t, "1234567890123456"))),
	} {
		if !errors.Is(err, core.ErrUse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Published values: PVV 8523 and IBM 3624 of the usual test keys, CVV 561, and
// the dynamic codes of jPOS's tests.
func TestPublished(t *testing.T) {
	pvk := key(t, "V2TC", double)
	if v, err := core.GeneratePVV(pvk, 1, text("4524"), text("1122334455667788")); err != nil || v != "8523" {
		t.Errorf("PVV %s, %v", v, err)
	}
	ibm := key(t, "V1TC", double)
	validation := unhex(t, "1122334455667788")
	if v, err := core.GenerateOffset(ibm, "1234567890123456", validation, text("1234")); err != nil || v != "7710" {
		t.Errorf("offset %s, %v", v, err)
	}
	for pin, want := range map[string]bool{"1234": true, "1235": false, "12345": false} {
		ok, err := core.VerifyOffset(ibm, "1234567890123456", validation, "7710", text(pin))
		if err != nil || ok != want {
			t.Errorf("offset of a PIN of %d digits: %v, %v", len(pin), ok, err)
		}
	}
	cvk := key(t, "C0TC", double)
	if v, err := core.GenerateCVV(cvk, text(pan), "8701", "101"); err != nil || v != "561" {
		t.Errorf("CVV %s, %v", v, err)
	}
	imk := key(t, "E4TX", "12345678123456781234567812345678")
	card := text("1234567890123456")
	for code, want := range map[string]bool{"422": true, "423": false} {
		ok, err := core.VerifyDCVV(imk, card, "00", "1310", "226", unhex(t, "3210"), text(code))
		if err != nil || ok != want {
			t.Errorf("dCVV %s: %v, %v", code, ok, err)
		}
	}
	track := secret.New(unhex(t, "1234567890123456D12012061000110000000FFFFFFFFFFF"))
	for code, want := range map[string]bool{"45423": true, "423": true, "424": false} {
		ok, err := core.VerifyCVC3(imk, card, "00", track, unhex(t, "00002710"), unhex(t, "2710"), text(code))
		if err != nil || ok != want {
			t.Errorf("CVC3 %s: %v, %v", code, ok, err)
		}
	}
}

// A PIN of X9.24-1:2009, A.4 goes to a zone key and comes out again.
func TestTranslation(t *testing.T) {
	tx, err := core.NewTransaction(key(t, "B0TX", double), unhex(t, "FFFF9876543210E00001"))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Wipe()
	from, err := tx.PINKey()
	if err != nil {
		t.Fatal(err)
	}
	card, zone := text("4012345678909"), key(t, "P0TB", "11223344556677888877665544332211")
	random := bytes.NewReader(make([]byte, 64))
	block, err := from.Translate(pinblock.ISO0, unhex(t, "1B9C1845EB993A7A"), zone, pinblock.ISO3, card, random)
	if err != nil {
		t.Fatal(err)
	}
	again, err := core.TranslatePIN(zone, pinblock.ISO3, block, zone, pinblock.ISO0, card, random)
	if err != nil {
		t.Fatal(err)
	}
	pin, ok, err := core.DecodePIN(zone, pinblock.ISO0, again, card)
	if err != nil || !ok || string(pin.Expose()) != "1234" {
		t.Errorf("the PIN came out %v, %v", ok, err)
	}
	if _, ok, err := core.DecodePIN(zone, pinblock.ISO0, block, card); err != nil || ok {
		t.Errorf("a format 3 block as format 0: %v, %v", ok, err)
	}
	_, err = core.TranslatePIN(zone, pinblock.ISO0, again, zone, pinblock.ISO1, card, random)
	if !errors.Is(err, core.ErrInput) {
		t.Errorf("a translation that loses the PAN: %v", err)
	}
	if _, err := core.TranslatePIN(zone, pinblock.ISO0, make([]byte, 8), zone, pinblock.ISO0, card, random); !errors.Is(err, core.ErrInput) {
		t.Errorf("a malformed block: %v", err)
	}
}

func TestMACsAndData(t *testing.T) {
	for _, attributes := range []string{"M3TC", "M6TC"} {
		k := key(t, attributes, double)
		sum, err := core.GenerateMAC(k, mac.Padding1, []byte("message"))
		if err != nil {
			t.Fatal(err)
		}
		good, err := core.VerifyMAC(k, mac.Padding1, []byte("message"), sum[:4])
		bad, errBad := core.VerifyMAC(k, mac.Padding1, []byte("massage"), sum)
		if err != nil || errBad != nil || !good || bad {
			t.Errorf("%s: %v, %v", attributes, good, bad)
		}
	}
	full, err := core.GenerateMAC(key(t, "M6AC", aesKey), mac.Padding1, nil) // NIST SP 800-38B, D.1, example 1
	if err != nil || hexUpper(full) != "BB1D6929E95937287FA37D129B756746" {
		t.Errorf("CMAC %X, %v", full, err)
	}
	k := key(t, "D0AB", aesKey)
	plain := secret.New(bytes.Repeat([]byte{7}, 32))
	c, err := core.EncryptCBC(k, make([]byte, 16), plain)
	if err != nil {
		t.Fatal(err)
	}
	back, err := core.DecryptCBC(k, make([]byte, 16), c)
	if err != nil || !back.Equal(plain) {
		t.Errorf("CBC does not come back: %v", err)
	}
	for _, bad := range []struct{ iv, n int }{{8, 32}, {16, 31}, {16, 0}} {
		if _, err := core.DecryptCBC(k, make([]byte, bad.iv), make([]byte, bad.n)); !errors.Is(err, core.ErrInput) {
			t.Errorf("vector of %d, data of %d bytes: %v", bad.iv, bad.n, err)
		}
	}
}

func TestKSNs(t *testing.T) {
	id, n, err := core.SplitKSN(unhex(t, "1234567890123456000000FF"))
	if err != nil || hexUpper(id) != "1234567890123456" || n != 255 {
		t.Errorf("AES: %X, %d, %v", id, n, err)
	}
	id, n, err = core.SplitKSN(unhex(t, "FFFF9876543210E00001"))
	if err != nil || hexUpper(id) != "FFFF9876543210E00000" || n != 1 {
		t.Errorf("TDES: %X, %d, %v", id, n, err)
	}
	for _, bad := range []string{"", "FFFF9876543210E0000100", "FFFF9876543210E00000", "FFFF9876543210FFFFFF", "123456789012345600000000", "1234567890123456FFFFFFFF"} {
		if _, _, err := core.SplitKSN(unhex(t, bad)); !errors.Is(err, core.ErrInput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
