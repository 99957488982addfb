package vectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tallystick.example/emv/kernel"
	"tallystick.example/emv/transport"
	"tallystick.example/testvectors"
)

// A replay is a card that expects exact commands of the reader, 61xx and 6Cxx
// resolved on the way as in a terminal.
type replay struct {
	left []testvectors.Exchange
	err  error // the first command that was not expected
}

// Transmit carries a command through; see [kernel.Card].
func (r *replay) Transmit(_ context.Context, capdu []byte) ([]byte, error) {
	x, err := transport.NewExchange(capdu, transport.LevelAPDU)
	if err != nil {
		return nil, err
	}
	for c := x.Send(); c != nil; c = x.Send() {
		if len(r.left) == 0 || !bytes.Equal(r.left[0].C, c) {
			r.err = fmt.Errorf("command %X was not expected, %d exchanges are left", c, len(r.left))
			return nil, r.err
		}
		answer := r.left[0].R
		r.left = r.left[1:]
		if err := x.Receive(answer); err != nil {
			return nil, err
		}
	}
	response, ok := x.Response()
	if !ok {
		return nil, errors.New("the exchange has no end")
	}
	return response.Bytes(), nil
}

// done fails when a command was not expected, or, unless the transaction was
// terminated, when exchanges are left.
func (r *replay) done(terminated bool) error {
	if r.err == nil && len(r.left) > 0 && !terminated {
		return fmt.Errorf("%d exchanges were not used", len(r.left))
	}
	return r.err
}

// reason is why a step of the kernel failed; 0 when it did not.
func reason(err error) (kernel.Reason, error) {
	if err == nil {
		return 0, nil
	}
	e, ok := errors.AsType[*kernel.Error](err)
	if !ok {
		return 0, err
	}
	return e.Reason, nil
}
