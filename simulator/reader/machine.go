package reader

import (
	"context"
	"errors"

	"tallystick.example/internal/reader/ccid"
	"tallystick.example/simulator/card"
)

// Contacts is what a reader has of a card: a card in this process or in another
// one (card.Slot, card.Client).
type Contacts interface {
	// PowerOn resets the card and gives its answer to reset, offering protocol
	// (0 or 1).
	PowerOn(ctx context.Context, protocol byte) ([]byte, error)
	PowerOff(ctx context.Context) error
	// Transmit carries a TPDU of T=0 or a block of T=1; card.ErrMute means that
	// no answer came.
	Transmit(ctx context.Context, block []byte) ([]byte, error)
}

// firmware is what the reader says of itself.
const firmware = "GemTwin-V2.10-GV02"

// Requests within an Escape command of the GemPC Twin family.
const (
	escapeMode     = 0x01 // 01 01 01: tell of cards only between command and answer
	escapeFirmware = 0x02
)

// maxWaits bounds the requests for time before an answer.
const maxWaits = 100

// Options are what a user sets of a reader.
type Options struct {
	Protocol byte // that the card is to offer: 0 or 1
	Waits    int  // requests for more time before each answer of the card, 0 to 100
}

// A Machine is the reader's logic. One goroutine uses it.
type Machine struct {
	options Options
	card    Contacts // nil when the slot is empty
	powered bool
	quiet   bool   // tell of cards only between command and answer
	waiting []byte // notifications that wait for a command
	params  []byte // of the last SetParameters
}

// NewMachine makes a reader with an empty slot.
func NewMachine(o Options) *Machine { return &Machine{options: o, params: defaultParams(o.Protocol)} }

// Present tells whether a card is in the slot, Powered whether it has power.
func (m *Machine) Present() bool { return m.card != nil }

// Powered tells whether the card has power.
func (m *Machine) Powered() bool { return m.powered }

// Insert puts a card into the slot and gives the bytes to send at once.
func (m *Machine) Insert(c Contacts) []byte {
	m.card, m.powered = c, false
	return m.notify(true)
}

// Remove pulls the card, which loses its power, and gives the bytes to send.
func (m *Machine) Remove(ctx context.Context) []byte {
	if m.card == nil {
		return nil
	}
	// A card whose process has gone cannot be told; it is gone all the same.
	_ = m.card.PowerOff(ctx)
	m.card, m.powered = nil, false
	return m.notify(false)
}

func (m *Machine) notify(inserted bool) []byte {
	n := ccid.Notification(inserted)
	if !m.quiet {
		return n
	}
	m.waiting = n // only the newest counts
	return nil
}

// An Answer is what the reader sends for a command, in this order.
type Answer struct {
	Notification []byte // a card that came or went since the last command
	Waits        int    // bytes 80 and above: the card asks for time
	Message      ccid.Message
}

// Command carries out a command.
func (m *Machine) Command(ctx context.Context, c ccid.Message) Answer {
	a := Answer{Notification: m.waiting}
	m.waiting = nil
	switch {
	case c.Slot != 0:
		a.Message = m.failed(c, ccid.CodeNoSuchSlot)
	case c.Type == ccid.Escape:
		a.Message = m.escape(c)
	case c.Type == ccid.GetSlotStatus:
		a.Message = m.done(c, nil, 0)
	case c.Type == ccid.PowerOn:
		a.Message = m.powerOn(ctx, c)
	case c.Type == ccid.PowerOff:
		a.Message = m.powerOff(ctx, c)
	case c.Type == ccid.SetParameters:
		a.Message = m.setParameters(c)
	case c.Type == ccid.GetParameters:
		a.Message = m.done(c, m.params, m.options.Protocol)
	case c.Type == ccid.XfrBlock:
		a.Message = m.transfer(ctx, c)
		if a.Message.Err() == nil && m.options.Protocol == card.T0 {
			a.Waits = min(m.options.Waits, maxWaits)
		}
	default:
		a.Message = m.failed(c, ccid.CodeUnknownCommand)
	}
	return a
}

