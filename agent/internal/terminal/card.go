package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallystick.example/agent/internal/device"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
)

// readCard waits for the card and runs the kernel up to the first GENERATE AC.
func (s *sale) readCard() {
	s.emit(InsertCard, fmt.Sprintf("Insert card, %s", s.t.money(s.request.Amount)))
	ctx, cancel := context.WithTimeout(s.ctx, s.t.o.Config.Terminal.CardWithin)
	defer cancel()
	if err := s.t.o.Reader.WaitCard(ctx, true); err != nil {
		s.post(payment.CardFailed{Why: "no card was presented"})
		return
	}
	s.emit(ReadingCard, "Reading card")
	if err := s.runFirst(); err != nil {
		s.t.o.Log.WithError(err).Info("the card part ended without a cryptogram")
		s.post(payment.CardFailed{Why: whyCard(err)})
		return
	}
	if o := s.first.Outcome; o != nil {
		s.last = o
		s.post(payment.CardOffline{Approved: o.Result == kernel.Approved, Code: o.ARC})
		return
	}
	s.post(payment.CardOnline{})
}

func (s *sale) runFirst() (err error) {
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

// watchRemoval posts an event when the card is pulled.
func (s *sale) watchRemoval() {
	s.spawn("removal", payment.CardRemoved{}, func() {
		if s.t.o.Reader.WaitCard(s.life, false) == nil {
			s.post(payment.CardRemoved{})
		}
	})
}

// transaction is what the kernel must know of the sale.
func (s *sale) transaction() kernel.Transaction {
	kind := kernel.Purchase
	if s.request.Cashback > 0 {
		kind = kernel.PurchaseWithCashback
	}
	return kernel.Transaction{
		Kind: kind, Amount: s.request.Amount, Other: s.request.Cashback,
		Currency: int(s.currency()), Exponent: s.t.o.Config.Currency().MinorUnits,
		Date: emv.Day{Year: s.at.Year(), Month: int(s.at.Month()), Day: s.at.Day()},
		Time: [3]int{s.at.Hour(), s.at.Minute(), s.at.Second()}, Sequence: s.attempt.Begin.STAN, Random: s.t.o.Random,
	}
}

// callbacks are what the kernel may ask of this terminal. What it does not have
// is left out, and the kernel clears the capability.
func (s *sale) callbacks() kernel.Callbacks {
	c := kernel.Callbacks{Observe: s.observe}
	if s.t.o.PINPad != nil {
		c.OnlinePIN, c.OfflinePIN = s.onlinePIN, s.offlinePIN
	}
	return c
}

// observe writes a step of the kernel into the lab's trace and, when it was asked
// for, tells the till. Steps hold no data of the cardholder.
func (s *sale) observe(step kernel.Step) {
	s.t.o.Trace.Step(step)
	if !s.request.Trace {
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
func (s *sale) onlinePIN(ctx context.Context, card *kernel.CardInfo) (kernel.PINStatus, error) {
	status, pin, err := s.capture(ctx, "Enter PIN")
	defer pin.Wipe()
	if err != nil || status != kernel.PINEntered {
		return status, err
	}
	if err := s.takeKeys(); err != nil {
		return 0, err
	}
	block, err := s.keys.EncryptPIN(s.keys.PINFormat(), pin.Expose(), card.PAN.Expose(), s.t.o.Random)
	if err != nil {
		return 0, fmt.Errorf("making the PIN block: %w", err)
	}
	s.pinBlock = secret.Take(block)
	s.emit(PleaseWait, "Please wait")
	return kernel.PINEntered, nil
}

// offlinePIN captures a PIN for the card.
func (s *sale) offlinePIN(ctx context.Context, p kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
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
func (s *sale) capture(ctx context.Context, text string) (kernel.PINStatus, secret.Secret, error) {
	s.emit(EnterPIN, fmt.Sprintf("%s, %s", text, s.t.money(s.request.Amount)))
	pin, err := s.t.o.PINPad.PIN(ctx, func(n int) { s.tell(Event{Progress: PINDigits, Text: "PIN", Digits: n}) })
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

// takeKeys takes the sale's DUKPT key, once.
func (s *sale) takeKeys() error {
	if s.keys != nil {
		return nil
	}
	keys, err := s.t.nextKeys(func(c uint32) error {
		return s.t.o.Journal.UseKey(s.attempt.Number, journal.KeyUse{Counter: c, For: s.attempt.Begin.MTI})
	})
	if err != nil {
		return err
	}
	s.keys = keys
	return nil
}

// completeTime bounds the second half: a card answers within seconds.
const completeTime = 45 * time.Second

// complete gives the host's decision to the card.
func (s *sale) complete(d payment.Decision) {
	ctx, cancel := context.WithTimeout(context.Background(), completeTime)
	defer cancel()
	a := kernel.Answer{Route: kernel.NoAnswer}
	if d != payment.Unable {
		a = kernel.Answer{
			Route: kernel.Answered, Approved: d == payment.HostApproved, ARC: s.answer.ResponseCode(),
			AuthCode: s.answer.Text(38), Objects: s.answer.Bytes(55),
		}
	}
	s.last = s.session.Second(ctx, a)
	s.post(payment.Completed{Card: cardResult(s.last)})
}

// cardResult is the card's last word.
func cardResult(o *kernel.Outcome) payment.CardResult {
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
