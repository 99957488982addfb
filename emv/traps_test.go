package emv_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"tallystick.example/emv"
)

// Data for a list: format n is cut and filled on the left with 00, cn cut on the
// right and filled there with FF, all others cut and filled on the right with 00;
// what is unknown, constructed or has no length is zeros or nothing (Book 3 5.4).
func TestTrap10DataForALength(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var d emv.Data
	for tag, value := range map[emv.Tag]string{
		emv.TagAmount: "000000012345", emv.TagPAN: "4761739001010010", emv.TagTVR: "8000008000", emv.TagTerminalID: "5445524D30303031",
	} {
		d.Set(tag, unhex(value))
	}
	for name, c := range map[string]struct{ dol, want string }{
		"n as it is":         {"9F0206", "000000012345"},
		"n cut on the left":  {"9F0202", "2345"},
		"n filled left":      {"9F0208", "0000000000012345"},
		"cn cut right":       {"5A03", "476173"},
		"cn filled right":    {"5A0A", "4761739001010010FFFF"},
		"b cut right":        {"9502", "8000"},
		"b filled right":     {"9507", "80000080000000"},
		"an cut right":       {"9F1C03", "544552"},
		"an filled right":    {"9F1C0A", "5445524D303030310000"},
		"not there":          {"9F3704", "00000000"},
		"unknown tag":        {"9F7E03", "000000"},
		"constructed":        {"7004", "00000000"},
		"length zero":        {"9F0200", ""},
		"one after another":  {"9F02029502", "23458000"},
		"zero in the middle": {"9F0202950095" + "02", "23458000"},
	} {
		got, err := emv.BuildDOL(unhex(c.dol), &d)
		if err != nil || !bytes.Equal(got, unhex(c.want)) {
			t.Errorf("%s: %X, %v, want %s", name, got, err, c.want)
		}
	}
}
