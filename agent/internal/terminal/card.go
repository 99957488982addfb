package terminal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/device"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/dukpt"
	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xlog"
)

// A cardPart is the card of one payment: it waits for it, runs the kernel over it,
// and asks for the PIN. What takes its time runs in goroutines of its own, which
// tell the loop what came of it.
type cardPart struct {
	t     *Terminal
	call  *call
	group sync.WaitGroup
	ctx   context.Context // of reading the card
	stop  context.CancelFunc
	life  context.Context // of the whole payment
	end   context.CancelFunc
	keys  chan core.ReleaseKey // has room for one

	sale     core.Sale
	card     Card
	session  *kernel.Session
	first    *kernel.Request
	last     *kernel.Outcome
	pinBlock secret.Secret
}

func newCardPart(t *Terminal, c *call) *cardPart {
	s := &cardPart{t: t, call: c, keys: make(chan core.ReleaseKey, 1)}
	s.life, s.end = context.WithCancel(context.Background())
	s.ctx, s.stop = context.WithCancel(s.life)
	return s
}

func (s *cardPart) emit(p Progress, text string) { s.call.tell(Event{Progress: p, Text: text}) }

// spawn runs work beside the loop; a panic in it becomes the event died.
func (s *cardPart) spawn(name string, died core.Event, work func()) {
	s.group.Add(1)
	go func() {
		defer s.group.Done()
		defer xlog.Recover(s.t.o.Log, name, func() { s.t.post(died) })
		work()
	}()
}

// close ends what is still under way, has the card taken out and wipes what was
// read.
func (s *cardPart) close() {
	s.end()
	s.group.Wait()
	if s.card != nil {
		s.emit(RemoveCard, "Remove card")
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.card.PowerOff(ctx); err != nil {
			s.t.o.Log.WithError(err).Debug("the card could not be powered off")
		}
	}
	if s.session != nil {
		s.session.Close()
	}
}

// read has the card read in the background.
func (s *cardPart) read(sale core.Sale) {
	s.sale = sale
	s.spawn("card", core.CardFailed{Why: "an internal fault"}, s.readCard)
}

// readCard waits for the card and runs the kernel up to the first GENERATE AC.
func (s *cardPart) readCard() {
	s.emit(InsertCard, fmt.Sprintf("Insert card, %s", s.t.money(s.sale.Amount)))
	ctx, cancel := context.WithTimeout(s.ctx, s.t.o.Config.Terminal.CardWithin)
	defer cancel()
	if err := s.t.o.Reader.WaitCard(ctx, true); err != nil {
		s.t.post(core.CardFailed{Why: "no card was presented"})
		return
	}
	s.emit(ReadingCard, "Reading card")
	if err := s.runFirst(); err != nil {
		s.pinBlock.Wipe()
		s.t.o.Log.WithError(err).Info("the card part ended without a cryptogram")
		s.t.post(core.CardFailed{Why: whyCard(err)})
		return
	}
	if s.first.Outcome != nil {
		s.pinBlock.Wipe()
		s.t.post(core.CardDecided{First: s.first})
		return
	}
	s.t.post(core.CardReady{First: s.first, PINBlock: s.pinBlock})
}

func (s *cardPart) runFirst() (err error) {
	if s.card, err = s.t.o.Reader.PowerOn(s.ctx, s.t.o.Trace.Card()); err != nil {
		return err
	}
	s.watchRemoval()
	if s.session, err = kernel.Select(s.ctx, s.card, s.t.kernel, s.callbacks()); err != nil {
		return err
	}
	s.first, err = s.session.First(s.ctx, s.transaction())
	return err
}

// watchRemoval tells when the card is pulled.
func (s *cardPart) watchRemoval() {
	s.spawn("removal", core.CardRemoved{}, func() {
		if s.t.o.Reader.WaitCard(s.life, false) == nil {
			s.t.post(core.CardRemoved{})
		}
	})
}

// transaction is what the kernel must know of the sale.
func (s *cardPart) transaction() kernel.Transaction {
	kind := kernel.Purchase
	if s.sale.Cashback > 0 {
		kind = kernel.PurchaseWithCashback
	}
	at := s.sale.At
	return kernel.Transaction{
		Kind: kind, Amount: s.sale.Amount, Other: s.sale.Cashback,
		Currency: int(s.sale.Currency), Exponent: s.t.o.Config.Currency().MinorUnits,
		Date: emv.Day{Year: at.Year(), Month: int(at.Month()), Day: at.Day()},
		Time: [3]int{at.Hour(), at.Minute(), at.Second()}, Sequence: s.sale.STAN, Random: s.t.o.Random,
	}
}

// callbacks are what the kernel may ask of this terminal. What it does not have
// is left out, and the kernel clears the capability.
func (s *cardPart) callbacks() kernel.Callbacks {
	c := kernel.Callbacks{Observe: s.observe}
	if s.t.o.PINPad != nil {
		c.OnlinePIN, c.OfflinePIN = s.onlinePIN, s.offlinePIN
	}
	return c
}

