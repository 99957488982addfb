package iso8583_test

import (
	"bytes"
	"reflect"
	"testing"

	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// samplePrivate has every tag, each with a value of its own.
func samplePrivate() iso8583.Private {
	return iso8583.Private{
		AttemptID: attempt(1), OriginalAttemptID: attempt(2),
		MACKSN: unhex(sampleKSN), PINKSN: unhex("FFFF9876543210E00001"), DataKSN: unhex(sampleKSN),
		CardData: card(), PINBlock: secret.New(unhex("C0FFEE00112233445566778899AABBCC")), Reason: iso8583.ReasonBadMAC,
		ScriptResults: unhex("2000000000"), FinalChipData: unhex("9F270140"),
		KeyBlock: "D0112B1TX00E0000", KCV: unhex("010203"),
		Totals:  &iso8583.Totals{Batch: 1, Currency: 978, Credits: iso8583.Total{Count: 1, Minor: 2}, Debits: iso8583.Total{Count: 3, Minor: 1 << 60}},
		Request: &iso8583.ParameterRequest{Set: 1, Version: 2, Offset: 3}, Chunk: &iso8583.ParameterChunk{Set: 1, Version: 2, Offset: 3, Total: 8, Data: []byte{1, 2, 3, 4, 5}},
		Software: "1.2.3", Parameters: []iso8583.ParameterVersion{{Set: 1, Version: 2}, {Set: 2, Version: 9}}, Capabilities: iso8583.CapTip,
		Token: "T0KEN0T0KEN0T0KEN", Checkpoint: checkpoint(), HighestKSNs: [][]byte{unhex(sampleKSN)},
		Queues: &iso8583.Queues{Reversals: 1, Advices: 2, Manual: 3}, Upload: &iso8583.UploadPosition{Batch: 1, Index: 2, Count: 2},
		Confirmed: []iso8583.AttemptID{attempt(4), attempt(5)},
	}
}

func TestPrivateRoundTrip(t *testing.T) {
	want := samplePrivate()
	b, err := want.AppendTo([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	b = b[len("before"):]
	got, err := iso8583.ParsePrivate(b)
	if err != nil {
		t.Fatal(err)
	}
	if !got.PINBlock.Equal(want.PINBlock) {
		t.Error("the PIN block changed")
	}
	// DeepEqual looks at the pointers of secrets, which differ.
	got.PINBlock, want.PINBlock = secret.Secret{}, secret.Secret{}
	if !reflect.DeepEqual(got, want) {
		t.Error("DE 63 does not read back as it was written")
	}
	seen := map[byte]bool{}
	for at := 0; at < len(b); at += 3 + int(b[at+1])<<8 + int(b[at+2]) {
		seen[b[at]] = true
	}
	for _, tag := range iso8583.Tags() {
		if !seen[tag.Tag] {
			t.Errorf("tag %02X was not written", tag.Tag)
		}
	}
}

func TestPrivateRefusals(t *testing.T) {
	good := "010010A1B2C3D4E5F607180000000000000001"
	for name, in := range map[string]string{
		"a repeat": good + good, "an unknown tag twice": "F00001AAF00001AA", "half a tag": "0100", "half a value": "010010A1",
		"too short": "01000FA1B2C3D4E5F6071800000000000000", "zero attempt id": "01001000000000000000000000000000000000",
		"KSN of 11 bytes": "03000B0102030405060708090A0B", "IV of 9 bytes": "060013" + "09" + "000000000000000000000000000000000000",
		"half a block": "060012" + "08" + "0000000000000000000000000000000000", "no such reason": "0800010D", "reason zero": "08000100",
		"half a script": "090006200000000020", "letters in the currency": "0D0036" + "00000001" + "0A78" + zeros(48),
		"currency of four digits": "0D0036" + "00000001" + "1978" + zeros(48), "negative total": "0D0036" + "00000001" + "0978" + "00000000FFFFFFFFFFFFFFFF" + zeros(36),
		"chunk beyond its end": "0F002E" + "01" + "00000001" + "00000000" + "00000000" + zeros(32) + "AA",
		"half a version":       "110006010000000202", "a space in a token": "13001041424344454647484950515253545520" + "56",
		"a control character": "1000010A", "node name of 17": "14000111",
		"counter of 11 bytes": "15000C" + "0B" + zeros(11), "counters cut off": "15000C" + "0A" + zeros(10) + "0A", "upload past its end": "17000C" + "00000001" + "00000003" + "00000002",
		"upload from zero": "17000C" + "00000001" + "00000000" + "00000002", "half a confirmation": "180011" + zeros(17), "confirmation of nothing": "180010" + zeros(16),
	} {
		if _, err := iso8583.ParsePrivate(unhex(in)); iso8583.RefusalCode(err) != "30" || err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	unknown := unhex("F10003AABBCC" + good + "F20000")
	p, err := iso8583.ParsePrivate(unknown)
	if err != nil || p.AttemptID != attempt(1) {
		t.Errorf("unknown tags were not skipped: %v", err)
	}
	// The result is a copy.
	k := unhex("03000AFFFF9876543210E00001")
	p, err = iso8583.ParsePrivate(k)
	if err != nil {
		t.Fatal(err)
	}
	clear(k)
	if p.MACKSN[0] != 0xFF {
		t.Error("the KSN lies in the caller's memory")
	}
}

func zeros(n int) string { return string(bytes.Repeat([]byte("00"), n)) }

// TestPrivateAppendRefuses: what could not be read back is not written.
func TestPrivateAppendRefuses(t *testing.T) {
	for name, p := range map[string]iso8583.Private{
		"KSN of 11 bytes": {MACKSN: make([]byte, 11)}, "PIN block of 8 bytes": {PINBlock: secret.New(make([]byte, 8))},
		"IV without data": {CardData: iso8583.CardData{IV: make([]byte, 16)}}, "long IV": {CardData: iso8583.CardData{IV: make([]byte, 300)}},
		"chunk too long": {Chunk: &iso8583.ParameterChunk{Total: 9999, Data: make([]byte, 801)}}, "no such reason": {Reason: 99},
		"currency of four digits": {Totals: &iso8583.Totals{Currency: 1978}}, "long node": {Checkpoint: &iso8583.Checkpoint{Node: "a-node-with-a-long-name"}},
		"short token": {Token: "short"}, "empty KSN": {HighestKSNs: [][]byte{{}}}, "negative total": {Totals: &iso8583.Totals{Debits: iso8583.Total{Minor: -1}}},
	} {
		if _, err := p.AppendTo(nil); err == nil {
			t.Errorf("%s was written", name)
		}
		m := iso8583.New(iso8583.FinancialRequest)
		m.SetPrivate(p)
		if _, err := iso8583.Pack(m); err == nil {
			t.Errorf("%s was packed", name)
		}
	}
	big := samplePrivate()
	big.Chunk = &iso8583.ParameterChunk{Total: 800, Data: make([]byte, 800)}
	if _, err := big.AppendTo(nil); err == nil {
		t.Error("more than 999 bytes were written")
	}
}

func TestTotalsNet(t *testing.T) {
	n := iso8583.Totals{Credits: iso8583.Total{Minor: 300}, CreditReversals: iso8583.Total{Minor: 100}, Debits: iso8583.Total{Minor: 5000}, DebitReversals: iso8583.Total{Minor: 700}}
	if n.Net() != 5000-700-300+100 {
		t.Errorf("Net() = %d", n.Net())
	}
}

func FuzzPrivate(f *testing.F) {
	p := samplePrivate()
	all, err := p.AppendTo(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(all)
	f.Add(unhex("F10003AABBCC"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := iso8583.ParsePrivate(in)
		if err != nil {
			return
		}
		out, err := p.AppendTo(nil)
		if err != nil {
			if len(in) <= 999 {
				t.Fatalf("AppendTo(ParsePrivate(%X)): %v", in, err)
			}
			return
		}
		again, err := iso8583.ParsePrivate(out)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.AppendTo(nil); err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("%X is written as %X, then as %X, %v", in, out, twice, err)
		}
	})
}
