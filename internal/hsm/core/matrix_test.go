package core_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"tallystick.example/dukpt/pinblock"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// An act is one operation with good input: the key alone decides about ErrUse.
type act struct {
	name                    string
	usages, algorithms, may string // what a key must have: one of each
	run                     func(core.Key) error
}

// blockOf is the block length of a key's cipher.
func blockOf(k core.Key) int {
	if k.Algorithm == "A" {
		return 16
	}
	return 8
}

func formatOf(k core.Key) pinblock.Format {
	if k.Algorithm == "A" {
		return pinblock.ISO4
	}
	return pinblock.ISO0
}

// acts are all operations that take a key.
func acts(t *testing.T) []act {
	t.Helper()
	tdesKSN, aesKSN := unhex(t, "FFFF9876543210E00001"), unhex(t, "123456789012345600000001")
	tdesID, aesID := unhex(t, "FFFF9876543210E00000"), unhex(t, "1234567890123456")
	const table = "0123456789012345"
	validation := make([]byte, 8)
	chip := core.Chip{PAN: text(pan), PSN: "00", Profile: "visa_cvn18", Fields: cryptogram.Fields{
		0x9F26: make([]byte, 8), 0x9F36: {0, 1}, 0x9F10: unhex(t, "06011203000000"), 0x9F02: make([]byte, 6), 0x9F03: make([]byte, 6),
		0x9F1A: {8, 0x40}, 0x95: make([]byte, 5), 0x5F2A: {8, 0x40}, 0x9A: {0x26, 0x11, 0x25}, 0x9C: {0}, 0x9F37: make([]byte, 4), 0x82: {0x18, 0},
	}}
	pin, card := text("1234"), text(pan)
	zeros := func() *bytes.Reader { return bytes.NewReader(make([]byte, 64)) }
	tx, err := core.NewTransaction(key(t, "B0TX", double), tdesKSN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := tx.PINKey()
	if err != nil {
		t.Fatal(err)
	}
	return []act{
		{"GeneratePVV", "V2", "T", "CG", func(k core.Key) error { return second(core.GeneratePVV(k, 1, pin, card)) }},
		{"VerifyPVV", "V2", "T", "CV", func(k core.Key) error { return second(core.VerifyPVV(k, 1, "0000", pin, card)) }},
		{"GenerateOffset", "V1", "T", "CG", func(k core.Key) error { return second(core.GenerateOffset(k, table, validation, pin)) }},
		{"VerifyOffset", "V1", "T", "CV", func(k core.Key) error { return second(core.VerifyOffset(k, table, validation, "0000", pin)) }},
		{"GenerateCVV", "C0", "T", "CG", func(k core.Key) error { return second(core.GenerateCVV(k, card, "2912", "201")) }},
		{"VerifyCVV", "C0", "T", "CV", func(k core.Key) error { return second(core.VerifyCVV(k, card, "2912", "201", text("000"))) }},
		{"VerifyDCVV", "E4", "T", "X", func(k core.Key) error {
			return second(core.VerifyDCVV(k, card, "00", "2912", "201", []byte{0, 1}, text("000")))
		}},
		{"VerifyCVC3", "E4", "T", "X", func(k core.Key) error {
			return second(core.VerifyCVC3(k, card, "00", text(pan+"D2912"), make([]byte, 4), []byte{0, 1}, text("000")))
		}},
		{"VerifyARQC", "E0", "T", "X", func(k core.Key) error { return second(core.VerifyARQC(k, chip)) }},
		{"ARPCKey", "E0", "T", "X", func(k core.Key) error { return second(core.ARPCKey(k, chip)) }},
		{"IssuerAuthData", "E0", "T", "X", func(k core.Key) error { return second(core.IssuerAuthData(k, chip, "00")) }},
		{"GenerateMAC", "M3 M6", "TA", "CG", func(k core.Key) error { return second(core.GenerateMAC(k, mac.Padding2, []byte("data"))) }},
		{"VerifyMAC", "M3 M6", "TA", "CV", func(k core.Key) error {
			return second(core.VerifyMAC(k, mac.Padding2, []byte("data"), make([]byte, 8)))
		}},
		{"EncryptCBC", "D0", "TA", "BE", func(k core.Key) error {
			return second(core.EncryptCBC(k, make([]byte, blockOf(k)), secret.New(make([]byte, 16))))
		}},
		{"DecryptCBC", "D0", "TA", "BD", func(k core.Key) error {
			return second(core.DecryptCBC(k, make([]byte, blockOf(k)), make([]byte, 16)))
		}},
		{"DecodePIN", "P0", "TA", "BD", func(k core.Key) error {
			_, _, err := core.DecodePIN(k, formatOf(k), make([]byte, blockOf(k)), card)
			return err
		}},
		// The block of another key holds no PIN: ErrInput, once the keys are right.
		{"TranslatePIN from", "P0", "TA", "BD", func(k core.Key) error {
			return noPIN(second(core.TranslatePIN(k, formatOf(k), make([]byte, blockOf(k)), key(t, "P0TE", double), pinblock.ISO3, card, zeros())))
		}},
		{"TranslatePIN to", "P0", "TA", "BE", func(k core.Key) error {
			return noPIN(second(core.TranslatePIN(key(t, "P0TD", double), pinblock.ISO0, make([]byte, 8), k, formatOf(k), card, zeros())))
		}},
		{"PINKey.Translate", "P0", "TA", "BE", func(k core.Key) error {
			block := unhex(t, "1B9C1845EB993A7A") // X9.24-1:2009, A.4
			return second(terminal.Translate(pinblock.ISO0, block, k, formatOf(k), text("4012345678909"), zeros()))
		}},
		{"NewTransaction TDES", "B0", "T", "X", func(k core.Key) error { return second(core.NewTransaction(k, tdesKSN)) }},
		{"NewTransaction AES", "B0", "A", "X", func(k core.Key) error { return second(core.NewTransaction(k, aesKSN)) }},
		{"InitialKey TDES", "B0", "T", "X", func(k core.Key) error { return second(core.InitialKey(k, tdesID)) }},
		{"InitialKey AES", "B0", "A", "X", func(k core.Key) error { return second(core.InitialKey(k, aesID)) }},
	}
}

func noPIN(err error) error {
	if errors.Is(err, core.ErrInput) {
		return nil
	}
	return err
}

// everyKey makes one key of each kind that may exist.
func everyKey(t *testing.T) (keys []core.Key) {
	t.Helper()
	value := make([]byte, 32)
	for i := range value {
		value[i] = byte(3*i + 1)
	}
	for _, usage := range strings.Fields("B0 B1 C0 D0 E0 E1 E2 E4 K0 K1 M3 M6 M7 P0 V1 V2") {
		before := len(keys)
		for _, algorithm := range "TAH" {
			for _, mode := range "BCDEGVX" {
				for _, n := range []int{8, 16, 24, 32} {
					if (core.Attributes{Usage: usage, Algorithm: string(algorithm), Mode: string(mode)}).Valid(n) {
						keys = append(keys, keyOf(t, usage, string(algorithm), string(mode), value[:n]))
					}
				}
			}
		}
		if len(keys) == before {
			t.Errorf("no key of usage %s can exist", usage)
		}
	}
	return keys
}

// Every operation with every key that can exist: done with the keys made for it,
// ErrUse with all others.
func TestEveryKeyInEveryOperation(t *testing.T) {
	keys := everyKey(t)
	for _, a := range acts(t) {
		allowed := 0
		for _, k := range keys {
			err := a.run(k)
			if strings.Contains(a.usages, k.Usage) && strings.Contains(a.algorithms, k.Algorithm) && strings.Contains(a.may, k.Mode) {
				allowed++
				if err != nil {
					t.Errorf("%s with a key %+v of %d bytes: %v", a.name, k.Attributes, k.Len(), err)
				}
				continue
			}
			if !errors.Is(err, core.ErrUse) {
				t.Errorf("%s takes a key %+v of %d bytes: %v", a.name, k.Attributes, k.Len(), err)
			}
		}
		if allowed == 0 {
			t.Errorf("%s: no key was right", a.name)
		}
	}
}

// A wiped key, a key that never was, and one whose attributes were changed
// afterwards do nothing.
func TestWipedKeysRefuse(t *testing.T) {
	for _, a := range acts(t) {
		if err := a.run(core.Key{}); !errors.Is(err, core.ErrUse) {
			t.Errorf("%s with no key: %v", a.name, err)
		}
		for _, k := range everyKey(t) {
			if a.run(k) != nil {
				continue
			}
			forged := k
			forged.Algorithm = map[string]string{"T": "A", "A": "T"}[k.Algorithm]
			if !forged.Valid(forged.Len()) {
				if err := a.run(forged); !errors.Is(err, core.ErrUse) {
					t.Errorf("%s with a key called %s: %v", a.name, forged.Algorithm, err)
				}
			}
			twin := k
			k.Wipe()
			for _, dead := range []core.Key{k, twin} {
				if err := a.run(dead); !errors.Is(err, core.ErrUse) {
					t.Errorf("%s with a wiped key %+v: %v", a.name, k.Attributes, err)
				}
			}
		}
	}
}
