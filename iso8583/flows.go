package iso8583

import "slices"

// A Class groups message types that are settled by the same rules.
type Class uint8

// The classes of message types.
const (
	ClassUnknown        Class = iota
	ClassPayment              // 0100, 0200: decided now; no answer means a reversal
	ClassAdvice               // 0220, 0320: has happened; repeated until answered
	ClassReversal             // 0400, 0420: undoes; repeated until answered
	ClassReconciliation       // 0500, 0520: compares totals
	ClassNetwork              // 0800: sign-on, echo, keys, parameters
)

// String names the class as the interface document does.
func (c Class) String() string {
	return [...]string{"unknown", "payment", "advice", "reversal", "reconciliation", "network"}[c]
}

// A Flow is one row of the table of message types.
type Flow struct {
	Request, Repeat, Answer MTI // Repeat is zero where none exists
	Class                   Class
	Name                    string
	Rule                    string
}

// flows is the table of message types.
var flows = []Flow{
	{AuthorizationRequest, AuthorizationRepeat, AuthorizationAnswer, ClassPayment, "authorization",
		"Reserves or asks; nothing is posted to the merchant. Our terminals never repeat it: they reverse it."},
	{FinancialRequest, FinancialRepeat, FinancialAnswer, ClassPayment, "financial request",
		"Authorizes and posts at once. Our terminals never repeat it: they reverse it."},
	{FinancialAdvice, FinancialAdviceRepeat, FinancialAdviceAnswer, ClassAdvice, "financial advice",
		"Tells what has been decided at the terminal. Stored, sent in order, repeated until answered."},
	{UploadAdvice, UploadAdviceRepeat, UploadAnswer, ClassAdvice, "batch upload advice",
		"One for each approved payment of the batch, after a 0510 or 0530 with DE 39 = 95."},
	{ReversalRequest, ReversalRequestRepeat, ReversalRequestAnswer, ClassReversal, "reversal request",
		"The same as 0420 for clients that know only it."},
	{ReversalAdvice, ReversalAdviceRepeat, ReversalAdviceAnswer, ClassReversal, "reversal advice",
		"Undoes an attempt, whether or not the host has seen it. Repeated as 0421 until answered."},
	{ReconcileRequest, 0, ReconcileAnswer, ClassReconciliation, "reconciliation request",
		"Compares the totals of a batch. Sent when no reversal and no advice is waiting."},
	{ReconcileAdvice, ReconcileAdviceRepeat, ReconcileAdviceAnswer, ClassReconciliation, "reconciliation advice",
		"Closes a batch after its upload; a difference that remains goes to the operators."},
	{NetworkRequest, 0, NetworkAnswer, ClassNetwork, "network management",
		"Sign-on, sign-off, echo, key exchange, parameter download, told apart by DE 70."},
}

// Flows returns the table of message types, a copy.
func Flows() []Flow { return slices.Clone(flows) }

// A Presence says whether a message type carries an element or a DE 63 tag.
type Presence byte

// The letters of the presence columns.
const (
	Mandatory     Presence = 'M' // must be there
	Conditional   Presence = 'C' // as the rule of the row says
	Optional      Presence = 'O' // may be there
	EchoMandatory Presence = 'E' // must be there and equal the request's
	EchoIfPresent Presence = 'e' // there, and equal, exactly when the request had it
	Never         Presence = '-' // refused
)

// columns are the message types of the presence columns, in order. 0400 and
// 0410 follow 0420 and 0430, a repeat follows what it repeats.
var columns = [...]MTI{
	AuthorizationRequest, AuthorizationAnswer, FinancialRequest, FinancialAnswer,
	FinancialAdvice, FinancialAdviceAnswer, UploadAdvice, UploadAnswer,
	ReversalAdvice, ReversalAdviceAnswer, ReconcileRequest, ReconcileAnswer,
	ReconcileAdvice, ReconcileAdviceAnswer, NetworkRequest, NetworkAnswer,
}

// Columns returns the message types that the presence columns stand for.
func Columns() []MTI { return slices.Clone(columns[:]) }

// column is the presence column of t, or -1 for a type outside the table.
func column(t MTI) int {
	t = t.ClearRepeat()
	switch t {
	case ReversalRequest:
		t = ReversalAdvice
	case ReversalRequestAnswer:
		t = ReversalAdviceAnswer
	}
	return slices.Index(columns[:], t)
}

// presenceAt reads the letter of column c of a presence row ("M E M E …", one
// letter and one space for each column). An empty row is never.
func presenceAt(row string, c int) Presence {
	if c < 0 || 2*c >= len(row) {
		return Never
	}
	return Presence(row[2*c])
}
