package hsmtest

import (
	"fmt"
	"slices"
	"testing"

	"tallystick.example/iso8583"
)

// What the suite sends must be what terminals send, or its verdicts would prove
// nothing.
func TestMessagesObeyTheTable(t *testing.T) {
	for _, set := range []struct{ bdk, set string }{{aesBDK, aesSet}, {tdesBDK, tdesSet}} {
		tm := newTerminal(t, set.bdk, set.set, "")
		for name, p := range map[string]payment{
			"stripe with PIN": {card: stripe(t, testPAN, testPAN+"=291220111234"), pin: "1234"},
			"chip":            {card: plain(chipPAN), chip: unhex(t, chipData)},
			"keyed":           {card: plain(testPAN), entry: "012"},
		} {
			m, err := iso8583.Unpack(tm.message(t, p))
			if err != nil {
				t.Fatal(err)
			}
			if err := iso8583.Validate(m, iso8583.ToHost); err != nil {
				t.Errorf("%s, %s: %v", tm.set.Scheme, name, err)
			}
		}
	}
}

// The search for planted values finds them in every form that output takes.
func TestShownFindsPlantedValues(t *testing.T) {
	packed := unhex(t, canaryPAN)
	for _, c := range []struct{ name, text, want string }{
		{"text", "card " + canaryPAN, "PAN"},
		{"BCD", "\x57" + string(packed), "packed PAN"},
		{"hex of BCD", fmt.Sprintf("%X", packed), "packed PAN"},
		{"hex of text", fmt.Sprintf("%x", canaryPIN), "PIN"},
		{"key", aesBDK, "base key"},
	} {
		if got := shown(t, []byte(c.text)); !slices.Contains(got, c.want) {
			t.Errorf("%s: found %v, want %s", c.name, got, c.want)
		}
	}
	if got := shown(t, []byte("49297318 0917 TABCDEF")); len(got) != 0 {
		t.Errorf("BIN and last four are taken for %v", got)
	}
}
