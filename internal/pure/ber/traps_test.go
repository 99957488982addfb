package ber_test

import (
	"errors"
	"testing"

	"tallystick.example/internal/pure/ber"
)

// Filler 00 between objects is passed over; FF, which some cards have there, and
// lengths that run out of the template are refused (Book 3 Annex B).
func TestTrap31Filler(t *testing.T) {
	nodes, err := ber.Parse(unhex(t, "0000 70 07 00 9C0100 00 00 00 00"), ber.Limits{})
	if err != nil || len(nodes) != 1 || len(nodes[0].Children) != 1 || nodes[0].Children[0].Tag != 0x9C {
		t.Errorf("%v, %v", nodes, err)
	}
	for name, in := range map[string]string{
		"FF behind":              "70 05 9C0100 FFFF",
		"FF before":              "70 05 FFFF 9C0100",
		"FF after the template":  "70 03 9C0100 FF",
		"length of 91 too long":  "910C A584F949",
		"length of 91 too short": "9102 A584F94900820000",
		"length on 81 runs out":  "9181FF A584F949",
	} {
		if nodes, err := ber.Parse(unhex(t, in), ber.Limits{}); !errors.Is(err, ber.ErrMalformed) || nodes != nil {
			t.Errorf("%s: %v, %v", name, nodes, err)
		}
	}
}