// state is the card's state as answers report it.
func (m *Machine) state() ccid.Card {
	switch {
	case m.card == nil:
		return ccid.CardAbsent
	case m.powered:
		return ccid.CardActive
	default:
		return ccid.CardInactive
	}
}

func (m *Machine) done(c ccid.Message, data []byte, last byte) ccid.Message {
	return ccid.Message{Type: c.Type.Answer(), Slot: c.Slot, Seq: c.Seq, Params: ccid.Status(m.state(), ccid.Done, 0, last), Data: data}
}

func (m *Machine) failed(c ccid.Message, code byte) ccid.Message {
	return ccid.Message{Type: c.Type.Answer(), Slot: c.Slot, Seq: c.Seq, Params: ccid.Status(m.state(), ccid.Failed, code, 0)}
}

func (m *Machine) escape(c ccid.Message) ccid.Message {
	switch {
	case len(c.Data) == 1 && c.Data[0] == escapeFirmware:
		return m.done(c, []byte(firmware), 0)
	case len(c.Data) == 3 && c.Data[0] == escapeMode:
		m.quiet = c.Data[2] == 1
		return m.done(c, nil, 0)
	default:
		return m.failed(c, ccid.CodeUnknownCommand)
	}
}

func (m *Machine) powerOn(ctx context.Context, c ccid.Message) ccid.Message {
	if m.card == nil {
		return m.failed(c, ccid.CodeMute)
	}
	if c.Params[0] > 3 { // automatic, 5 V, 3 V, 1.8 V
		return m.failed(c, ccid.CodeWrongParameter)
	}
	atr, err := m.card.PowerOn(ctx, m.options.Protocol)
	m.powered = err == nil
	if err != nil {
		return m.failed(c, ccid.CodeMute)
	}
	m.params = defaultParams(m.options.Protocol)
	return m.done(c, atr, 0)
}

func (m *Machine) powerOff(ctx context.Context, c ccid.Message) ccid.Message {
	if m.card == nil {
		return m.done(c, nil, 0)
	}
	m.powered = false
	if err := m.card.PowerOff(ctx); err != nil {
		return m.failed(c, ccid.CodeHardware)
	}
	return m.done(c, nil, 1) // the clock is stopped low
}

func defaultParams(protocol byte) []byte {
	if protocol == card.T1 {
		return ccid.ParametersT1(0x11, 0, 0x4D, 32, false)
	}
	return ccid.ParametersT0(0x11, 0, 0x0A, false)
}

// setParameters takes the parameters of the card's protocol; the other one is
// refused, as a card refuses to speak it.
func (m *Machine) setParameters(c ccid.Message) ccid.Message {
	if m.card == nil || !m.powered {
		return m.failed(c, ccid.CodeMute)
	}
	if c.Params[0] != m.options.Protocol {
		return m.failed(c, ccid.CodeWrongParameter)
	}
	if len(c.Data) != len(defaultParams(c.Params[0])) {
		return m.failed(c, ccid.CodeWrongLength)
	}
	m.params = append([]byte(nil), c.Data...)
	return m.done(c, m.params, c.Params[0])
}

func (m *Machine) transfer(ctx context.Context, c ccid.Message) ccid.Message {
	if m.card == nil || !m.powered {
		return m.failed(c, ccid.CodeMute)
	}
	out, err := m.card.Transmit(ctx, c.Data)
	switch {
	case errors.Is(err, card.ErrMute):
		m.powered = false // EMV: a card that does not answer is deactivated
		return m.failed(c, ccid.CodeMute)
	case err != nil || len(out) > ccid.MaxData:
		return m.failed(c, ccid.CodeHardware)
	}
	return m.done(c, out, 0)
}
