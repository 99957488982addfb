package iso8583

// An MTI is a message type identifier (ISO 8583:1987, 4.1) in BCD: 0x0200 is
// 0200. The zero value is no message type.
type MTI uint16

// The message types of the interface, requests first, each with its repeat and
// its answer.
const (
	AuthorizationRequest  MTI = 0x0100
	AuthorizationRepeat   MTI = 0x0101
	AuthorizationAnswer   MTI = 0x0110
	FinancialRequest      MTI = 0x0200
	FinancialRepeat       MTI = 0x0201
	FinancialAnswer       MTI = 0x0210
	FinancialAdvice       MTI = 0x0220
	FinancialAdviceRepeat MTI = 0x0221
	FinancialAdviceAnswer MTI = 0x0230
	UploadAdvice          MTI = 0x0320
	UploadAdviceRepeat    MTI = 0x0321
	UploadAnswer          MTI = 0x0330
	ReversalRequest       MTI = 0x0400
	ReversalRequestRepeat MTI = 0x0401
	ReversalRequestAnswer MTI = 0x0410
	ReversalAdvice        MTI = 0x0420
	ReversalAdviceRepeat  MTI = 0x0421
	ReversalAdviceAnswer  MTI = 0x0430
	ReconcileRequest      MTI = 0x0500
	ReconcileAnswer       MTI = 0x0510
	ReconcileAdvice       MTI = 0x0520
	ReconcileAdviceRepeat MTI = 0x0521
	ReconcileAdviceAnswer MTI = 0x0530
	NetworkRequest        MTI = 0x0800
	NetworkAnswer         MTI = 0x0810
)

// ParseMTI reads four decimal digits. It reports false for anything else; it
// does not ask whether the interface knows the type (see [MTI.Known]).
func ParseMTI(s string) (MTI, bool) {
	if len(s) != 4 {
		return 0, false
	}
	var t MTI
	for i := range 4 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		t = t<<4 | MTI(s[i]-'0')
	}
	return t, true
}

// String gives the four digits.
func (t MTI) String() string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[t>>12], digits[t>>8&15], digits[t>>4&15], digits[t&15]})
}

// flow finds the row of the flow table that t belongs to.
func (t MTI) flow() (Flow, bool) {
	for _, f := range flows {
		if t != 0 && (t == f.Request || t == f.Repeat || t == f.Answer) {
			return f, true
		}
	}
	return Flow{}, false
}

// Known reports whether t is in the message table.
func (t MTI) Known() bool { _, ok := t.flow(); return ok }

// IsAnswer reports whether t is an answer, which only the host sends.
func (t MTI) IsAnswer() bool { f, ok := t.flow(); return ok && t == f.Answer }

// IsRepeat reports whether the repeat digit of t is set.
func (t MTI) IsRepeat() bool { return t&0xF == 1 }

// ClearRepeat is t without its repeat digit: 0421 becomes 0420.
func (t MTI) ClearRepeat() MTI { return t &^ 0xF }

// Repeat is the type that repeats t, such as 0421 for 0420 and 0421. It reports
// false when the table knows none (0800, answers).
func (t MTI) Repeat() (MTI, bool) {
	f, ok := t.flow()
	if !ok || t == f.Answer || f.Repeat == 0 {
		return 0, false
	}
	return f.Repeat, true
}

// Answer is the type that answers t, such as 0430 for 0420 and 0421. It reports
// false for answers and for types that the table does not know.
func (t MTI) Answer() (MTI, bool) {
	f, ok := t.flow()
	if !ok || t == f.Answer {
		return 0, false
	}
	return f.Answer, true
}

// Request is the request type of the flow of t, its repeat digit cleared: 0420
// for 0420, 0421 and 0430. For a type that the table does not know it is t.
func (t MTI) Request() MTI {
	if f, ok := t.flow(); ok {
		return f.Request
	}
	return t
}

// Class is the class of the flow of t, ClassUnknown outside the table.
func (t MTI) Class() Class { f, _ := t.flow(); return f.Class }
