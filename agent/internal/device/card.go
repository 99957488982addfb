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
	params transport.Parameters
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
	if params.Protocol != 0 {
		return nil, fmt.Errorf("powering the card: %w: this reader driver speaks T=0 only", transport.ErrATR)
	}
	data := ccid.ParametersT0(params.FiDi, params.N, params.WI, atr.Inverse)
	if _, err := r.command(ctx, ccid.SetParameters, [3]byte{params.Protocol}, data); err != nil {
		return nil, fmt.Errorf("setting the card's protocol: %w", cardGone(err))
	}
	return &Card{reader: r, params: params, tap: tap, ATR: answer.Data}, nil
}

// Transmit carries one command APDU to the card and returns its answer with the
// status bytes. It fetches data (61xx, 6Cxx) itself. Errors are ErrCardRemoved,
// transport.ErrCard, and those of the line.
func (c *Card) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	x, err := transport.NewExchange(apdu, transport.LevelTPDU)
	if err != nil {
		return nil, err
	}
	for out := x.Send(); out != nil; out = x.Send() {
		answer, err := c.reader.command(ctx, ccid.XfrBlock, [3]byte{}, out)
		clear(out)
		if err != nil {
			return nil, fmt.Errorf("sending a command to the card: %w", cardGone(err))
		}
		if err := x.Receive(answer.Data); err != nil {
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
