package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	agent "tallystick.example/agent/app"
	"tallystick.example/dukpt"
	"tallystick.example/emv/kernel"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/card"
)

// A simAgent is one terminal: its Core while it runs, its books for ever, and the
// card in its reader.
type simAgent struct {
	s     *simulation
	id    string
	life  int // counts the starts: what is due for an older one is lost
	core  *agent.Core
	books *agent.Books // nil while it is down
	kern  *kernel.Config
	armed int
	keys  *agent.ReleaseKey

	card    *card.Card
	session *kernel.Session
	first   *kernel.Request
	reads   int // counts the cards that were read: an older one is stopped

	left  int // sales that are still to begin
	sales int
	told  map[string]bool // sales whose approval the till was told
	wire  [][]byte        // what the terminal has sent
}

// simKey encrypts the books of all simulated terminals.
var simKey = secret.New(make([]byte, 32))

func newSimAgent(s *simulation, n int) *simAgent {
	a := &simAgent{s: s, id: fmt.Sprintf("SIMTERM%d", n), left: simSales, told: map[string]bool{}}
	must(s.t, os.Mkdir(s.path(a.id), 0o700))
	ksn := simKSN(n)
	base, err := dukpt.NewBase(simScheme(n), simBDK())
	must(s.t, err)
	ik, err := base.InitialKey(ksn)
	must(s.t, err)
	must(s.t, agent.NewKey(a.options(), secret.New(ik), ksn))
	p := simProfile(n)
	state, err := card.OpenStore("", p)
	must(s.t, err)
	a.card, err = card.New(p, state, s.bytes, nil)
	must(s.t, err)
	return a
}

func (a *simAgent) options() agent.BooksOptions {
	return agent.BooksOptions{Folder: a.s.path(a.id), Key: simKey, Random: a.s.bytes, Now: func() time.Time { return a.s.now }, NoSync: true}
}

// start begins the program's next life, from what is durable.
func (a *simAgent) start() {
	s := a.s
	a.life++
	var err error
	a.books, err = agent.OpenBooks(a.options())
	must(s.t, err)
	a.core, a.kern, err = agent.LoadCore("../../agent/sample.yaml", a.id, a.books, s.bytes)
	must(s.t, err)
	a.step(agent.Started{})
	a.later(s.soon(20*time.Second), "asks for a sale", a.ask)
	if !s.calm {
		a.later(30*time.Second+s.soon(10*time.Minute), "loses power", a.powerLoss)
	}
}

// later has something happen to this life of the program.
func (a *simAgent) later(d time.Duration, what string, do func()) {
	life := a.life
	a.s.after(d, a.id+" "+what, func() {
		if a.life == life && a.books != nil {
			do()
		}
	})
}

// crash ends the program: what is not durable is lost, and its connections break.
func (a *simAgent) crash() {
	if a.books == nil {
		return
	}
	must(a.s.t, a.books.Close())
	a.books, a.core, a.session = nil, nil, nil
	a.life++
	for _, l := range a.s.sorted() {
		if l.agent == a {
			l.cut("the terminal is gone")
		}
	}
}

// powerLoss ends the program and has it start again.
func (a *simAgent) powerLoss() {
	a.s.note("%s is down", a.id)
	a.crash()
	a.s.after(time.Second+a.s.soon(40*time.Second), a.id+" starts", a.start)
}

// ask begins a sale as the till does: a sale that was asked for before a power
// loss is asked for again.
func (a *simAgent) ask() {
	if a.left == 0 {
		return
	}
	a.step(agent.PayAsked{Call: uint64(a.sales + 1), Sale: a.reference(), Amount: int64(100 + 7*a.sales)})
}

func (a *simAgent) reference() string { return fmt.Sprintf("%s-%d", a.id, a.sales) }

// step gives the Core an event, and everything that follows from it at once.
func (a *simAgent) step(e agent.Event) {
	life := a.life
	for queue := []agent.Event{e}; len(queue) > 0; queue = queue[1:] {
		for _, action := range a.core.Step(a.s.now, queue[0]) {
			a.s.note("%s %s", a.id, describeAction(action))
			if a.s.mishap(600) { // the power goes before this action
				a.powerLoss()
				return
			}
			brought := a.do(action)
			if a.life != life {
				return
			}
			if brought != nil {
				queue = append(queue, brought)
			}
		}
	}
}

// do carries out one action.
func (a *simAgent) do(action agent.Action) agent.Event {
	s := a.s
	if k, is := action.(agent.TakeKey); is && s.mishap(100) {
		// The power goes between registers and journal, or after both.
		after := s.rnd.IntN(2) == 0
		_, err := a.books.Register.Next(func(ksn dukpt.KSN) error {
			if after {
				return errors.Join(a.books.Record(k, ksn.Counter()), errPower)
			}
			return errPower
		})
		if !errors.Is(err, errPower) {
			s.fault("%s: a key was released without its record: %v", a.id, err)
		}
		a.powerLoss()
		return nil
	}
	if e, mine, err := a.books.Do(action); mine {
		must(s.t, err)
		if s.mishap(600) { // nobody knows whether it is durable: the process ends
			a.powerLoss()
			return nil
		}
		return e
	}
	switch x := action.(type) {
	case agent.ReadCard:
		a.reads++
		reads := a.reads
		a.later(time.Second+s.soon(5*time.Second), "card", func() { a.read(x, reads) })
	case agent.ReleaseKey:
		a.keys = &x
	case agent.StopCard:
		a.reads++
		a.later(time.Millisecond, "stopped", func() { a.step(agent.CardFailed{Why: "stopped"}) })
	case agent.CompleteCard:
		a.later(s.soon(2*time.Second), "card done", func() { a.complete(x) })
	case agent.Dial:
		s.dial(a, x.Conn)
	case agent.Hangup:
		s.hangup(a, x.Conn)
	case agent.Send:
		a.send(x)
	case agent.Told:
		a.hear(x)
	case agent.Arm:
		a.arm(x.At)
	}
	return nil
}

