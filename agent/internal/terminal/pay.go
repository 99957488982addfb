package terminal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
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

// A call is a till that waits for a payment.
type call struct {
	id      uint64
	request PayRequest
	tell    func(Event)
	told    chan core.Told // has room for one
	card    *cardPart
}

// show tells the till of a step that the Core knows.
func (c *call) show(s core.Step) {
	switch s {
	case core.Reversing:
		c.tell(Event{Progress: Reversing, Text: "Please wait: an earlier payment is being reversed"})
	case core.PleaseWait:
		c.tell(Event{Progress: PleaseWait, Text: "Please wait"})
	}
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
	c := &call{id: t.calls.Add(1), request: r, tell: emit, told: make(chan core.Told, 1)}
	c.card = newCardPart(t, c)
	defer c.card.close()
	t.setCurrent(c)
	defer t.setCurrent(nil)
	t.post(core.PayAsked{Call: c.id, Sale: r.Sale, Amount: r.Amount, Cashback: r.Cashback})
	gone := ctx.Done()
	for {
		select {
		case told := <-c.told:
			return t.resultOf(r, told)
		case <-gone:
			gone = nil
			t.post(core.TillGone{Call: c.id})
		case <-t.done:
			return t.lastWord(c)
		}
	}
}

// lastWord is the answer of a payment when the loop has ended.
func (t *Terminal) lastWord(c *call) (Result, error) {
	select {
	case told := <-c.told:
		return t.resultOf(c.request, told)
	default:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return Result{}, t.failed
	}
	return Result{}, ErrBusy
}

// resultOf makes the till's answer; the outcome is durable, or no attempt began.
func (t *Terminal) resultOf(r PayRequest, told core.Told) (Result, error) {
	switch {
	case told.Busy:
		return Result{}, ErrBusy
	case told.Refused != "":
		return Result{Sale: r.Sale, Outcome: string(payment.Refused), Reason: told.Refused, Amount: r.Amount, Cashback: r.Cashback,
			Currency: t.o.Config.Currency().Alphabetic, Test: t.lab()}, nil
	}
	out, ok := t.Sale(r.Sale)
	if !ok {
		return Result{}, errors.New("terminal: the journal does not know the sale that it has just ended")
	}
	out.Repeated = told.Known
	if !told.Known {
		t.o.Log.WithFields(map[string]any{"stan": out.STAN, "rrn": out.RRN, "rc": out.RC, "outcome": out.Outcome, "reason": out.Reason}).Info("payment ended")
	}
	return out, nil
}

func (t *Terminal) setCurrent(c *call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = c
}

// Abort stops the payment under way; false when there is none. A payment whose
// request has left is reversed.
func (t *Terminal) Abort() bool {
	t.mu.Lock()
	serving := t.current != nil
	t.mu.Unlock()
	if serving {
		t.post(core.AbortAsked{})
	}
	return serving
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
	s := Status{
		Mode: string(t.o.Config.Mode), Terminal: t.o.Config.Terminal.ID, Merchant: t.o.Config.Terminal.Merchant,
		Reader: t.o.Reader.Name(), PINPad: t.o.PINPad != nil, Records: t.o.Journal.Len(),
	}
	if r := t.o.Register; r != nil {
		k := r.KSN()
		s.KeySet, s.Counter, s.KeysLeft = r.Set(), k.Counter(), k.Remaining()
	}
	var err error
	if s.WhyNot, err = t.books.WhyNot(); err != nil {
		s.WhyNot = err.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	link := t.core.Link()
	if t.over || t.failed != nil {
		link.Up, link.Error = false, "the agent is ending"
	}
	s.Host, s.HostUp, s.LateAnswer = "up", link.Up, link.Late
	if !link.Up {
		s.Host = link.Error
	}
	s.Reversals, s.Stuck = t.core.Depth()
	s.Busy = t.current != nil
	if s.WhyNot == "" && !link.Up {
		s.WhyNot = "the host cannot be reached"
	}
	if s.WhyNot == "" {
		s.WhyNot = t.core.Blocks()
	}
	s.SaleReady = s.WhyNot == ""
	return s
}

// Export writes every attempt of the journal as JSON lines (docs/agent.md).
func (t *Terminal) Export(w io.Writer) error { return t.o.Journal.Export(w, t.o.Config.Terminal.ID) }

// Checkpoints writes the newest audit checkpoint of each host node as JSON lines.
func (t *Terminal) Checkpoints(w io.Writer) error { return t.o.Journal.Checkpoints(w) }

// Lines writes every record of the journal as JSON lines.
func (t *Terminal) Lines(w io.Writer) error { return t.o.Journal.Lines(w) }
