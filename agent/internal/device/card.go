package device

import (
	"context"
	"errors"
	"fmt"

	"tallystick.example/emv/transport"
	"tallystick.example/internal/reader/ccid"
)

// A Tap sees each command and answer of a card. It must mask what may not be
// kept before it keeps anything.
type Tap func(command, answer []byte)

// A Card is a powered card in the reader: the kernel's way to it. One goroutine
// uses it.
type Card struct {
	reader *Reader
	t1     *transport.T1 // nil for a card of T=0
	tap    Tap
	// ATR is the card's answer to reset.
	ATR []byte
}

// volts5 is the power select byte for class A (CCID 1.1, 6.1.1).
const volts5 = 0x01

// PowerOn resets the card and agrees with it on a protocol (EMV Level 1 Contact,
// clauses 6 and 8): a cold reset, then a warm one when the answer is not
// acceptable. tap may be nil.
func (r *Reader) PowerOn(ctx context.Context, tap Tap) (*Card, error) {
	var err error
	for _, reset := range []transport.Reset{transport.ColdReset, transport.WarmReset} {
		var c *Card
		if c, err = r.reset(ctx, reset, tap); err == nil {
			return c, nil
		}
		if !errors.Is(err, transport.ErrATR) {
			break
		}
	}
	return nil, errors.Join(err, r.powerOff(ctx))
}

func (r *Reader) reset(ctx context.Context, reset transport.Reset, tap Tap) (*Card, error) {
	answer, err := r.command(ctx, ccid.PowerOn, [3]byte{volts5}, nil)
	if err != nil {
		return nil, fmt.Errorf("powering the card: %w", cardGone(err))
	}
	atr, err := transport.ParseATR(answer.Data)
	if err != nil {
		return nil, fmt.Errorf("powering the card: %w", err)
	}
	params, err := atr.CheckEMV(reset)
	if err != nil {
		return nil, fmt.Errorf("powering the card: %w", err)
	}
	c := &Card{reader: r, tap: tap, ATR: answer.Data}
	data := ccid.ParametersT0(params.FiDi, params.N, params.WI, atr.Inverse)
	if params.Protocol == 1 {
		c.t1 = transport.NewT1(params.IFSC)
		data = ccid.ParametersT1(params.FiDi, params.N, params.BWI<<4|params.CWI, params.IFSC, atr.Inverse)
	}
	if _, err := r.command(ctx, ccid.SetParameters, [3]byte{params.Protocol}, data); err != nil {
		return nil, fmt.Errorf("setting the card's protocol: %w", cardGone(err))
	}
	return c, nil
}

// Transmit carries one command APDU to the card and returns its answer with the
// status bytes. It fetches data (61xx, 6Cxx) itself. Errors are ErrCardRemoved,
// transport.ErrCard, and those of the line.
func (c *Card) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	level, carry := transport.LevelTPDU, c.block
	if c.t1 != nil {
		level, carry = transport.LevelAPDU, c.chain
	}
	x, err := transport.NewExchange(apdu, level)
	if err != nil {
		return nil, err
	}
	for out := x.Send(); out != nil; out = x.Send() {
		answer, err := carry(ctx, out)
		clear(out)
		if err != nil {
			return nil, fmt.Errorf("sending a command to the card: %w", err)
		}
		if err := x.Receive(answer); err != nil {
			return nil, err
		}
	}
	response, done := x.Response()
	if !done {
		return nil, fmt.Errorf("%w: the exchange ended early", transport.ErrCard)
	}
	whole := response.Bytes()
	if c.tap != nil {
		c.tap(apdu, whole)
	}
	return whole, nil
}

// block carries one TPDU of T=0, or one block of T=1.
func (c *Card) block(ctx context.Context, out []byte) ([]byte, error) {
	answer, err := c.reader.command(ctx, ccid.XfrBlock, [3]byte{}, out)
	if err != nil {
		return nil, cardGone(err)
	}
	return answer.Data, nil
}

// chain carries one command in the blocks of T=1. A card that is mute, or whose
// block was damaged on its side of the reader, is asked again as the protocol
// says.
func (c *Card) chain(ctx context.Context, command []byte) ([]byte, error) {
	if err := c.t1.Begin(command); err != nil {
		return nil, err
	}
	for out := c.t1.Send(); out != nil; out = c.t1.Send() {
		in, err := c.block(ctx, out)
		f, failed := errors.AsType[*ccid.FailedError](err)
		switch {
		case err == nil:
			err = c.t1.Receive(in)
		case failed && f.Card != ccid.CardAbsent && (f.Code == ccid.CodeMute || f.Code == ccid.CodeParity):
			err = c.t1.Silence()
		}
		if err != nil {
			return nil, err
		}
	}
	response, done := c.t1.Response()
	if !done {
		return nil, fmt.Errorf("%w: the exchange ended early", transport.ErrCard)
	}
	return response.Bytes(), nil
}

// PowerOff deactivates the card. A card that is gone already is fine.
func (c *Card) PowerOff(ctx context.Context) error { return c.reader.powerOff(ctx) }

func (r *Reader) powerOff(ctx context.Context) error {
	_, err := r.command(ctx, ccid.PowerOff, [3]byte{}, nil)
	if _, failed := errors.AsType[*ccid.FailedError](err); failed {
		return nil // no card, or not powered any more
	}
	if err != nil {
		return fmt.Errorf("powering the card off: %w", err)
	}
	return nil
}
