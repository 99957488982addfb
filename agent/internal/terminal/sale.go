package terminal

import (
	"context"
	"errors"
	"sync"
	"time"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/agent/internal/receipt"
	"tallystick.example/dukpt"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xlog"
	"tallystick.example/iso8583"
)

// A sale drives one payment machine. run owns it; the parts that wait (card,
// host) run in goroutines of their own, fill in their fields, and post an event,
// after which run may read the fields.
type sale struct {
	t       *Terminal
	request PayRequest
	tell    func(Event)
	state   payment.State
	events  chan payment.Event // has room for all that one payment can bring
	group   sync.WaitGroup
	result  Result

	ctx  context.Context // of card reading and of the exchange with the host
	stop context.CancelFunc
	life context.Context // of the whole sale
	end  context.CancelFunc

	attempt journal.Attempt
	at      time.Time

	card    Card
	session *kernel.Session
	first   *kernel.Request
	last    *kernel.Outcome

	keys     *dukpt.WorkingKeys
	pinBlock secret.Secret
	message  *iso8583.Message
	body     []byte
	confirms []uint64
	answer   *iso8583.Message
	paper    receipt.Receipt
}

func newSale(t *Terminal, r PayRequest, emit func(Event)) *sale {
	s := &sale{t: t, request: r, tell: emit, events: make(chan payment.Event, 64), at: t.o.Now()}
	s.life, s.end = context.WithCancel(context.Background())
	s.ctx, s.stop = context.WithCancel(s.life)
	return s
}

func (s *sale) emit(p Progress, text string) { s.tell(Event{Progress: p, Text: text}) }

// post hands an event to run; after the end it goes nowhere.
func (s *sale) post(e payment.Event) {
	select {
	case s.events <- e:
	case <-s.life.Done():
	}
}

// abort asks to stop, from any goroutine.
func (s *sale) abort() { s.post(payment.Abort{}) }

// run steps the machine until the outcome is durable and told.
func (s *sale) run(ctx context.Context) (Result, error) {
	defer s.close()
	err := s.step(payment.Start{Owed: s.t.reversals.blocks() != ""})
	gone := ctx.Done()
	for err == nil && s.state.Phase != payment.Done {
		select {
		case e := <-s.events:
			err = s.step(e)
		case <-gone:
			gone = nil
			if s.state.Phase <= payment.Reading {
				err = s.step(payment.Abort{})
			}
		}
	}
	return s.result, err
}

// close ends what is still under way and wipes what was read.
func (s *sale) close() {
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
	if s.keys != nil {
		s.keys.Wipe()
	}
	s.pinBlock.Wipe()
	clear(s.body)
}

// step gives the machine an event and carries out its actions in order. An
// action that brings an event of its own leaves the rest undone. The error is
// one after which nothing more may be done.
func (s *sale) step(e payment.Event) error {
	for e != nil {
		next, actions, err := payment.Next(s.state, e)
		if err != nil {
			s.t.o.Log.WithError(err).Error("an event was ignored")
			return nil
		}
		s.state, e = next, nil
		for _, a := range actions {
			if e, err = s.do(a); err != nil {
				return err
			}
			if e != nil {
				break
			}
		}
	}
	return nil
}

// do carries out one action.
func (s *sale) do(a payment.Action) (payment.Event, error) {
	switch a := a.(type) {
	case payment.Flush:
		s.emit(Reversing, "Please wait: an earlier payment is being reversed")
		s.spawn("flush", payment.Flushed{Blocked: "an internal fault"}, func() { s.post(payment.Flushed{Blocked: s.t.reversals.flushed(s.ctx)}) })
	case payment.Begin:
		return s.begin()
	case payment.ReadCard:
		s.spawn("card", payment.CardFailed{Why: "an internal fault"}, s.readCard)
	case payment.StopCard:
		s.stop()
	case payment.WriteIntent:
		return s.writeIntent()
	case payment.Send:
		s.emit(PleaseWait, "Please wait")
		if s.t.o.SendFirst {
			return nil, nil // it has left already
		}
		s.spawn("exchange", payment.NoAnswer{}, s.exchange)
	case payment.Complete:
		s.spawn("completion", payment.Completed{Card: payment.CardBroken}, func() { s.complete(a.Decision) })
	case payment.WriteOutcome:
		return nil, s.writeOutcome(a)
	case payment.Reverse:
		current, ok := s.t.o.Journal.Attempt(s.attempt.Number)
		if !ok {
			return nil, errors.New("terminal: the attempt to reverse is not in the journal")
		}
		s.t.reversals.owe(current)
	case payment.Tell:
		return nil, s.finish(a)
	}
	return nil, nil
}

// spawn runs work beside run; a panic in it becomes the event died.
func (s *sale) spawn(name string, died payment.Event, work func()) {
	s.group.Add(1)
	go func() {
		defer s.group.Done()
		defer xlog.Recover(s.t.o.Log, name, func() { s.post(died) })
		work()
	}()
}

// begin writes that the attempt begins, unless something stops it before the
// card is touched.
func (s *sale) begin() (payment.Event, error) {
	if why := s.t.whyNot(); why != "" {
		return payment.Refuse{Why: why}, nil
	}
	b := journal.Begin{
		Sale: s.request.Sale, Kind: s.kind().String(), MTI: s.kind().Info().MTI.String(), Processing: s.kind().Info().Processing + "0000",
		Amount: s.request.Amount, Cashback: s.request.Cashback, Currency: s.currency(),
	}
	var err error
	s.attempt, err = s.t.o.Journal.Begin(b)
	if errors.Is(err, journal.ErrNoRoom) {
		return payment.Refuse{Why: err.Error()}, nil
	}
	return nil, s.t.durable(err)
}

// kind is the transaction type of the sale.
func (s *sale) kind() iso8583.TransactionType {
	if s.request.Cashback > 0 {
		return iso8583.PurchaseCashback
	}
	return iso8583.Purchase
}

// currency is the numeric code of the terminal's currency.
func (s *sale) currency() uint16 {
	var n uint16
	for _, d := range s.t.o.Config.Currency().Numeric {
		n = n*10 + uint16(d-'0')
	}
	return n
}
