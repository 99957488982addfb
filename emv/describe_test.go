package emv_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/testvectors/vectortest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(lines []emv.Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

func TestDescribe(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"TVR": {"9505 0080048000", `95 Terminal Verification Results: 0080048000
  B2b8: ICC and terminal have different application versions
  B3b3: Online CVM captured
  B4b8: Transaction exceeds floor limit
`},
		"template": {"6F14 8407A0000000031010 A509 5004 56495341 870101", `6F File Control Information (FCI) Template
  84 Dedicated File (DF) Name: A0000000031010
  A5 FCI Proprietary Template
    50 Application Label: 56495341 ("VISA")
    87 Application Priority Indicator: 01
      Priority: 1
`},
		"CVM list": {"8E0C 0000000000000000 4201 1E03", `8E Cardholder Verification Method (CVM) List: 000000000000000042011E03
  X: 0
  Y: 0
  4201: Enciphered PIN verified online, if unattended cash, else next
  1E03: Signature, if the terminal supports the CVM, else fail
`},
		"fields": {"9F2701 80 9F3403 420300 8A02 5A33 5F2A02 0978 9F1A02 0840 9A03 261125 9F3501 22 9C01 00",
			`9F27 Cryptogram Information Data: 80 (ARQC)
9F34 Cardholder Verification Method (CVM) Results: 420300 (Enciphered PIN verified online, if the terminal supports the CVM: unknown)
8A Authorisation Response Code: 5A33 ("Z3", unable to go online, offline declined)
5F2A Transaction Currency Code: 0978 (EUR)
9F1A Terminal Country Code: 0840 (US)
9A Transaction Date: 261125 (2026-11-25)
9F35 Terminal Type: 22 (merchant, attended, offline_with_online)
9C Transaction Type: 00 (purchase)
`},
		"wrong length": {"9500 9F2700", `95 Terminal Verification Results:  (malformed: wrong length)
9F27 Cryptogram Information Data:  (malformed: wrong length)
`},
		"scripts and IAD": {"9F5B05 2100000001 9F1007 06011203A0B800", `9F5B Issuer Script Results: 2100000001
  Script 00000001: successful, command 1
9F10 Issuer Application Data: 06011203A0B800
  Layout by its shape: visa_0_1_3
  Derivation key index: 01
  Cryptogram version: 12
  Card Verification Results: 03A0B800
`},
	} {
		lines, err := emv.DescribeAll(unhex(t, c.in))
		if err != nil || text(lines) != c.want {
			t.Errorf("%s: %v\n%s", name, err, text(lines))
		}
	}
}

func TestSensitiveValuesAreMasked(t *testing.T) {
	in := ber.Append(nil, 0x70, unhex(t, "5713 4761739001010119D2212201175892888880FF"+
		"5A08 4761739001010119 5F2009 444F452F4A414E4520 9F1F03 313233"))
	var m emv.Masker
	lines, err := emv.DescribeAll(in)
	shown := m.Response(append(in, 0x90, 0x00))
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"Describe": text(lines), "Masker": shown} {
		for _, leak := range []string{"9001010", "1758928", "444F45", "DOE", "313233"} {
			if strings.Contains(out, leak) {
				t.Errorf("%s shows %s in %s", name, leak, out)
			}
		}
	}
	if !strings.Contains(text(lines), "5A Application Primary Account Number (PAN): 476173******0119") {
		t.Error(text(lines))
	}
	if want := "7031" + "5713" + strings.Repeat("*", 38) + "5A08"; !strings.HasPrefix(shown, want) || !strings.HasSuffix(shown, " 9000") {
		t.Error(shown)
	}
}

func TestMaskerHidesAPANOnceSeen(t *testing.T) {
	var m emv.Masker
	m.Response(unhex(t, "700A 5A08 4761739001010119 9000"))
	for name, shown := range map[string]string{
		"another tag":   m.Response(unhex(t, "770B 9F7C08 4761739001010119 9000")),
		"half a byte":   m.Response(unhex(t, "770C 9F7C09 04761739001010119F 9000")),
		"as characters": m.Response(unhex(t, "7713 9F7C10 34373631373339303031303130313139 9000")),
		"in a command":  m.Command(unhex(t, "80AE8000 08 4761739001010119 00")),
	} {
		if strings.Contains(shown, "90010") || strings.Contains(shown, "3930303130") {
			t.Errorf("%s: %s", name, shown)
		}
	}
	m.Wipe()
}

func TestMaskerCommands(t *testing.T) {
	var m emv.Masker
	for in, want := range map[string]string{
		"00A4040007A000000003101000":                  "00A4 0400 07 A0000000031010 00",
		"00B2010C00":                                  "00B2 010C 00",
		"0020008008 241234FFFFFFFFFF":                 "0020 0080 08 [8 bytes hidden]",
		"8424000210 00112233445566778899AABBCCDDEEFF": "8424 0002 10 [16 bytes hidden]",
		"80A80000000003830000":                        "80A8 0000 00  [5 bytes hidden]",
		"00B2":                                        "00B2",
	} {
		if got := m.Command(unhex(t, in)); got != want {
			t.Errorf("%s is shown as %q", in, got)
		}
	}
	for in, want := range map[string]string{
		"6A82": "6A82", "90": "[1 bytes hidden]", "4761739001010119 9000": "[8 bytes hidden] 9000",
	} {
		if got := m.Response(unhex(t, in)); got != want {
			t.Errorf("%s is shown as %q", in, got)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	vectortest.Seed(f, "emv_tlv")
	f.Fuzz(func(t *testing.T, in []byte) {
		lines, err := emv.DescribeAll(in)
		if err == nil && len(lines) == 0 && len(strings.Trim(string(in), "\x00")) > 0 {
			t.Fatal("nothing is said of an object")
		}
		var m emv.Masker
		m.Response(in)
		m.Command(in)
	})
}
