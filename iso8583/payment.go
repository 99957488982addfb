package iso8583

import (
	"time"

	"tallystick.example/internal/pure/secret"
)

// A Header holds what every request carries.
type Header struct {
	Terminal string    // DE 41, at most 8 characters
	Merchant string    // DE 42, at most 15 characters
	STAN     uint32    // DE 11, 1 to 999999
	At       time.Time // DE 7 in UTC; DE 12 and 13 in its own zone
}

func (h Header) begin(t MTI, local bool) *Message {
	m := New(t)
	if h.STAN < 1 || h.STAN > 999999 {
		m.fail(11, "the STAN is out of range")
	}
	m.SetNumber(11, int64(h.STAN))
	m.setTimes(h.At, local)
	m.SetText(41, h.Terminal)
	m.SetText(42, h.Merchant)
	return m
}

// A Payment is what [NewPayment] needs to build a 0100, 0200 or 0220. Zero
// values are left out of the message.
type Payment struct {
	Header
	Type     TransactionType
	Accounts string // last four digits of DE 3; empty: 0000
	Amount   Amount
	Cashback int64  // part of Amount.Minor, minor units
	Tip      int64  // part of Amount.Minor, minor units
	Entry    string // DE 22, three digits
	// CardSequence is DE 23, three digits, when the card gave tag 5F34.
	CardSequence string
	Chip         []byte        // DE 55
	PINBlock     secret.Secret // DE 52, 8 bytes; a 16-byte block belongs into Private
	// Original, RRN and AuthCode name the payment that this one refers to.
	Original Original
	RRN      string
	AuthCode string
	// ResponseCode is DE 39 of a 0220: the decision at the terminal.
	ResponseCode string
	Private      Private
}

// NewPayment builds the request of p.Type: a 0100, 0200 or 0220, whichever the
// transaction table says. The error is a *FieldError for a value that its
// element cannot hold, or the *RuleError of [Validate] for a rule of the
// message table that the payment breaks.
func NewPayment(p Payment) (*Message, error) {
	row := p.Type.Info()
	if row.MTI == 0 {
		return nil, &RuleError{DE: 3, Code: "12", Reason: "the transaction type is not in the table"}
	}
	m := p.begin(row.MTI, true)
	if p.Accounts == "" {
		p.Accounts = "0000"
	}
	m.SetDigits(3, row.Processing+p.Accounts)
	m.SetDigits(25, row.Condition)
	m.SetDigits(22, p.Entry)
	if row.Amount {
		m.SetAmount(p.Amount)
	}
	m.setOptional(p)
	m.SetPrivate(p.Private)
	return m, m.complete()
}

// setOptional sets the elements of p that are not zero.
func (m *Message) setOptional(p Payment) {
	if p.CardSequence != "" {
		m.SetDigits(23, p.CardSequence)
	}
	if p.RRN != "" {
		m.SetText(37, p.RRN)
	}
	if p.AuthCode != "" {
		m.SetText(38, p.AuthCode)
	}
	if p.ResponseCode != "" {
		m.SetText(39, p.ResponseCode)
	}
	if !p.PINBlock.IsZero() {
		m.SetBytes(52, p.PINBlock.Expose())
	}
	var extra []AdditionalAmount
	if p.Cashback != 0 {
		extra = append(extra, AdditionalAmount{"00", AmountCashback, Amount{p.Cashback, p.Amount.Currency}, true})
	}
	if p.Tip != 0 {
		extra = append(extra, AdditionalAmount{"00", AmountTip, Amount{p.Tip, p.Amount.Currency}, true})
	}
	if extra != nil {
		m.SetAdditionalAmounts(extra...)
	}
	if len(p.Chip) != 0 {
		m.SetBytes(55, p.Chip)
	}
	if p.Original.MTI != 0 {
		m.SetOriginal(p.Original)
	}
}

// complete checks a built request. KSN and MAC come when it is sent, so their
// absence is no error yet.
func (m *Message) complete() error {
	if err := m.Err(); err != nil {
		return err
	}
	return validate(m, ToHost, true)
}

