package core_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/testvectors/vectortest"
)

const other = "FEDCBA98765432100123456789ABCDEF" // another double-length key

// wrong fails unless a verification of a changed value said false, without error.
func wrong(t *testing.T, what string, ok bool, err error) {
	t.Helper()
	if ok || err != nil {
		t.Errorf("%s: verdict %v, %v", what, ok, err)
	}
}

// Each input of a verification counts: with any one changed the verdict is false.
func TestChangedInputs(t *testing.T) {
	const card, validation = "1122334455667788", "1122334455667788"
	pvk, other2 := key(t, "V2TV", double), key(t, "V2TV", other)
	verify := func(k core.Key, pvki int, pvv, pin, pan string) (bool, error) {
		return core.VerifyPVV(k, pvki, pvv, text(pin), text(pan))
	}
	ok, err := verify(pvk, 1, "8523", "4524", card)
	fits(t, "PVV", ok, err)
	for what, check := range map[string]func() (bool, error){
		"PVV, key":       func() (bool, error) { return verify(other2, 1, "8523", "4524", card) },
		"PVV, key index": func() (bool, error) { return verify(pvk, 2, "8523", "4524", card) },
		"PVV, value":     func() (bool, error) { return verify(pvk, 1, "8524", "4524", card) },
		"PVV, short":     func() (bool, error) { return verify(pvk, 1, "852", "4524", card) },
		"PVV, none":      func() (bool, error) { return verify(pvk, 1, "", "4524", card) },
		"PVV, PIN":       func() (bool, error) { return verify(pvk, 1, "8523", "4525", card) },
		"PVV, PAN":       func() (bool, error) { return verify(pvk, 1, "8523", "4524", "1122334455667878") },
	} {
		ok, err := check()
		wrong(t, what, ok, err)
	}
	ibm := func(k, table, data, offset, pin string) (bool, error) {
		return core.VerifyOffset(key(t, "V1TV", k), table, unhex(t, data), offset, text(pin))
	}
	const table = "1234567890123456"
	ok, err = ibm(double, table, validation, "0000", "4524")
	fits(t, "offset", ok, err)
	for what, c := range map[string][5]string{
		"offset, key":        {other, table, validation, "0000", "4524"},
		"offset, table":      {double, "0123456789012345", validation, "0000", "4524"},
		"offset, validation": {double, table, "1122334455667789", "0000", "4524"},
		"offset, value":      {double, table, validation, "0001", "4524"},
		"offset, short":      {double, table, validation, "000", "4524"},
		"offset, PIN":        {double, table, validation, "0000", "4525"},
	} {
		ok, err := ibm(c[0], c[1], c[2], c[3], c[4])
		wrong(t, what, ok, err)
	}
	cvv := func(k, pan, expiry, service, code string) (bool, error) {
		return core.VerifyCVV(key(t, "C0TV", k), text(pan), expiry, service, text(code))
	}
	ok, err = cvv(double, pan, "8701", "101", "561")
	fits(t, "CVV", ok, err)
	for what, c := range map[string][5]string{
		"CVV, key":     {other, pan, "8701", "101", "561"},
		"CVV, PAN":     {double, "4123456789012346", "8701", "101", "561"},
		"CVV, expiry":  {double, pan, "8702", "101", "561"},
		"CVV, service": {double, pan, "8701", core.ServiceChip, "561"},
		"CVV, value":   {double, pan, "8701", "101", "562"},
		"CVV, short":   {double, pan, "8701", "101", "56"},
		"CVV, none":    {double, pan, "8701", "101", ""},
	} {
		ok, err := cvv(c[0], c[1], c[2], c[3], c[4])
		wrong(t, what, ok, err)
	}
}

// A cryptogram fits one card and one transaction: every byte under it counts.
func TestChangedCryptogram(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_cryptogram", "emv.arqc.de55") {
		if v.Text("profile") != "visa_cvn18" {
			continue // its input takes all of its fields whole
		}
		imk, chip := chipOf(t, v)
		for tag, value := range chip.Fields {
			for i := range value {
				value[i] ^= 1
				ok, err := core.VerifyARQC(imk, chip)
				value[i] ^= 1
				wrong(t, fmt.Sprintf("%s: byte %d of tag %X", v.Name, i, tag), ok, err)
			}
			delete(chip.Fields, tag)
			ok, err := core.VerifyARQC(imk, chip)
			chip.Fields[tag] = value
			wrong(t, fmt.Sprintf("%s: without tag %X", v.Name, tag), ok, err)
		}
		moved := chip
		moved.PSN = "77"
		ok, err := core.VerifyARQC(imk, moved)
		wrong(t, v.Name+": another PSN", ok, err)
		moved = chip
		moved.PAN = text("9999283703592822")
		ok, err = core.VerifyARQC(imk, moved)
		wrong(t, v.Name+": another PAN", ok, err)
		ok, err = core.VerifyARQC(key(t, "E0TX", other), chip)
		wrong(t, v.Name+": another key", ok, err)
		ok, err = core.VerifyARQC(imk, chip)
		fits(t, v.Name+" after all changes were undone", ok, err)
	}
}

