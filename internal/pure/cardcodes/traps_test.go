package cardcodes_test

import (
	"encoding/binary"
	"strconv"
	"testing"

	"tallystick.example/internal/pure/cardcodes"
	"tallystick.example/testvectors/vectortest"
)

// A CVC3 has five digits: leading zeros count, or the comparison of its last
// three breaks below 100.
func TestTrap30CVC3KeepsLeadingZeros(t *testing.T) {
	zeros := 0
	for i := range uint16(2000) {
		code, err := cardcodes.CVC3(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), []byte{1, 2}, []byte{0, 0, 8, 99}, binary.BigEndian.AppendUint16(nil, i))
		if err != nil || len(code) != 5 {
			t.Fatalf("ATC %d: %q, %v", i, code, err)
		}
		if n, err := strconv.Atoi(string(code)); err != nil || n > 65535 {
			t.Fatalf("ATC %d: %q, %v", i, code, err)
		}
		if code[0] == '0' {
			zeros++
		}
	}
	if zeros == 0 {
		t.Error("no code began with zero")
	}
	led := 0
	for _, v := range vectortest.Load(t, "card_codes", "card.cvc3") {
		if len(v.Out.Text("cvc3")) != 5 {
			t.Errorf("%s states %q", v.Name, v.Out.Text("cvc3"))
		}
		if v.Out.Text("cvc3")[0] == '0' {
			led++
		}
	}
	if led == 0 {
		t.Error("no vector has a leading zero")
	}
}
