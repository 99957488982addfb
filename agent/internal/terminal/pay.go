package terminal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/receipt"
)

// Errors of a request to pay. No attempt has begun when one of them comes.
var (
	// ErrBusy means that another payment is under way, or that the agent is ending.
	ErrBusy = errors.New("the terminal is busy with another payment")
	// ErrRequest means that the request makes no sense.
	ErrRequest = errors.New("the payment request is not valid")
)

// A PayRequest is what the till asks for.
type PayRequest struct {
	// Sale is the till's own reference, 1 to 64 printable characters. A sale is
	// paid once: the same reference again gives the outcome again.
	Sale     string
	Amount   int64 // minor units of the terminal's currency, cashback included
	Cashback int64 // minor units
	// Trace tells the till of each step of the EMV kernel, as KernelStep.
	Trace bool
}

// Progress is what the till is told while a payment is under way.
type Progress string

// The steps of a payment that till and payer see.
const (
	Reversing   Progress = "reversing" // an earlier reversal goes first
	InsertCard  Progress = "insert_card"
	ReadingCard Progress = "reading_card"
	EnterPIN    Progress = "enter_pin"
	PINDigits   Progress = "pin_digits" // Digits have been entered
	PleaseWait  Progress = "please_wait"
	RemoveCard  Progress = "remove_card"
	KernelStep  Progress = "kernel_step" // only when asked for
)

// An Event is one step.
type Event struct {
	Progress Progress `json:"progress"`
	Text     string   `json:"text"`
	Digits   int      `json:"digits,omitempty"`
}

// A Result is how a sale ended.
type Result struct {
	Sale string `json:"sale"`
	// Outcome is approved, declined, cancelled (nothing was sent), reversing (not
	// approved; the host is told to forget it), reversed, refused (no attempt was
	// begun) or open (not decided yet; ask again).
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason,omitempty"`
	Attempt  string `json:"attempt,omitempty"` // hex
	STAN     string `json:"stan,omitempty"`
	RRN      string `json:"rrn,omitempty"`
	Auth     string `json:"auth,omitempty"`
	RC       string `json:"rc,omitempty"`
	Amount   int64  `json:"amount"`
	Cashback int64  `json:"cashback,omitempty"`
	Currency string `json:"currency"`
	Card     string `json:"card,omitempty"` // last four digits
	Label    string `json:"label,omitempty"`
	Repeated bool   `json:"repeated,omitempty"` // the outcome of an earlier request
	Test     bool   `json:"test,omitempty"`     // lab mode
	Merchant string `json:"merchant_receipt,omitempty"`
	Customer string `json:"customer_receipt,omitempty"`
}

// maxSale bounds a till's reference.
const maxSale = 64

func (t *Terminal) checkRequest(r PayRequest) error {
	switch {
	case len(r.Sale) < 1 || len(r.Sale) > maxSale || !printable(r.Sale):
		return fmt.Errorf("%w: the sale reference must have 1 to %d printable characters", ErrRequest, maxSale)
	case r.Amount < 1 || r.Amount > t.o.Config.Terminal.MaxAmount:
		return fmt.Errorf("%w: the amount must be 0.01 to %s", ErrRequest, t.money(t.o.Config.Terminal.MaxAmount))
	case r.Cashback < 0 || r.Cashback >= r.Amount:
		return fmt.Errorf("%w: the cashback must be less than the amount, which contains it", ErrRequest)
	}
	return nil
}

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7E {
			return false
		}
	}
	return true
}

func (t *Terminal) money(minor int64) string {
	c := t.o.Config.Currency()
	return receipt.Money(minor, c.MinorUnits, c.Alphabetic)
}

// Pay serves one sale from the card to its outcome. emit is told of each step
// and must not block. When ctx ends before the request has left, the sale is
// cancelled; after that it goes on to its end, which Sale tells. Errors are
// ErrBusy, ErrRequest, and those after which the process ends.
func (t *Terminal) Pay(ctx context.Context, r PayRequest, emit func(Event)) (Result, error) {
	if err := t.checkRequest(r); err != nil {
		return Result{}, err
	}
	if !t.busy.TryLock() {
		return Result{}, ErrBusy
	}
	defer t.busy.Unlock()
	if known, ok := t.Sale(r.Sale); ok {
		known.Repeated = true
		return known, nil
	}
	s := newSale(t, r, emit)
	t.setCurrent(s)
	defer t.setCurrent(nil)
	return s.run(ctx)
}

func (t *Terminal) setCurrent(s *sale) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = s
}