// A MAC covers every bit of the message and is taken whole, from its own
// transaction only.
func TestChangedMAC(t *testing.T) {
	message := []byte("a message of three and a half blocks")
	for scheme, c := range map[dukpt.Scheme][3]string{
		dukpt.TDES: {"B0TX", "FFFF9876543210E00001", "FFFF9876543210E00002"},
		dukpt.AES:  {"B0AX", "123456789012345600000001", "123456789012345600000002"},
	} {
		bdk := unhex(t, double)
		base, err := dukpt.NewBase(scheme, bdk)
		if err != nil {
			t.Fatal(err)
		}
		ksn, err := dukpt.ParseKSN(scheme, unhex(t, c[1]))
		if err != nil {
			t.Fatal(err)
		}
		working, err := base.Keys(ksn, 0)
		if err != nil {
			t.Fatal(err)
		}
		code, err := working.MAC(dukpt.Request, message)
		if err != nil {
			t.Fatal(err)
		}
		code = code[:core.MACLen]
		tx, err := core.NewTransaction(key(t, c[0], double), ksn.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		ok, err := tx.VerifyMAC(message, code)
		fits(t, c[0], ok, err)
		for i := range len(message) * 8 {
			message[i/8] ^= 1 << (i % 8)
			ok, err := tx.VerifyMAC(message, code)
			message[i/8] ^= 1 << (i % 8)
			wrong(t, fmt.Sprintf("%s: bit %d of the message", c[0], i), ok, err)
		}
		for i := range len(code) * 8 {
			code[i/8] ^= 1 << (i % 8)
			ok, err := tx.VerifyMAC(message, code)
			code[i/8] ^= 1 << (i % 8)
			wrong(t, fmt.Sprintf("%s: bit %d of the MAC", c[0], i), ok, err)
		}
		for _, cut := range [][]byte{nil, {}, code[:4], code[:7], append(bytes.Clone(code), 0)} {
			ok, err := tx.VerifyMAC(message, cut)
			wrong(t, fmt.Sprintf("%s: a MAC of %d bytes", c[0], len(cut)), ok, err)
		}
		next, err := core.NewTransaction(key(t, c[0], double), unhex(t, c[2]))
		if err != nil {
			t.Fatal(err)
		}
		ok, err = next.VerifyMAC(message, code)
		wrong(t, c[0]+": the next transaction", ok, err)
	}
}

// Neither a block that holds no PIN nor one with another PIN is an error: Decode
// has no way to tell the two apart but ok, and the verification says false.
func TestMalformedAndWrongPIN(t *testing.T) {
	pvk, card := key(t, "V2TC", double), text("4012345678909")
	pvv, err := core.GeneratePVV(pvk, 1, text("1234"), card)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ bdk, ksn string }{
		{"B0TX", "FFFF9876543210E00001"}, {"B0AX", "123456789012345600000001"},
	} {
		tx, err := core.NewTransaction(key(t, c.bdk, double), unhex(t, c.ksn))
		if err != nil {
			t.Fatal(err)
		}
		k, err := tx.PINKey()
		if err != nil {
			t.Fatal(err)
		}
		block := encipher(t, c.ksn, "1234", card)
		right := func(block []byte, pan secret.Secret) bool {
			pin, ok := k.Decode(block, pan)
			if !ok {
				if !pin.IsZero() {
					t.Errorf("%s: a PIN without ok", c.bdk)
				}
				return false
			}
			defer pin.Wipe()
			fit, err := core.VerifyPVV(pvk, 1, pvv, pin, card)
			return err == nil && fit
		}
		if !right(block, card) {
			t.Errorf("%s: the right PIN is wrong", c.bdk)
		}
		if wrongPIN := encipher(t, c.ksn, "1235", card); right(wrongPIN, card) {
			t.Errorf("%s: another PIN is right", c.bdk)
		}
		if right(block, text("4012345678917")) || right(block, secret.Secret{}) {
			t.Errorf("%s: the PIN of another card is right", c.bdk)
		}
		for i := range len(block) * 8 {
			block[i/8] ^= 1 << (i % 8)
			if right(block, card) {
				t.Errorf("%s: block with bit %d changed is right", c.bdk, i)
			}
			block[i/8] ^= 1 << (i % 8)
		}
		for _, n := range []int{0, 7, 9, 15, 17, 24} {
			if _, ok := k.Decode(make([]byte, n), card); ok {
				t.Errorf("%s: a PIN in %d bytes", c.bdk, n)
			}
		}
		k.Wipe()
		if _, ok := k.Decode(block, card); ok {
			t.Errorf("%s: a wiped key opens a block", c.bdk)
		}
	}
}

