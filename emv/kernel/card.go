package kernel

import (
	"context"
	"fmt"

	"tallystick.example/emv"
)

// A Card takes commands. Transmit sends one short command APDU and returns the
// data of the answer followed by SW1 SW2; 61xx and 6Cxx are resolved below, and
// the data of a 62xx or 63xx answer are fetched. An error means that nothing is
// known of the card any more (removed, mute, protocol broken). Transmit must not
// keep capdu, which may hold a PIN and is wiped afterwards.
type Card interface {
	Transmit(ctx context.Context, capdu []byte) (rapdu []byte, err error)
}

// maxAnswer is the longest answer to a short command: 256 bytes and SW1 SW2.
const maxAnswer = 258

// maxCommandData is the longest data of a short command.
const maxCommandData = 255

// command is a short command APDU. le is sent as 00: all that there is.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	le               bool
}

func (c command) bytes() []byte {
	out := make([]byte, 0, 6+len(c.data))
	out = append(out, c.cla, c.ins, c.p1, c.p2)
	if len(c.data) > 0 {
		out = append(out, byte(len(c.data)))
		out = append(out, c.data...)
	}
	if c.le {
		out = append(out, 0x00)
	}
	return out
}

// send transmits c and splits the answer. Its error is an *Error of CardLost.
func send(ctx context.Context, card Card, step string, c command) (data []byte, sw emv.SW, err error) {
	if len(c.data) > maxCommandData {
		return nil, 0, cardError(step, "B3 6.3.2", "the card asks for %d bytes of command data", len(c.data))
	}
	capdu := c.bytes()
	defer clear(capdu)
	return exchange(ctx, card, step, capdu)
}

// exchange transmits a whole command APDU and splits the answer.
func exchange(ctx context.Context, card Card, step string, capdu []byte) (data []byte, sw emv.SW, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, &Error{Reason: Stopped, Step: step, Text: "the caller has stopped the transaction", Err: context.Cause(ctx)}
	}
	rapdu, err := card.Transmit(ctx, capdu)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, 0, &Error{Reason: Stopped, Step: step, Text: "the caller has stopped the transaction", Err: context.Cause(ctx)}
	case err != nil:
		return nil, 0, &Error{Reason: CardLost, Step: step, Text: "the card does not answer", Err: err}
	case len(rapdu) < 2 || len(rapdu) > maxAnswer:
		return nil, 0, &Error{Reason: CardLost, Step: step, Text: fmt.Sprintf("the card reader gave an answer of %d bytes", len(rapdu))}
	}
	at := len(rapdu) - 2
	return append([]byte(nil), rapdu[:at]...), emv.SW(rapdu[at])<<8 | emv.SW(rapdu[at+1]), nil
}

// selectByName is SELECT (B1 11.3). next asks for the next application of a
// partial name.
func selectByName(name []byte, next bool) command {
	c := command{cla: 0x00, ins: 0xA4, p1: 0x04, data: name, le: true}
	if next {
		c.p2 = 0x02
	}
	return c
}

// readRecord is READ RECORD (B3 6.5.11).
func readRecord(sfi, record byte) command {
	return command{cla: 0x00, ins: 0xB2, p1: record, p2: sfi<<3 | 0x04, le: true}
}

// getData is GET DATA (B3 6.5.7) for a tag of two bytes.
func getData(tag emv.Tag) command {
	return command{cla: 0x80, ins: 0xCA, p1: byte(tag >> 8), p2: byte(tag), le: true}
}
