package authorize

import (
	"testing"

	"tallystick.example/iso8583"
)

// message builds a message of type t with the elements that identify it.
func message(t iso8583.MTI, terminal, stan string) *iso8583.Message {
	m := iso8583.New(t)
	m.SetDigits(3, "000000")
	m.SetAmount(iso8583.Amount{Minor: 1234, Currency: 978})
	m.SetDigits(7, "0102120000")
	m.SetDigits(11, stan)
	m.SetDigits(12, "130000")
	m.SetDigits(13, "0102")
	m.SetText(41, terminal)
	return m
}

// TestIdentityJoinsMessages proves that repeat and reversal find the row of the
// original, with and without attempt id, and that other terminals do not.
func TestIdentityJoinsMessages(t *testing.T) {
	key := func(m *iso8583.Message, p iso8583.Private) string {
		id, _, err := IdentityOf(m, p)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	sale := message(iso8583.FinancialRequest, "TERM0001", "000001")
	reversal := message(iso8583.ReversalAdvice, "TERM0001", "000002")
	reversal.SetOriginal(iso8583.OriginalOf(sale))
	none := iso8583.Private{}
	for name, m := range map[string]*iso8583.Message{
		"repeat":   message(iso8583.FinancialRepeat, "TERM0001", "000001"),
		"reversal": reversal,
	} {
		if key(sale, none) != key(m, none) {
			t.Errorf("a %s has another identity", name)
		}
	}
	attempt := iso8583.AttemptID{1, 15: 9}
	own := iso8583.AttemptID{1, 15: 10}
	if key(sale, iso8583.Private{AttemptID: attempt}) != key(reversal, iso8583.Private{AttemptID: own, OriginalAttemptID: attempt}) {
		t.Error("the reversal does not find its attempt")
	}
	for name, m := range map[string]*iso8583.Message{
		"terminal": message(iso8583.FinancialRequest, "TERM0002", "000001"),
		"STAN":     message(iso8583.FinancialRequest, "TERM0001", "000003"),
		"MTI":      message(iso8583.AuthorizationRequest, "TERM0001", "000001"),
	} {
		if key(sale, none) == key(m, none) {
			t.Errorf("another %s has the same identity", name)
		}
	}
	bare := iso8583.New(iso8583.FinancialRequest)
	bare.SetText(41, "TERM0001")
	if id, _, err := IdentityOf(bare, none); err == nil {
		t.Errorf("a message without DE 11 is %q", id)
	}
	if id, _, err := IdentityOf(message(iso8583.ReversalAdvice, "TERM0001", "000001"), none); err == nil {
		t.Errorf("a reversal without DE 90 is %q", id)
	}
}

// TestSubjectIsAmountAndType: what a reversal must agree on.
func TestSubjectIsAmountAndType(t *testing.T) {
	sale := message(iso8583.FinancialRequest, "TERM0001", "000001")
	same := message(iso8583.ReversalAdvice, "TERM0001", "000009")
	if subjectOf(sale) != subjectOf(same) {
		t.Error("STAN and MTI are part of the subject")
	}
	for name, change := range map[string]func(*iso8583.Message){
		"amount":   func(m *iso8583.Message) { m.SetNumber(4, 1235) },
		"currency": func(m *iso8583.Message) { m.SetNumber(49, 840) },
		"type":     func(m *iso8583.Message) { m.SetDigits(3, "010000") },
		"absent":   func(m *iso8583.Message) { m.Clear(4) },
	} {
		m := same.Clone()
		change(m)
		if subjectOf(m) == subjectOf(sale) {
			t.Errorf("another %s is the same subject", name)
		}
	}
}