// Abort stops the payment under way; false when there is none. A payment whose
// request has left is reversed.
func (t *Terminal) Abort() bool {
	t.mu.Lock()
	s := t.current
	t.mu.Unlock()
	if s == nil {
		return false
	}
	s.abort()
	return true
}

// Sale tells what became of a sale among the unfinished and the last finished
// ones: a till that lost its answer always learns the truth.
func (t *Terminal) Sale(reference string) (Result, bool) {
	a, ok := t.o.Journal.Find(reference)
	if !ok {
		return Result{}, false
	}
	r := Result{
		Sale: a.Begin.Sale, Outcome: string(a.End()), Attempt: hex.EncodeToString(a.ID[:]), STAN: fmt.Sprintf("%06d", a.Begin.STAN),
		Amount: a.Begin.Amount, Cashback: a.Begin.Cashback, Currency: t.o.Config.Currency().Alphabetic, Test: t.lab(),
	}
	if a.Intent != nil {
		r.Card, r.Label = a.Intent.LastFour, a.Intent.Label
	}
	if a.Outcome != nil {
		t.addOutcome(&r, a.Outcome)
	}
	return r, true
}

func (t *Terminal) addOutcome(r *Result, o *journal.Outcome) {
	r.Reason, r.RRN, r.Auth, r.RC = o.Reason, o.RRN, o.Auth, o.RC
	if len(o.Receipt) == 0 {
		return
	}
	var paper receipt.Receipt
	if err := json.Unmarshal(o.Receipt, &paper); err != nil {
		t.o.Log.WithError(err).Error("a stored receipt cannot be read")
		return
	}
	r.Merchant, r.Customer = paper.Text(receipt.Merchant), paper.Text(receipt.Customer)
}

// A Status is what a terminal says of itself.
type Status struct {
	Mode       string `json:"mode"`
	Terminal   string `json:"terminal"`
	Merchant   string `json:"merchant"`
	Host       string `json:"host"` // "up" or why it is down
	HostUp     bool   `json:"host_up"`
	Reader     string `json:"reader"` // firmware, empty when not connected
	PINPad     bool   `json:"pin_pad"`
	KeySet     string `json:"key_set"` // empty without a DUKPT key
	Counter    uint32 `json:"counter"`
	KeysLeft   uint64 `json:"keys_left"`
	Reversals  int    `json:"reversals"`
	Stuck      int    `json:"stuck"`
	Records    uint64 `json:"journal_records"`
	Busy       bool   `json:"busy"`
	SaleReady  bool   `json:"sale_ready"`
	WhyNot     string `json:"why_not,omitempty"` // what stops the next sale
	LateAnswer uint64 `json:"late_answers"`
}

// Status tells how the terminal is.
func (t *Terminal) Status() Status {
	link := t.link.Status()
	s := Status{
		Mode: string(t.o.Config.Mode), Terminal: t.o.Config.Terminal.ID, Merchant: t.o.Config.Terminal.Merchant,
		Host: "up", HostUp: link.Up, Reader: t.o.Reader.Name(), PINPad: t.o.PINPad != nil,
		Records: t.o.Journal.Len(), LateAnswer: link.Late,
	}
	if !link.Up {
		s.Host = link.Error
	}
	if r := t.o.Register; r != nil {
		k := r.KSN()
		s.KeySet, s.Counter, s.KeysLeft = r.Set(), k.Counter(), k.Remaining()
	}
	s.Reversals, s.Stuck = t.reversals.depth()
	t.mu.Lock()
	s.Busy = t.current != nil
	t.mu.Unlock()
	s.WhyNot = t.whyNot()
	if s.WhyNot == "" && !link.Up {
		s.WhyNot = "the host cannot be reached"
	}
	if s.WhyNot == "" {
		s.WhyNot = t.reversals.blocks()
	}
	s.SaleReady = s.WhyNot == ""
	return s
}

// whyNot is what stops a sale before the card is touched: keys, disk, reader.
func (t *Terminal) whyNot() string {
	if t.o.Register == nil {
		return "no DUKPT key is loaded"
	}
	if t.o.Register.KSN().Remaining() == 0 {
		return "the DUKPT key is used up"
	}
	if err := t.durable(t.o.Journal.Room()); err != nil {
		return err.Error()
	}
	if t.o.Reader.Name() == "" {
		return "the card reader is not connected"
	}
	return ""
}

// Export writes every attempt of the journal as JSON lines (docs/agent.md).
func (t *Terminal) Export(w io.Writer) error { return t.o.Journal.Export(w, t.o.Config.Terminal.ID) }

// Lines writes every record of the journal as JSON lines.
func (t *Terminal) Lines(w io.Writer) error { return t.o.Journal.Lines(w) }
