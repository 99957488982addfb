package cardcodes_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"tallystick.example/internal/pure/cardcodes"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The published values that others can look up; the whole files run through the
// vector runner.
func TestPublished(t *testing.T) {
	pvv, err := cardcodes.PVV(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), 1, []byte("4524"), []byte("1122334455667788"))
	if err != nil || string(pvv) != "8523" {
		t.Errorf("PVV = %s, %v", pvv, err)
	}
	natural, offset, err := cardcodes.IBM3624(unhex(t, "0123456789ABCDEFFEDCBA9876543210"),
		[]byte("1234567890123456"), unhex(t, "1122334455667788"), []byte("0000"))
	if err != nil || string(natural) != "4524" || string(offset) != "6586" {
		t.Errorf("IBM 3624 = %s, %s, %v", natural, offset, err)
	}
	cvv, err := cardcodes.CVV(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), []byte("4123456789012345"), []byte("8701"), []byte("101"))
	if err != nil || string(cvv) != "561" {
		t.Errorf("CVV = %s, %v", cvv, err)
	}
	cvv2, err := cardcodes.CVV2(unhex(t, "12345678123456788765432187654321"), []byte("123456789012"), []byte("1108"))
	if err != nil || string(cvv2) != "453" {
		t.Errorf("CVV2 = %s, %v", cvv2, err)
	}
}

func TestRefusals(t *testing.T) {
	key, short := make([]byte, 16), make([]byte, 15)
	pin, pan := []byte("1234"), []byte("4123456789012345")
	_, pvvKey := cardcodes.PVV(short, 1, pin, pan)
	_, pvvIndex := cardcodes.PVV(key, 10, pin, pan)
	_, pvvPIN := cardcodes.PVV(key, 1, []byte("12A4"), pan)
	_, pvvPAN := cardcodes.PVV(key, 1, pin, []byte("12345678901"))
	_, _, ibmTable := cardcodes.IBM3624(key, []byte("012345678901234"), make([]byte, 8), pin)
	_, _, ibmLong := cardcodes.IBM3624(key, []byte("0123456789012345"), make([]byte, 8), []byte("1234567890123"))
	_, validation := cardcodes.ValidationData([]byte("1234567"))
	_, cvvPAN := cardcodes.CVV(key, []byte("41234567890123456789"), []byte("2912"), []byte("101"))
	_, cvvExpiry := cardcodes.ICVV(key, pan, []byte("291"))
	_, dcvvATC := cardcodes.DCVV(key, pan, []byte("2912"), []byte("101"), []byte{1})
	_, dcvvHex := cardcodes.DCVV(key, pan, []byte("2912"), []byte("101"), []byte{0xAB, 1})
	_, cvc3 := cardcodes.CVC3(key, []byte{1}, make([]byte, 4), make([]byte, 2))
	_, ivKey := cardcodes.IVCVC3(short, nil)
	for name, c := range map[string]struct{ got, want error }{
		"PVV key": {pvvKey, cardcodes.ErrKey}, "PVV index": {pvvIndex, cardcodes.ErrDigits},
		"PVV PIN": {pvvPIN, cardcodes.ErrDigits}, "PVV PAN": {pvvPAN, cardcodes.ErrDigits},
		"IBM table": {ibmTable, cardcodes.ErrDigits}, "IBM PIN": {ibmLong, cardcodes.ErrDigits},
		"validation data": {validation, cardcodes.ErrDigits},
		"CVV PAN":         {cvvPAN, cardcodes.ErrDigits}, "CVV expiry": {cvvExpiry, cardcodes.ErrDigits},
		"dCVV ATC": {dcvvATC, cardcodes.ErrDigits}, "dCVV hex ATC": {dcvvHex, cardcodes.ErrDigits},
		"CVC3 vector": {cvc3, cardcodes.ErrDigits}, "IVCVC3 key": {ivKey, cardcodes.ErrKey},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestInputsAreKept(t *testing.T) {
	key, pan, pin := bytes.Repeat([]byte{0x5A}, 16), []byte("4123456789012345"), []byte("123456")
	if _, err := cardcodes.PVV(key, 3, pin, pan); err != nil {
		t.Fatal(err)
	}
	if _, err := cardcodes.DCVV(key, pan, []byte("2912"), []byte("201"), []byte{0x32, 0x10}); err != nil {
		t.Fatal(err)
	}
	if string(pan) != "4123456789012345" || string(pin) != "123456" || key[0] != 0x5A {
		t.Error("an input was changed")
	}
	v, err := cardcodes.ValidationData([]byte("1122334455667788990"))
	if err != nil || !bytes.Equal(v, []byte{0x23, 0x34, 0x45, 0x56, 0x67, 0x78, 0x89, 0x90}) {
		t.Errorf("validation data %x, %v", v, err)
	}
	if v, err = cardcodes.ValidationData([]byte("12345678")); err != nil || !bytes.Equal(v, []byte{0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78}) {
		t.Errorf("short validation data %x, %v", v, err)
	}
	if !cardcodes.Equal([]byte("12"), []byte("12")) || cardcodes.Equal([]byte("12"), []byte("13")) {
		t.Error("Equal is wrong")
	}
}
