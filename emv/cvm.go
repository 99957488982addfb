package emv

import "fmt"

// A CVMCode is the first byte of a cardholder verification rule (Book 3 Annex
// C3): the method in the low six bits, bit 7 to try the next rule on failure.
type CVMCode byte

// The cardholder verification methods.
const (
	CVMFail                   CVMCode = 0x00 // fail CVM processing
	CVMPlaintextPIN           CVMCode = 0x01
	CVMOnlinePIN              CVMCode = 0x02
	CVMPlaintextPINSignature  CVMCode = 0x03
	CVMEncipheredPIN          CVMCode = 0x04
	CVMEncipheredPINSignature CVMCode = 0x05
	CVMSignature              CVMCode = 0x1E
	CVMNone                   CVMCode = 0x1F // no CVM required
	CVMNotPerformed           CVMCode = 0x3F // in CVM Results only
	cvmContinue               CVMCode = 0x40
	cvmMethod                 CVMCode = 0x3F
	cvmRuleBytes                      = 2
	cvmAmountBytes                    = 8
	maxCVMListBytes                   = 252
)

// Method is c without the bit that says what to do on failure.
func (c CVMCode) Method() CVMCode { return c & cvmMethod }

// ContinueIfFailed reports whether the next rule is tried when this one fails.
func (c CVMCode) ContinueIfFailed() bool { return c&cvmContinue != 0 }

// String is the method in words.
func (c CVMCode) String() string {
	switch m := c.Method(); m {
	case CVMFail:
		return "Fail CVM processing"
	case CVMPlaintextPIN:
		return "Plaintext PIN verified by ICC"
	case CVMOnlinePIN:
		return "Enciphered PIN verified online"
	case CVMPlaintextPINSignature:
		return "Plaintext PIN verified by ICC and signature"
	case CVMEncipheredPIN:
		return "Enciphered PIN verified by ICC"
	case CVMEncipheredPINSignature:
		return "Enciphered PIN verified by ICC and signature"
	case CVMSignature:
		return "Signature"
	case CVMNone:
		return "No CVM required"
	case CVMNotPerformed:
		return "No CVM performed"
	default:
		return fmt.Sprintf("Unknown method %02X", byte(m))
	}
}

// A CVMCondition is the second byte of a rule (Book 3 Annex C3).
type CVMCondition byte

// The conditions. X and Y are the amounts of the list, in the application currency.
const (
	CVMAlways         CVMCondition = 0x00
	CVMUnattendedCash CVMCondition = 0x01
	CVMNotCash        CVMCondition = 0x02 // not unattended cash, not manual cash, not cashback
	CVMIfSupported    CVMCondition = 0x03
	CVMManualCash     CVMCondition = 0x04
	CVMCashback       CVMCondition = 0x05
	CVMUnderX         CVMCondition = 0x06
	CVMOverX          CVMCondition = 0x07
	CVMUnderY         CVMCondition = 0x08
	CVMOverY          CVMCondition = 0x09
)

// String is the condition in words.
func (c CVMCondition) String() string {
	names := [...]string{"always", "if unattended cash",
		"if not unattended cash, manual cash or purchase with cashback",
		"if the terminal supports the CVM", "if manual cash", "if purchase with cashback",
		"if in application currency and under X", "if in application currency and over X",
		"if in application currency and under Y", "if in application currency and over Y"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("unknown condition %02X", byte(c))
}

// A CVMRule is one rule of a list.
type CVMRule struct {
	Code      CVMCode
	Condition CVMCondition
}

// A CVMList is tag 8E: two amounts and rules in order of preference.
type CVMList struct {
	X, Y  uint32 // in minor units of the application currency
	Rules []CVMRule
}

// ParseCVMList reads a value of tag 8E (Book 3 10.5). A list shorter than its
// two amounts, longer than 252 bytes or with half a rule gives ErrFormat. A
// list without rules is returned; it counts as no list.
func ParseCVMList(value []byte) (CVMList, error) {
	if len(value) < cvmAmountBytes || len(value) > maxCVMListBytes || len(value)%cvmRuleBytes != 0 {
		return CVMList{}, fmt.Errorf("%w: CVM list of %d bytes", ErrFormat, len(value))
	}
	list := CVMList{X: be32(value), Y: be32(value[4:])}
	for r := value[cvmAmountBytes:]; len(r) > 0; r = r[cvmRuleBytes:] {
		list.Rules = append(list.Rules, CVMRule{CVMCode(r[0]), CVMCondition(r[1])})
	}
	return list, nil
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// A CVMOutcome is the third byte of the CVM Results (Book 4 Annex A4).
type CVMOutcome byte

// The outcomes of cardholder verification.
const (
	CVMUnknown    CVMOutcome = 0 // signature and online PIN: known only later
	CVMFailed     CVMOutcome = 1
	CVMSuccessful CVMOutcome = 2
)

// String is "unknown", "failed" or "successful".
func (o CVMOutcome) String() string {
	switch o {
	case CVMUnknown:
		return "unknown"
	case CVMFailed:
		return "failed"
	case CVMSuccessful:
		return "successful"
	}
	return fmt.Sprintf("reserved %02X", byte(o))
}

// CVMResults is tag 9F34: the rule performed last and how it ended.
type CVMResults struct {
	CVMRule
	Outcome CVMOutcome
}

// ParseCVMResults reads a value of tag 9F34; another length than 3 gives ErrFormat.
func ParseCVMResults(value []byte) (CVMResults, error) {
	if len(value) != 3 {
		return CVMResults{}, fmt.Errorf("%w: CVM Results of %d bytes", ErrFormat, len(value))
	}
	return CVMResults{CVMRule{CVMCode(value[0]), CVMCondition(value[1])}, CVMOutcome(value[2])}, nil
}

// Bytes is the value of tag 9F34.
func (r CVMResults) Bytes() []byte {
	return []byte{byte(r.Code), byte(r.Condition), byte(r.Outcome)}
}

// String is the result in words.
func (r CVMResults) String() string {
	return fmt.Sprintf("%v, %v: %v", r.Code, r.Condition, r.Outcome)
}