// A Reversal is what [NewReversal] needs beside the stored request.
type Reversal struct {
	STAN uint32    // of the reversal itself
	At   time.Time // DE 7
	// Private holds the reason and, when it has one, the reversal's own attempt
	// id. OriginalAttemptID is filled in from the request.
	Private Private
	// Remaining is what is left of the amount of a partial reversal, 0 for a whole
	// one.
	Remaining int64
	Chip      []byte // DE 55 of the card that declined; optional
	RRN       string // DE 37 of the answer, when one was read
}

// NewReversal builds the 0420 that undoes a stored request (0100 or 0200, also
// 0220). Everything that identifies the attempt comes from the request as it was
// sent, never from an answer. Errors are as those of [NewPayment].
func NewReversal(request *Message, r Reversal) (*Message, error) {
	op, err := request.Private()
	if err != nil {
		return nil, err
	}
	h := Header{Terminal: request.Terminal(), Merchant: request.Merchant(), STAN: r.STAN, At: r.At}
	m := h.begin(ReversalAdvice, false)
	for _, de := range [...]int{3, 4, 12, 13, 22, 24, 25, 49} {
		m.CopyFrom(request, de)
	}
	m.SetOriginal(OriginalOf(request))
	if r.Remaining != 0 {
		m.SetReplacement(r.Remaining)
	}
	if r.RRN != "" {
		m.SetText(37, r.RRN)
	}
	if len(r.Chip) != 0 {
		m.SetBytes(55, r.Chip)
	}
	p := r.Private
	p.OriginalAttemptID = op.AttemptID
	m.SetPrivate(p)
	return m, m.complete()
}

// AsRepeat returns m as its repeat (0421 for 0420): the same STAN and times, the
// message type with the repeat digit set. The caller puts in the KSN of the new
// transmission. It reports false when the table knows no repeat of m.
func (m *Message) AsRepeat() (*Message, bool) {
	t, ok := m.mti.Repeat()
	if !ok {
		return nil, false
	}
	c := New(t)
	for de := 2; de <= maxElement; de++ {
		c.CopyFrom(m, de)
	}
	c.err = m.Err()
	return c, true
}

// NewUpload builds the 0320 for an approved payment of the batch, from the
// stored request and its stored answer. Position and attempt id are in p, whose
// OriginalAttemptID is filled in. Errors are as those of [NewPayment].
func NewUpload(request, answer *Message, stan uint32, at time.Time, p Private) (*Message, error) {
	op, err := request.Private()
	if err != nil {
		return nil, err
	}
	h := Header{Terminal: request.Terminal(), Merchant: request.Merchant(), STAN: stan, At: at}
	m := h.begin(UploadAdvice, false)
	for _, de := range [...]int{3, 12, 13, 22, 23, 24, 25} {
		m.CopyFrom(request, de)
	}
	for _, de := range [...]int{4, 37, 38, 39, 49} {
		m.CopyFrom(answer, de)
	}
	m.SetOriginal(OriginalOf(request))
	p.OriginalAttemptID = op.AttemptID
	m.SetPrivate(p)
	return m, m.complete()
}

// NewReconcile builds a 0500, or the 0520 that follows an upload. The totals are
// in p. Errors are as those of [NewPayment].
func NewReconcile(h Header, afterUpload bool, p Private) (*Message, error) {
	t := ReconcileRequest
	if afterUpload {
		t = ReconcileAdvice
	}
	m := h.begin(t, true)
	m.SetPrivate(p)
	return m, m.complete()
}

// NewNetwork builds a 0800 with code in DE 70, such as [Echo] or [SignOn].
// Errors are as those of [NewPayment].
func NewNetwork(h Header, code string, p Private) (*Message, error) {
	m := h.begin(NetworkRequest, true)
	m.SetDigits(70, code)
	m.SetPrivate(p)
	return m, m.complete()
}
