package core

import (
	"errors"
	"time"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/dukpt"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// A sale is the payment that is served: its machine and what it has to hand.
type sale struct {
	Sale
	state   payment.State
	rest    []payment.Action // after an action whose result is waited for
	flushBy time.Time        // while earlier reversals go first; zero otherwise
	attempt journal.Attempt

	first    *kernel.Request
	last     *kernel.Outcome
	pinBlock secret.Secret
	keys     *dukpt.WorkingKeys
	wanted   bool // the card part waits for the keys
	message  *iso8583.Message
	body     []byte
	held     *WriteIntent // with SendFirst: not written yet
	confirms []uint64
	answer   *iso8583.Message
}

func (s *sale) purpose() Purpose { return Purpose{Task: ForSale, Attempt: s.Attempt} }

// kind is the transaction type of the sale.
func (s *sale) kind() iso8583.TransactionType {
	if s.Cashback > 0 {
		return iso8583.PurchaseCashback
	}
	return iso8583.Purchase
}

// pay begins a payment, once for each reference.
func (c *Core) pay(now time.Time, e PayAsked) {
	if c.sale != nil || c.ending {
		c.do(Told{Call: e.Call, Busy: true})
		return
	}
	if _, known := c.cfg.Books.Find(e.Sale); known {
		c.do(Told{Call: e.Call, Known: true})
		return
	}
	c.sale = &sale{Sale: Sale{Call: e.Call, Reference: e.Sale, Amount: e.Amount, Cashback: e.Cashback, Currency: c.currency(), At: now}}
	c.payment(now, payment.Start{Owed: c.Blocks() != ""})
}

// payment gives the payment's machine an event and carries out its actions. An
// action that waits for a result keeps the rest for later.
func (c *Core) payment(now time.Time, e payment.Event) {
	s := c.sale
	if s == nil {
		return
	}
	next, actions, err := payment.Next(s.state, e)
	if err != nil {
		c.note(Failure, "an event was ignored", map[string]any{"error": err.Error()})
		return
	}
	if s.state.Phase == payment.Waiting && next.Phase != payment.Waiting {
		c.link.Forget(s.purpose()) // an answer that comes now is too late
		c.wipe(s.purpose())
		c.release()
	}
	s.state = next
	s.rest = nil
	c.carryOut(now, actions)
}

// release writes the intent that SendFirst has held back.
func (c *Core) release() {
	if s := c.sale; s.held != nil {
		c.do(*s.held)
		s.held = nil
	}
}

// carryOut does what the payment's machine wants.
func (c *Core) carryOut(now time.Time, actions []payment.Action) {
	s := c.sale
	for i, a := range actions {
		switch a := a.(type) {
		case payment.Flush:
			c.do(Show{Reversing})
			s.flushBy = now.Add(c.cfg.WaitBeforeSale)
			c.flushed(now, false) // an operator may be needed already
			return
		case payment.Begin:
			t := s.kind().Info()
			c.do(Begin{journal.Begin{Sale: s.Reference, Kind: s.kind().String(), MTI: t.MTI.String(), Processing: t.Processing + "0000",
				Amount: s.Amount, Cashback: s.Cashback, Currency: s.Currency}})
			s.rest = actions[i+1:]
			return
		case payment.ReadCard:
			c.do(ReadCard{s.Sale})
		case payment.StopCard:
			c.do(StopCard{})
		case payment.WriteIntent:
			if s.keys == nil {
				s.rest = actions[i:]
				c.takeKey()
				return
			}
			if !c.intend(now) {
				return
			}
		case payment.Send:
			c.do(Show{PleaseWait})
			c.request(now)
		case payment.Complete:
			c.do(CompleteCard{c.answerFor(a.Decision)})
		case payment.WriteOutcome:
			c.writeOutcome(a)
		case payment.Reverse:
			// The queue takes it over once the outcome is durable: Ended.
		case payment.Tell:
			c.tell(a)
		}
	}
}

// card handles what card and journal say about the sale.
func (c *Core) card(now time.Time, e Event) {
	s := c.sale
	if s == nil {
		return
	}
	switch e := e.(type) {
	case Begun:
		s.attempt, s.Attempt, s.STAN = e.Attempt, e.Attempt.Number, e.Attempt.Begin.STAN
		rest := s.rest
		s.rest = nil
		c.carryOut(now, rest)
	case NotBegun:
		c.payment(now, payment.Refuse{Why: e.Why})
	case KeyWanted:
		s.wanted = true
		c.takeKey()
	case CardReady:
		s.first, s.pinBlock = e.First, e.PINBlock
		c.payment(now, payment.CardOnline{})
	case CardDecided:
		s.first, s.last = e.First, e.First.Outcome
		c.payment(now, payment.CardOffline{Approved: s.last.Result == kernel.Approved, Code: s.last.ARC})
	case CardFailed:
		c.payment(now, payment.CardFailed{Why: e.Why})
	case CardRemoved:
		c.payment(now, payment.CardRemoved{})
	case CardDone:
		s.last = e.Last
		c.payment(now, payment.Completed{Card: e.Result})
	default:
		panic(unexpected(e)) // a mistake of the loop
	}
}

// takeKey asks for the sale's key, once.
func (c *Core) takeKey() {
	s := c.sale
	if s.keys != nil {
		c.releaseKey("")
		return
	}
	c.do(TakeKey{For: s.purpose(), MTI: s.attempt.Begin.MTI})
}

// releaseKey answers the card part that waits for the keys.
func (c *Core) releaseKey(why string) {
	if s := c.sale; s.wanted {
		s.wanted = false
		c.do(ReleaseKey{Keys: s.keys, Why: why})
	}
}

// saleKeyed goes on with the sale's key: for a PIN block, or for the request.
func (c *Core) saleKeyed(now time.Time, e KeyTaken) {
	s := c.sale
	if s == nil || e.For != s.purpose() || s.keys != nil {
		e.Keys.Wipe()
		return
	}
	s.keys = e.Keys
	c.releaseKey("")
	if rest := s.rest; len(rest) > 0 {
		s.rest = nil
		c.carryOut(now, rest)
	}
}

func (c *Core) saleNotKeyed(now time.Time, why string) {
	s := c.sale
	if s == nil {
		return
	}
	c.releaseKey(why)
	if s.state.Phase == payment.Waiting {
		c.unbuilt(now, errors.New(why))
	}
}

// exchanged acts on the end of the request.
func (c *Core) exchanged(now time.Time, p Purpose, r hostlink.Result) {
	s := c.sale
	if s == nil || p != s.purpose() {
		return
	}
	fields := map[string]any{"stan": r.Request.Message.STAN(), "mti": r.Request.Message.MTI().String()}
	if r.Err != nil {
		fields["error"] = r.Err.Error()
		c.note(Warning, "the request has no good answer", fields)
		c.payment(now, failedExchange(r.Err))
		return
	}
	fields["rc"], fields["rrn"] = r.Answer.ResponseCode(), r.Answer.RRN()
	c.note(Info, "the host answered", fields)
	s.answer = r.Answer
	c.payment(now, verdictOf(r.Answer))
}

// answerFor is what the card is told.
func (c *Core) answerFor(d payment.Decision) kernel.Answer {
	s := c.sale
	if d == payment.Unable {
		return kernel.Answer{Route: kernel.NoAnswer}
	}
	return kernel.Answer{
		Route: kernel.Answered, Approved: d == payment.HostApproved, ARC: s.answer.ResponseCode(),
		AuthCode: s.answer.Text(38), Objects: s.answer.Bytes(55),
	}
}

// tell ends the payment: its outcome is durable, or no attempt began.
func (c *Core) tell(a payment.Tell) {
	s := c.sale
	told := Told{Call: s.Call}
	if a.End == payment.Refused {
		told.Refused = a.Why
	}
	c.do(told)
	if s.answer != nil {
		c.confirmed(s.confirms)
	}
	if s.keys != nil {
		s.keys.Wipe()
	}
	s.pinBlock.Wipe()
	c.sale = nil
}