// observe writes a step of the kernel into the lab's trace and, when it was asked
// for, tells the till. Steps hold no data of the cardholder.
func (s *cardPart) observe(step kernel.Step) {
	s.t.o.Trace.Step(step)
	if !s.call.request.Trace {
		return
	}
	text := fmt.Sprintf("%s (%s): %s", step.Name, step.Clause, step.Decision)
	if step.Reason != "" {
		text += ", " + step.Reason
	}
	s.emit(KernelStep, text)
}

// onlinePIN captures the PIN and makes its block at once, under the counter that
// the whole request will have (rule 8): the PIN itself is gone when it returns.
func (s *cardPart) onlinePIN(ctx context.Context, card *kernel.CardInfo) (kernel.PINStatus, error) {
	status, pin, err := s.capture(ctx, "Enter PIN")
	defer pin.Wipe()
	if err != nil || status != kernel.PINEntered {
		return status, err
	}
	keys, err := s.takeKeys(ctx)
	if err != nil {
		return 0, err
	}
	block, err := keys.EncryptPIN(keys.PINFormat(), pin.Expose(), card.PAN.Expose(), s.t.o.Random)
	if err != nil {
		return 0, fmt.Errorf("making the PIN block: %w", err)
	}
	s.pinBlock = secret.Take(block)
	s.emit(PleaseWait, "Please wait")
	return kernel.PINEntered, nil
}

// offlinePIN captures a PIN for the card.
func (s *cardPart) offlinePIN(ctx context.Context, p kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
	text := "Enter PIN"
	switch {
	case p.Retry && p.LastTry:
		text = "Incorrect PIN, last try"
	case p.Retry:
		text = fmt.Sprintf("Incorrect PIN, %d tries left", p.TriesLeft)
	case p.LastTry:
		text = "Enter PIN, last try"
	}
	return s.capture(ctx, text)
}

// capture has the cardholder enter a PIN.
func (s *cardPart) capture(ctx context.Context, text string) (kernel.PINStatus, secret.Secret, error) {
	s.emit(EnterPIN, fmt.Sprintf("%s, %s", text, s.t.money(s.sale.Amount)))
	pin, err := s.t.o.PINPad.PIN(ctx, func(n int) { s.call.tell(Event{Progress: PINDigits, Text: "PIN", Digits: n}) })
	switch {
	case err == nil:
		return kernel.PINEntered, pin, nil
	case errors.Is(err, device.ErrPINBypassed):
		return kernel.PINBypassed, secret.Secret{}, nil
	case errors.Is(err, device.ErrKeypadDown):
		s.t.o.Log.WithError(err).Warn("the PIN pad does not work")
		return kernel.PINPadFault, secret.Secret{}, nil
	}
	return 0, secret.Secret{}, err
}

// takeKeys asks the loop for the payment's DUKPT key, which stays the Core's.
func (s *cardPart) takeKeys(ctx context.Context) (*dukpt.WorkingKeys, error) {
	s.t.post(core.KeyWanted{})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.t.done:
		return nil, ErrBusy
	case r := <-s.keys:
		if r.Keys == nil {
			return nil, errors.New(r.Why)
		}
		return r.Keys, nil
	}
}

// completeTime bounds the second half: a card answers within seconds.
const completeTime = 45 * time.Second

// complete gives the host's decision to the card, in the background.
func (s *cardPart) complete(a kernel.Answer) {
	s.spawn("completion", core.CardDone{Result: payment.CardBroken}, func() {
		ctx, cancel := context.WithTimeout(context.Background(), completeTime)
		defer cancel()
		s.last = s.session.Second(ctx, a)
		s.t.post(core.CardDone{Last: s.last, Result: CardResult(s.last)})
	})
}

// CardResult is the card's last word.
func CardResult(o *kernel.Outcome) payment.CardResult {
	switch {
	case o.Result == kernel.Approved:
		return payment.CardApproves
	case o.By != kernel.ByFault:
		return payment.CardDeclines
	case errors.Is(o.Err, device.ErrCardRemoved):
		return payment.CardGone
	}
	return payment.CardBroken
}

// whyCard says in words for the till why the card part failed.
func whyCard(err error) string {
	switch {
	case errors.Is(err, device.ErrCardRemoved):
		return "the card was removed"
	case errors.Is(err, device.ErrPINCancelled):
		return "the cardholder cancelled"
	case errors.Is(err, device.ErrPINTimeout):
		return "no PIN was entered in time"
	case errors.Is(err, device.ErrReaderDown), errors.Is(err, device.ErrClosed), errors.Is(err, device.ErrNoAnswer), errors.Is(err, device.ErrGarbled):
		return "the card reader does not work"
	}
	e, ok := errors.AsType[*kernel.Error](err)
	if !ok {
		return "the card cannot be read"
	}
	switch e.Reason {
	case kernel.NoApplication:
		return "the card is not accepted here"
	case kernel.CardBlocked:
		return "the card is blocked"
	case kernel.Stopped:
		return "stopped before anything was sent"
	}
	return "the card cannot be read: take it out and try again"
}
