package iso8583

import "slices"

// An Action is what a terminal does with an answer.
type Action uint8

// The actions. A payment is approved or declined; what is stored (advices,
// reversals, reconciliations) closes, is tried again or goes to the operators.
const (
	Approve Action = iota + 1
	Decline
	Close
	Retry
	Manual
	Upload // send the batch (0320), then 0520
)

// String names the action.
func (a Action) String() string {
	return [...]string{"-", "approve", "decline", "close", "retry", "manual", "upload"}[a]
}

// A ResponseCode is one row of the table of DE 39.
type ResponseCode struct {
	Code    string
	Meaning string
	// Payment (0110, 0210) is Approve or Decline.
	Payment Action
	// Reverse says that the terminal must reverse the attempt although it was
	// answered.
	Reverse bool
	// Advice (0230, 0330), Reversal (0410, 0430), Reconcile (0510, 0530) and
	// Network (0810) are Close, Retry, Manual or Upload.
	Advice, Reversal, Reconcile, Network Action
}

// declined is a row of a payment that is refused; the same code to something
// stored cannot be cured by sending it again.
func declined(code, meaning string) ResponseCode {
	return ResponseCode{code, meaning, Decline, false, Manual, Manual, Manual, Manual}
}

// later is a row of a code that says nothing final: what is stored is tried again.
func later(code, meaning string, reverse bool) ResponseCode {
	return ResponseCode{code, meaning, Decline, reverse, Retry, Retry, Retry, Retry}
}

var responseCodes = []ResponseCode{
	{"00", "approved, or done", Approve, false, Close, Close, Close, Close},
	declined("01", "refer to card issuer"),
	declined("03", "invalid merchant"),
	declined("04", "capture card"),
	declined("05", "do not honour"),
	later("09", "request in progress", true),
	{"10", "approved for a partial amount", Approve, false, Manual, Manual, Manual, Manual},
	declined("12", "invalid transaction"),
	declined("13", "invalid amount"),
	declined("14", "invalid card number"),
	declined("15", "no such issuer"),
	later("19", "try again later", false),
	{"1A", "PIN required: start a new linked attempt with PIN", Decline, false, Manual, Manual, Manual, Manual},
	{"21", "noted: nothing had to be done", Decline, true, Close, Close, Manual, Manual},
	declined("25", "original not found"),
	declined("30", "format error"),
	declined("39", "no credit account"),
	declined("40", "function not supported"),
	declined("41", "lost card"),
	declined("43", "stolen card"),
	declined("51", "not sufficient funds"),
	declined("54", "expired card"),
	declined("55", "incorrect PIN"),
	declined("57", "transaction not permitted to cardholder"),
	declined("58", "transaction not permitted to terminal"),
	declined("59", "suspected fraud"),
	declined("61", "exceeds amount limit"),
	declined("62", "restricted card"),
	{"63", "security violation: MAC, key or counter", Decline, false, Retry, Retry, Retry, Retry},
	declined("64", "original amount incorrect"),
	declined("65", "exceeds frequency limit"),
	declined("68", "received too late: already reversed"),
	declined("75", "PIN tries exceeded"),
	declined("82", "card security value or cryptogram wrong"),
	declined("86", "PIN cannot be verified"),
	later("90", "cut-off in progress", false),
	later("91", "issuer not available", false),
	later("92", "issuer cannot be reached", false),
	declined("94", "duplicate: same identity, other content"),
	{"95", "reconciliation: totals differ", Decline, true, Manual, Manual, Upload, Manual},
	later("96", "system error", true),
}

// ResponseCodes returns the table of DE 39, a copy.
func ResponseCodes() []ResponseCode { return slices.Clone(responseCodes) }

// ResponseCodeOf finds the row of a code. A code outside the table approves
// nothing: a payment is declined and must be reversed, anything stored goes to
// the operators. It reports whether the table has the code.
func ResponseCodeOf(code string) (ResponseCode, bool) {
	for i := range responseCodes {
		if responseCodes[i].Code == code {
			return responseCodes[i], true
		}
	}
	return ResponseCode{code, "unknown", Decline, true, Manual, Manual, Manual, Manual}, false
}

// ActionFor says what a terminal does with code in the answer to a message of
// type t (request or answer type), and whether it must reverse the attempt.
func ActionFor(t MTI, code string) (a Action, reverse bool) {
	r, _ := ResponseCodeOf(code)
	switch t.Class() {
	case ClassPayment:
		return r.Payment, r.Reverse
	case ClassAdvice:
		return r.Advice, false
	case ClassReversal:
		return r.Reversal, false
	case ClassReconciliation:
		// What remains different after the upload is for the operators.
		if t.Request() == ReconcileAdvice && r.Reconcile == Upload {
			return Manual, false
		}
		return r.Reconcile, false
	case ClassNetwork:
		return r.Network, false
	}
	return Manual, false
}
