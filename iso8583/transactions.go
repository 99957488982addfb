package iso8583

import "slices"

// A TransactionType is one of the kinds of payment of the interface.
type TransactionType uint8

// The transaction types. The zero value is none of them.
const (
	UnknownTransaction TransactionType = iota
	Purchase
	PurchaseCashback
	CashAdvance
	Refund
	Void
	TokenPurchase
	PreAuthorization
	Increment
	Release
	BalanceInquiry
	Completion
	TipAdjustment
	OfflinePurchase
	OfflineCashback
	OfflineRefund
)

// A Transaction is one row of the table of transaction types. A message is of
// the type whose MTI, first two digits of DE 3 and DE 25 it has.
type Transaction struct {
	Type       TransactionType
	Name       string
	MTI        MTI      // request type
	Processing string   // first two digits of DE 3, also tag 9C
	Condition  string   // DE 25
	Original   Presence // of DE 37 and DE 90, which name the original
	Amount     bool     // DE 4 and DE 49 are there
	Reverse    bool     // an unanswered request must be reversed
	Credit     bool     // money goes to the cardholder
	Rule       string
}

var transactions = []Transaction{
	{Purchase, "purchase", FinancialRequest, "00", "00", Never, true, true, false, ""},
	{PurchaseCashback, "purchase with cashback", FinancialRequest, "09", "00", Never, true, true, false,
		"DE 4 is the sum, the cashback part is in DE 54 with amount type 40."},
	{CashAdvance, "cash advance", FinancialRequest, "01", "00", Never, true, true, false, ""},
	{Refund, "refund", FinancialRequest, "20", "00", Optional, true, true, true,
		"Of a stored sale; without DE 37 or DE 90 only by permission and within limits."},
	{Void, "void", FinancialRequest, "02", "00", Mandatory, true, true, true,
		"Takes back a whole payment of the open batch; DE 4 is that of the original."},
	{TokenPurchase, "purchase by token", FinancialRequest, "00", "08", Never, true, true, false,
		"Card on file: DE 63 tag 13 in place of tag 06, DE 22 begins with 10. Usually entered at the host."},
	{PreAuthorization, "pre-authorization", AuthorizationRequest, "00", "06", Never, true, true, false, ""},
	{Increment, "increment of a pre-authorization", AuthorizationRequest, "00", "60", Mandatory, true, true, false,
		"DE 4 is what is added."},
	{Release, "release of a pre-authorization", AuthorizationRequest, "02", "06", Mandatory, true, true, true,
		"DE 4 is what is released, at most what is still held."},
	{BalanceInquiry, "balance inquiry", AuthorizationRequest, "31", "00", Never, false, false, false,
		"Balances are in DE 54 of the answer."},
	{Completion, "completion of a pre-authorization", FinancialAdvice, "00", "06", Mandatory, true, false, false,
		"DE 4 is the final amount; the rest of the hold is released."},
	{TipAdjustment, "tip adjustment", FinancialAdvice, "02", "00", Mandatory, true, false, false,
		"DE 4 is the new total of the payment, the tip is in DE 54 with amount type 44."},
	{OfflinePurchase, "offline advice: purchase", FinancialAdvice, "00", "00", Never, true, false, false,
		"Approved at the terminal. The host posts it to suspense when its TC cannot be verified or a limit is exceeded."},
	{OfflineCashback, "offline advice: purchase with cashback", FinancialAdvice, "09", "00", Never, true, false, false,
		"As a purchase; DE 54 as with cashback."},
	{OfflineRefund, "offline advice: refund", FinancialAdvice, "20", "00", Optional, true, false, true, ""},
}

// Transactions returns the table of transaction types, a copy.
func Transactions() []Transaction { return slices.Clone(transactions) }

// Info is the row of t. The row of a type that the table does not hold is the
// zero Transaction.
func (t TransactionType) Info() Transaction {
	if t == UnknownTransaction || int(t) > len(transactions) {
		return Transaction{}
	}
	return transactions[t-1]
}

// String names the type.
func (t TransactionType) String() string {
	if r := t.Info(); r.Name != "" {
		return r.Name
	}
	return "unknown"
}

// Transaction finds the type of m. A reversal or upload is of the type of its
// original, whose MTI is in DE 90. It reports false when there is none, as for
// reconciliation, network management and combinations outside the table.
func (m *Message) Transaction() (Transaction, bool) {
	t := m.mti.Request()
	if o, ok := m.Original(); ok && (t == ReversalRequest || t == ReversalAdvice || t == UploadAdvice) {
		t = o.MTI.ClearRepeat()
	}
	p, c := m.content(3), m.content(25)
	if p == nil || c == nil {
		return Transaction{}, false
	}
	for i := range transactions {
		r := &transactions[i]
		if r.MTI == t && bcdIs(p[0], r.Processing) && bcdIs(c[0], r.Condition) {
			return *r, true
		}
	}
	return Transaction{}, false
}

// bcdIs compares one BCD byte with two digits.
func bcdIs(b byte, digits string) bool { return b>>4 == digits[0]-'0' && b&15 == digits[1]-'0' }