// encipher makes the PIN block of a terminal.
func encipher(t *testing.T, ksn, pin string, card secret.Secret) []byte {
	t.Helper()
	scheme := dukpt.TDES
	if len(ksn) == 24 {
		scheme = dukpt.AES
	}
	base, err := dukpt.NewBase(scheme, unhex(t, double))
	if err != nil {
		t.Fatal(err)
	}
	k, err := dukpt.ParseKSN(scheme, unhex(t, ksn))
	if err != nil {
		t.Fatal(err)
	}
	working, err := base.Keys(k, 0)
	if err != nil {
		t.Fatal(err)
	}
	block, err := working.EncryptPIN(working.PINFormat(), []byte(pin), card.Expose(), bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// Errors carry no value of what they are about, and neither do printed keys.
func TestErrorsCarryNoSecrets(t *testing.T) {
	const badPIN, badPAN, badCode = "91x8273", "49297318091709x7", "97x"
	zone := key(t, "P0TB", double)
	tx, err := core.NewTransaction(key(t, "B0TX", double), unhex(t, "FFFF9876543210E00001"))
	if err != nil {
		t.Fatal(err)
	}
	chip := core.Chip{PAN: text(badPAN), PSN: "0x", Profile: "visa_cvn18"}
	said := map[string]error{
		"PVV, PIN":       second(core.GeneratePVV(key(t, "V2TC", double), 1, text(badPIN), text(pan))),
		"PVV, PAN":       second(core.VerifyPVV(key(t, "V2TC", double), 1, "0000", text("1234"), text(badPAN))),
		"PVV, index":     second(core.VerifyPVV(key(t, "V2TC", double), 10, "0000", text("1234"), text(pan))),
		"offset, PIN":    second(core.GenerateOffset(key(t, "V1TC", double), "0123456789012345", make([]byte, 8), text(badPIN))),
		"offset, table":  second(core.VerifyOffset(key(t, "V1TC", double), badPIN, make([]byte, 8), "0000", text("1234"))),
		"CVV, PAN":       second(core.GenerateCVV(key(t, "C0TC", double), text(badPAN), "2912", "201")),
		"CVV, service":   second(core.VerifyCVV(key(t, "C0TC", double), text(pan), "2912", badCode, text(badCode))),
		"dCVV, PAN":      second(core.VerifyDCVV(key(t, "E4TX", double), text(badPAN), "00", "2912", "201", []byte{0, 1}, text(badCode))),
		"CVC3, code":     second(core.VerifyCVC3(key(t, "E4TX", double), text(pan), "00", text(badPAN), make([]byte, 4), []byte{0, 1}, text("97"))),
		"ARPC, PAN":      second(core.IssuerAuthData(key(t, "E0TX", double), chip, "00")),
		"translate, PAN": second(core.TranslatePIN(zone, pinblock.ISO0, make([]byte, 8), zone, pinblock.ISO3, text(badPAN), nil)),
		"data":           second(tx.DecryptData(make([]byte, 8), []byte(badPIN))),
		"encrypt":        second(core.EncryptCBC(key(t, "D0TB", double), make([]byte, 8), text(badPIN))),
		"MAC, padding":   second(core.GenerateMAC(key(t, "M3TC", double), mac.Padding(9), []byte(badPAN))),
		"KSN":            second(core.NewTransaction(key(t, "B0TX", double), []byte(badPAN))),
	}
	texts := map[string]string{"a key printed": fmt.Sprintf("%v %+v %#v", zone, zone, zone), "a transaction printed": fmt.Sprintf("%v %+v %#v", tx, tx, tx)}
	for name, err := range said {
		if !errors.Is(err, core.ErrInput) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		texts[name] = err.Error()
	}
	for name, s := range texts {
		s = strings.ToUpper(s)
		for _, planted := range []string{badPIN, badPAN, badCode, "91827", "49297318", double, fmt.Sprintf("%v", unhex(t, double)), pan} {
			if strings.Contains(s, strings.ToUpper(planted)) || strings.Contains(s, strings.ToUpper(hex.EncodeToString([]byte(planted)))) {
				t.Errorf("%s shows %s", name, planted)
			}
		}
	}
}
