package iso8583_test

import (
	"fmt"
	"strings"
	"testing"

	"tallystick.example/iso8583"
)

func TestMTI(t *testing.T) {
	for _, c := range []struct{ mti, repeat, answer, request string }{
		{"0100", "0101", "0110", "0100"}, {"0101", "0101", "0110", "0100"}, {"0110", "", "", "0100"},
		{"0200", "0201", "0210", "0200"}, {"0220", "0221", "0230", "0220"}, {"0221", "0221", "0230", "0220"}, {"0320", "0321", "0330", "0320"},
		{"0400", "0401", "0410", "0400"}, {"0420", "0421", "0430", "0420"}, {"0430", "", "", "0420"}, {"0500", "", "0510", "0500"},
		{"0520", "0521", "0530", "0520"}, {"0800", "", "0810", "0800"},
	} {
		m, ok := iso8583.ParseMTI(c.mti)
		if !ok || !m.Known() || m.String() != c.mti || m.Request().String() != c.request {
			t.Errorf("%s reads as %s of %s", c.mti, m, m.Request())
		}
		if r, ok := m.Repeat(); ok != (c.repeat != "") || ok && r.String() != c.repeat {
			t.Errorf("%s repeats as %s", c.mti, r)
		}
		if a, ok := m.Answer(); ok != (c.answer != "") || ok && a.String() != c.answer {
			t.Errorf("%s is answered by %s", c.mti, a)
		}
	}
	for _, s := range []string{"", "200", "02000", "02A0"} {
		if _, ok := iso8583.ParseMTI(s); ok {
			t.Errorf("%q was read", s)
		}
	}
	if iso8583.MTI(0).Known() || iso8583.MTI(0x0501).Known() || !iso8583.ReversalAdviceRepeat.IsRepeat() || iso8583.ReversalAdviceRepeat.ClearRepeat() != iso8583.ReversalAdvice {
		t.Error("the repeat digit is misread")
	}
}

// TestTablesAreWhole: rows are sorted and unique, presence rows are complete.
func TestTablesAreWhole(t *testing.T) {
	for de, i := 2, 0; de <= 128; de++ {
		if de == 65 {
			continue
		}
		if e := iso8583.Elements()[i]; e.DE != de || e.Name == "" || e.Length == 0 {
			t.Fatalf("row %d is DE %d, want %d", i, e.DE, de)
		}
		i++
	}
	letters := "MCOEe-"
	for _, e := range iso8583.Elements() {
		for _, c := range iso8583.Columns() {
			p := e.Presence(c)
			if !strings.ContainsRune(letters, rune(p)) {
				t.Errorf("DE %d in %s: %q", e.DE, c, p)
			}
			if (p == iso8583.EchoMandatory || p == iso8583.EchoIfPresent) != c.IsAnswer() && p != iso8583.Never && !strings.ContainsRune("MCO", rune(p)) {
				t.Errorf("DE %d: %s is no answer and cannot echo", e.DE, c)
			}
		}
		if strings.Contains(e.Rule, "Refused") && !e.Sensitive {
			t.Errorf("DE %d would be shown", e.DE)
		}
	}
	last := byte(0)
	for _, tag := range iso8583.Tags() {
		if tag.Tag <= last {
			t.Errorf("tag %02X is out of order", tag.Tag)
		}
		last = tag.Tag
		for _, c := range iso8583.Columns() {
			if !strings.ContainsRune(letters, rune(tag.Presence(c))) {
				t.Errorf("tag %02X in %s: %q", tag.Tag, c, tag.Presence(c))
			}
		}
	}
	seen := map[string]bool{}
	for i, row := range iso8583.Transactions() {
		key := fmt.Sprint(row.MTI, row.Processing, row.Condition)
		if seen[key] || int(row.Type) != i+1 || row.Type.String() != row.Name {
			t.Errorf("%s is out of place or not told apart", row.Name)
		}
		seen[key] = true
		if row.Reverse && row.MTI.Class() != iso8583.ClassPayment {
			t.Errorf("%s: an advice is repeated, not reversed", row.Name)
		}
	}
	if (iso8583.TransactionType(0)).String() != "unknown" || iso8583.ReversalReason(0).String() != "unknown" {
		t.Error("the zero values have names")
	}
}

