package card

import (
	"context"
	"errors"
	"fmt"

	"tallystick.example/emv/transport"
)

// Protocols that a card can answer with.
const (
	T0 byte = 0
	T1 byte = 1
)

// Answers to reset of the card: direct convention, acceptable for EMV Level 1
// Contact 8.3, with "TALLYS" as historical characters.
var (
	atrT0 = []byte{0x3B, 0x66, 0x00, 0x00, 'T', 'A', 'L', 'L', 'Y', 'S'}
	atrT1 = withTCK([]byte{0x3B, 0xE6, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 'T', 'A', 'L', 'L', 'Y', 'S'})
)

func withTCK(atr []byte) []byte {
	var tck byte
	for _, b := range atr[1:] {
		tck ^= b
	}
	return append(atr, tck)
}

// ErrNotPowered means that a block came to a card without power.
var ErrNotPowered = errors.New("card: not powered")

// A Slot is a card with its contacts: reset, and the blocks of the protocol that
// the card speaks. One goroutine uses it.
type Slot struct {
	card *Card
	t0   *transport.CardT0
	t1   *transport.CardT1
}

// NewSlot puts a card in place, not powered.
func NewSlot(c *Card) *Slot { return &Slot{card: c} }

// PowerOn resets the card, cold or warm, and gives its answer. protocol is the
// one the card offers: T0 or T1. A card in this process does not wait, so the
// context is not looked at, here and below; a Client does.
func (s *Slot) PowerOn(_ context.Context, protocol byte) ([]byte, error) {
	s.card.Reset()
	s.card.log.power(s.card.profile.Name, true)
	s.t0, s.t1 = nil, nil
	switch protocol {
	case T0:
		s.t0 = transport.NewCardT0(TakesData)
		return append([]byte(nil), atrT0...), nil
	case T1:
		s.t1 = transport.NewCardT1()
		return append([]byte(nil), atrT1...), nil
	default:
		return nil, fmt.Errorf("card: no protocol T=%d", protocol)
	}
}

// PowerOff takes the power away: what was not in the card's state is gone.
func (s *Slot) PowerOff(context.Context) error {
	if s.powered() {
		s.card.log.power(s.card.profile.Name, false)
	}
	s.card.Reset()
	s.t0, s.t1 = nil, nil
	return nil
}

// Transmit carries one TPDU of T=0 (header and data; a trailing Le, as some
// drivers send it, is ignored) or one block of T=1, and gives the card's answer.
// ErrMute means that none comes. A PPS request (it begins with FF, which no
// command and no block does) for the protocol that the card speaks is accepted.
func (s *Slot) Transmit(_ context.Context, block []byte) ([]byte, error) {
	switch {
	case s.powered() && len(block) > 1 && block[0] == 0xFF:
		return s.acceptPPS(block)
	case s.t0 != nil:
		return s.transmitT0(block)
	case s.t1 != nil:
		return s.transmitT1(block)
	default:
		return nil, ErrNotPowered
	}
}

func (s *Slot) powered() bool { return s.t0 != nil || s.t1 != nil }

// acceptPPS answers a PPS request with itself (ISO/IEC 7816-3, 9.3).
func (s *Slot) acceptPPS(request []byte) ([]byte, error) {
	p := transport.PPS{Protocol: T0}
	if s.t1 != nil {
		p.Protocol = T1
	}
	if len(request) == 4 {
		p.FiDi = request[2]
	}
	if _, err := p.Accept(request); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMute, err)
	}
	return append([]byte(nil), request...), nil
}

// transmitT0 plays the reader's part of T=0: it leaves out the procedure byte.
func (s *Slot) transmitT0(tpdu []byte) ([]byte, error) {
	c, err := transport.ParseCommand(tpdu)
	if err != nil {
		return nil, err
	}
	if ins := c.INS & 0xF0; ins == 0x60 || ins == 0x90 {
		return transport.Response{SW: swINS}.Bytes(), nil // would look like a status byte
	}
	if len(c.Data) > 0 {
		c.Le = 0
		tpdu = c.Bytes()
	}
	if len(tpdu) == 4 {
		tpdu = append(tpdu[:4:4], 0)
	}
	out, command := s.t0.Receive(tpdu)
	if command != nil {
		r, err := s.card.Transmit(*command)
		if err != nil {
			return nil, err
		}
		out = append(out, s.t0.Answer(*command, r)...)
	}
	if len(out) < 2 {
		s.t0 = transport.NewCardT0(TakesData) // a real card would time out and wait for a reset
		return nil, fmt.Errorf("%w: the command announces more data than it has", ErrMute)
	}
	if out[0] == tpdu[1] {
		out = out[1:]
	}
	return out, nil
}

func (s *Slot) transmitT1(block []byte) ([]byte, error) {
	out, apdu := s.t1.Receive(block)
	if apdu == nil {
		return out, nil
	}
	r := transport.Response{SW: swLength}
	if command, err := transport.ParseCommand(apdu); err == nil {
		if r, err = s.card.Transmit(command); err != nil {
			return nil, err
		}
	}
	return s.t1.Answer(r), nil
}
