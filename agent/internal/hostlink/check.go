package hostlink

import (
	"fmt"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/xlog"
	"tallystick.example/iso8583"
)

// check decides whether an answer can be trusted: its MAC first, then the
// message table, then that it answers this request (DE 3, 4, 11, 41, 42, 49 and
// the attempt id).
func (w *waiter) check(got result) (*iso8583.Message, error) {
	if got.err != nil {
		return nil, got.err
	}
	if w.Verify != nil {
		input, mac, err := iso8583.MACInput(got.raw)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadMAC, err)
		}
		if !w.Verify(input, mac) {
			return nil, ErrBadMAC
		}
	}
	if err := iso8583.Validate(got.msg, iso8583.ToTerminal); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	if err := iso8583.Matches(w.Message, got.msg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	return got.msg, nil
}

// logFields names a message in the log.
func logFields(m *iso8583.Message) logrus.Fields {
	return logrus.Fields{xlog.KeyMTI: m.MTI().String(), xlog.KeySTAN: m.STAN(), xlog.KeyRC: m.ResponseCode(), xlog.KeyTerminal: m.Terminal()}
}
