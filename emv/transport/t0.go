package transport

import "fmt"

// maxNull bounds the procedure bytes 60 of one command. Each of them buys the
// card another work waiting time (about a second), so more than this is a card
// that never answers.
const maxNull = 600

// T0 is the terminal's side of T=0 on a line that carries single characters
// (EMV Level 1 Contact 9.2.2, 9.3.1): procedure bytes within a command, and
// around them what an Exchange does.
type T0 struct {
	exchange *Exchange
	tpdu     tpdu
	out      []byte
	failed   bool
}

// NewT0 prepares the exchange of an APDU. ErrCommand also means an instruction
// byte of 6x or 9x, which T=0 cannot carry.
func NewT0(command []byte) (*T0, error) {
	x, err := NewExchange(command, LevelTPDU)
	if err != nil {
		return nil, err
	}
	if ins := x.sender().INS & 0xF0; ins == 0x60 || ins == 0x90 {
		return nil, fmt.Errorf("%w: T=0 has no instruction 6x or 9x", ErrCommand)
	}
	m := &T0{exchange: x}
	m.next()
	return m, nil
}

// next begins the exchange's next TPDU, if there is one.
func (m *T0) next() {
	if whole := m.exchange.Send(); whole != nil {
		m.tpdu = newTPDU(whole, m.exchange.sender())
		m.out = append([]byte(nil), whole[:headerSize]...)
	}
}

// Send is what the terminal sends now, or nil.
func (m *T0) Send() []byte {
	out := m.out
	m.out = nil
	return out
}

// Receive takes any number of characters from the card, in any division. ErrCard
// means that the card session is over.
func (m *T0) Receive(in []byte) error {
	for _, b := range in {
		if m.failed || m.exchange.done || len(m.out) > 0 {
			m.failed = true
			return fmt.Errorf("%w: it sent when it was the terminal's turn", ErrCard)
		}
		if err := m.character(b); err != nil {
			m.failed = true
			return err
		}
	}
	return nil
}

// Silence says that the work waiting time has run out, or that a reader which
// hands over blocks has given a whole one. An answer shorter than asked for is
// then complete when it ends in status bytes; anything else gives ErrCard.
func (m *T0) Silence() error {
	if m.failed || m.exchange.done || len(m.out) > 0 {
		return nil
	}
	if !m.tpdu.cutShort() {
		m.failed = true
		return fmt.Errorf("%w: it stopped in the middle of an answer", ErrCard)
	}
	return m.complete()
}

// Response is the whole answer once the exchange is done.
func (m *T0) Response() (Response, bool) { return m.exchange.Response() }

func (m *T0) character(b byte) error {
	send, err := m.tpdu.character(b)
	if err != nil {
		return err
	}
	m.out = append(m.out, send...)
	if m.tpdu.state != tpduDone {
		return nil
	}
	return m.complete()
}

func (m *T0) complete() error {
	err := m.exchange.Receive(m.tpdu.got)
	m.failed = err != nil
	m.next()
	return err
}
