package transport_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"tallystick.example/emv/transport"
)

// 61xx may come again after a GET RESPONSE, 6Cxx wants the same command with the
// exact length, and a warning may still have data to fetch (EMV Level 1 Annex A).
func TestTrap25GetResponseAndExactLength(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		command string
		steps   []string // what must be sent, then what comes back
		data    string
		sw      uint16
	}{
		"61 twice":        {"80A8000002830000", []string{"80A8000002830000", "6103", "00C0000003", "0102036102", "00C0000002", "04059000"}, "0102030405", 0x9000},
		"6C":              {"00B2010C00", []string{"00B2010C00", "6C03", "00B2010C03", "7001009000"}, "700100", 0x9000},
		"warning":         {"00A4040007A000000003101000", []string{"00A4040007A000000003101000", "6283", "00C0000000", "6C02", "00C0000002", "6F009000"}, "6F00", 0x6283},
		"nothing special": {"00B2010C00", []string{"00B2010C00", "70009000"}, "7000", 0x9000},
	} {
		x, err := transport.NewExchange(unhex(c.command), transport.LevelAPDU)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(c.steps); i += 2 {
			if sent := x.Send(); !bytes.Equal(sent, unhex(c.steps[i])) {
				t.Fatalf("%s: sent %X, want %s", name, sent, c.steps[i])
			}
			if err := x.Receive(unhex(c.steps[i+1])); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		r, ok := x.Response()
		if !ok || !bytes.Equal(r.Data, unhex(c.data)) || r.SW != c.sw {
			t.Errorf("%s: %X %04X, ended %v", name, r.Data, r.SW, ok)
		}
	}
}