var errPower = errors.New("the power is gone")

func (a *simAgent) arm(at time.Time) {
	a.armed++
	armed := a.armed
	if !at.IsZero() {
		a.later(max(at.Sub(a.s.now), 0), "timer", func() {
			if a.armed == armed {
				a.step(agent.Tick{})
			}
		})
	}
}

// hear is the till: an approval that it was told must stand for ever.
func (a *simAgent) hear(x agent.Told) {
	s := a.s
	if x.Busy {
		return
	}
	if x.Refused != "" { // the till asks again
		a.later(5*time.Second+s.soon(20*time.Second), "asks again", a.ask)
		return
	}
	attempt, found := a.books.Journal.Find(a.reference())
	if !found {
		s.fault("%s: the journal does not know sale %s", a.id, a.reference())
	}
	s.note("%s told %s", a.id, attempt.End())
	if attempt.End() == "open" {
		s.fault("%s: the till was told of sale %s before its outcome was durable", a.id, a.reference())
	}
	if attempt.End() == "approved" {
		a.told[a.reference()] = true
	}
	if s.mishap(100) { // the power goes as the receipt is in the payer's hand
		a.left, a.sales = a.left-1, a.sales+1
		a.powerLoss()
		return
	}
	a.left, a.sales = a.left-1, a.sales+1
	a.later(s.soon(time.Minute), "asks for a sale", a.ask)
}

// read runs the EMV kernel over the card, up to its first GENERATE AC.
func (a *simAgent) read(x agent.ReadCard, reads int) {
	s := a.s
	if reads != a.reads {
		return // stopped
	}
	a.card.Reset()
	life := a.life
	var block secret.Secret
	call := kernel.Callbacks{OnlinePIN: func(_ context.Context, c *kernel.CardInfo) (kernel.PINStatus, error) {
		a.keys = nil
		a.step(agent.KeyWanted{})
		if a.life != life || a.keys == nil || a.keys.Keys == nil {
			return 0, errPower
		}
		b, err := a.keys.Keys.EncryptPIN(a.keys.Keys.PINFormat(), []byte("1234"), c.PAN.Expose(), s.bytes)
		block = secret.New(b)
		return kernel.PINEntered, err
	}}
	var err error
	if a.session, err = kernel.Select(s.t.Context(), plainCard{a.card}, a.kern, call); err == nil {
		a.first, err = a.session.First(s.t.Context(), kernel.Transaction{Kind: kernel.Purchase, Amount: x.Sale.Amount, Currency: int(x.Sale.Currency), Exponent: 2,
			Date: simDay(x.Sale.At), Sequence: x.Sale.STAN, Random: s.bytes})
	}
	switch {
	case a.life != life:
	case err != nil:
		if !errors.Is(err, errPower) {
			s.fault("%s: the card was not read: %v", a.id, err)
		}
		a.step(agent.CardFailed{Why: "the card cannot be read"})
	case a.first.Outcome != nil:
		a.step(agent.CardDecided{First: a.first})
	default:
		if s.mishap(20) {
			a.later(s.soon(8*time.Second), "card pulled", func() { a.step(agent.CardRemoved{}) })
		}
		if s.mishap(20) {
			a.later(s.soon(8*time.Second), "abort", func() { a.step(agent.AbortAsked{}) })
		}
		a.step(agent.CardReady{First: a.first, PINBlock: block})
	}
}

// complete runs the second half, in which the card may be pulled.
func (a *simAgent) complete(x agent.CompleteCard) {
	if a.s.mishap(20) {
		a.step(agent.CardDone{Result: agent.CardGone})
		return
	}
	last := a.session.Second(a.s.t.Context(), x.Answer)
	a.step(agent.CardDone{Last: last, Result: agent.CardResult(last)})
}

// plainCard is a card without a reader and a protocol in between.
type plainCard struct{ card *card.Card }

func (p plainCard) Transmit(_ context.Context, b []byte) ([]byte, error) {
	c, err := transport.ParseCommand(b)
	if err != nil {
		return nil, err
	}
	r, err := p.card.Transmit(c)
	if err != nil {
		return nil, err
	}
	return r.Bytes(), nil
}

// send hands a frame to the network.
func (a *simAgent) send(x agent.Send) {
	a.wire = append(a.wire, x.Body)
	a.inOrder(x.Body)
	l := a.s.lineOf(a, x.Conn)
	if l == nil {
		return
	}
	a.s.carry(l, "to the host", x.Body, func(body []byte) { a.s.host.came(l, iso8583.Frame{Body: body}) })
}

// inOrder holds rule 5 against a message that leaves: a reversal that is owed, and
// that no operator has to look after, goes before the next online sale.
func (a *simAgent) inOrder(body []byte) {
	m, err := iso8583.Unpack(body)
	must(a.s.t, err)
	if m.MTI().Class() != iso8583.ClassPayment {
		return
	}
	for _, owed := range a.books.Journal.Unfinished() {
		if owed.End() == "reversing" && owed.Stuck == nil {
			a.s.fault("%s: a %s left before the reversal of attempt %d", a.id, m.MTI(), owed.Number)
		}
	}
}
