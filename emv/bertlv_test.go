package emv_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/moov-io/bertlv"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/testvectors/vectortest"
)

// TestParserAgreesWithBertlv compares our parser with moov-io/bertlv on every
// input that both accept. bertlv v0.1.0 panics on some of those that ours
// refuses, so ours is asked first.
func TestParserAgreesWithBertlv(t *testing.T) {
	compared := 0
	for _, v := range vectortest.Load(t, "emv_tlv", "emv.tlv.decode") {
		in := v.Hex("data")
		ours, err := ber.Parse(in, ber.Limits{})
		if err != nil {
			continue
		}
		theirs, err := bertlv.Decode(in)
		if err != nil {
			continue // it knows no filler
		}
		compared++
		same(t, v.Name, ours, theirs)
	}
	if compared < 50 {
		t.Errorf("only %d inputs were compared", compared)
	}
}

func same(t *testing.T, name string, ours []ber.Node, theirs []bertlv.TLV) {
	t.Helper()
	if len(ours) != len(theirs) {
		t.Errorf("%s: %d objects, bertlv has %d", name, len(ours), len(theirs))
		return
	}
	for i, n := range ours {
		o := theirs[i]
		if emv.Tag(n.Tag).String() != strings.ToUpper(o.Tag) || !n.Constructed() && !bytes.Equal(n.Value, o.Value) {
			t.Errorf("%s: object %d is %v, bertlv has %s", name, i, emv.Tag(n.Tag), o.Tag)
		}
		same(t, name, n.Children, o.TLVs)
	}
}

// TestOurParserRefusesWhatBreaksBertlv keeps the measured reason for a parser
// of our own.
func TestOurParserRefusesWhatBreaksBertlv(t *testing.T) {
	in := unhex(t, "9C88FFFFFFFFFFFFFFFF")
	if _, err := ber.Parse(in, ber.Limits{}); err == nil {
		t.Error("accepted")
	}
	defer func() {
		if recover() == nil {
			t.Error("bertlv no longer panics: the reason for our own parser should be looked at again")
		}
	}()
	_, err := bertlv.Decode(in)
	t.Logf("bertlv answered %v", err)
}