// TestResponseCodes: only 00 and the documented 21 close a reversal or advice,
// and only 00 and 10 approve.
func TestResponseCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range iso8583.ResponseCodes() {
		if seen[r.Code] || len(r.Code) != 2 || r.Meaning == "" {
			t.Errorf("row %q", r.Code)
		}
		seen[r.Code] = true
		closes := r.Code == "00" || r.Code == "21"
		for _, mti := range []iso8583.MTI{iso8583.ReversalAdviceAnswer, iso8583.ReversalRequest, iso8583.FinancialAdvice, iso8583.UploadAnswer} {
			if a, reverse := iso8583.ActionFor(mti, r.Code); (a == iso8583.Close) != closes || a == iso8583.Approve || reverse {
				t.Errorf("%s in answer to %s: %s", r.Code, mti, a)
			}
		}
		a, reverse := iso8583.ActionFor(iso8583.FinancialAnswer, r.Code)
		if approves := r.Code == "00" || r.Code == "10"; (a == iso8583.Approve) != approves || approves && reverse || !approves && a != iso8583.Decline {
			t.Errorf("%s: %s", r.Code, a)
		}
		if (r.Code == "96" || r.Code == "09") && !reverse {
			t.Errorf("%s leaves the attempt open", r.Code)
		}
	}
	for mti, want := range map[iso8583.MTI]iso8583.Action{iso8583.ReconcileAnswer: iso8583.Upload, iso8583.ReconcileAdviceAnswer: iso8583.Manual} {
		if a, _ := iso8583.ActionFor(mti, "95"); a != want {
			t.Errorf("95 in %s: %s", mti, a)
		}
	}
	if a, reverse := iso8583.ActionFor(iso8583.FinancialRequest, "Q7"); a != iso8583.Decline || !reverse {
		t.Error("an unknown code approves or leaves the attempt open")
	}
	if a, _ := iso8583.ActionFor(iso8583.ReversalAdvice, "Q7"); a != iso8583.Manual {
		t.Error("an unknown code closes a reversal")
	}
	if a, _ := iso8583.ActionFor(iso8583.NetworkRequest, "00"); a != iso8583.Close {
		t.Error("00 does not close a network request")
	}
	if a, _ := iso8583.ActionFor(0, "00"); a != iso8583.Manual {
		t.Error("no message type is settled by 00")
	}
}

// TestDescribeMasks looks for every sensitive value in what Describe and the
// formatters write.
func TestDescribeMasks(t *testing.T) {
	m := unpacked(t, samples(t)[0].raw)
	m.SetDigits(2, "5413330089010434")
	m.SetText(35, "5413330089010434=25121010000000000000")
	m.SetBytes(52, []byte("PINBLOCK"))
	m.SetBytes(55, append(m.Bytes(55), unhex("5A085413330089010434"+"57125413330089010434D25121010000000000F0"+"9F6B0254139F200154")...))
	var b strings.Builder
	for _, l := range iso8583.Describe(m) {
		b.WriteString(l.String() + "\n")
	}
	p, err := m.Private()
	if err != nil {
		t.Fatal(err)
	}
	text := b.String() + fmt.Sprintf("%v %+v %#v %s %x %v %+v", m, m, m, m, m, p, p)
	for _, secret := range []string{"5413330089010434", "5413", "PINBLOCK", "50494E424C4F434B", "50494e424c4f434b", "C0FFEE", "c0ffee", "101112131415161718", "192 255 238"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown in\n%s", secret, text)
		}
	}
	for _, want := range []string{"MTI    message type: 0200 (financial request)", "DE  52 PIN data: [8 bytes]", "DE   3 processing code: 000000 (purchase)", "9F26 chip data: A1A2A3A4A5A6A7A8", "07 AES PIN block: [16 bytes]", "5A chip data: [8 bytes]", "DE  22 point of service entry mode: 051 (chip)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, s := range samples(t) {
		if len(iso8583.Describe(unpacked(t, s.raw))) < 6 {
			t.Errorf("%s is not described", s.name)
		}
	}
	bad := iso8583.New(iso8583.FinancialRequest)
	bad.SetBytes(55, unhex("9F0206"))
	bad.SetBytes(63, unhex("0100"))
	if lines := iso8583.Describe(bad); len(lines) != 5 || lines[2].Value != "[malformed]" || lines[4].Value != "[malformed]" {
		t.Errorf("malformed data: %v", lines)
	}
}

// BenchmarkHost measures what a host does with a request beside the boundary's
// work, as it does it today: validate, and build the answer for sealing.
func BenchmarkHost(b *testing.B) {
	raw := samples(b)[0].raw
	m := unpacked(b, raw)
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := iso8583.Validate(m, iso8583.ToHost); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a, err := iso8583.Answer(m, "00")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := iso8583.PackForMAC(a); err != nil {
				b.Fatal(err)
			}
		}
	})
}
