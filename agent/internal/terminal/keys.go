package terminal

import (
	"errors"
	"fmt"

	"tallystick.example/agent/internal/register"
	"tallystick.example/dukpt"
	"tallystick.example/iso8583"
)

// lowOnKeys is when the log begins to warn that a new initial key is needed.
const lowOnKeys = 10_000

// nextKeys takes the next DUKPT key in the order of rule 8: registers durable,
// then record (the journal), then the keys. The caller wipes them.
func (t *Terminal) nextKeys(record func(counter uint32) error) (*dukpt.WorkingKeys, error) {
	r := t.o.Register
	if r == nil {
		return nil, register.ErrNoKey
	}
	keys, err := r.Next(func(k dukpt.KSN) error { return record(k.Counter()) })
	if err != nil {
		if errors.Is(err, dukpt.ErrExhausted) {
			return nil, fmt.Errorf("the DUKPT key is used up, the terminal needs a new one: %w", err)
		}
		return nil, t.durable(err)
	}
	if left := keys.KSN().Remaining(); left < lowOnKeys && left%1000 == 0 {
		t.o.Log.WithField("left", left).Warn("the DUKPT key is nearly used up: load a new one")
	}
	return keys, nil
}

// seal puts the KSN of keys into m and packs it with its MAC (X9.24, request
// direction).
func seal(m *iso8583.Message, keys *dukpt.WorkingKeys) ([]byte, error) {
	p, err := m.Private()
	if err != nil {
		return nil, err
	}
	p.MACKSN = keys.KSN().Bytes()
	m.SetPrivate(p)
	return iso8583.SealMAC(m, func(input []byte) (mac [iso8583.MACSize]byte, err error) {
		code, err := keys.MAC(dukpt.Request, input)
		if err != nil {
			return mac, err
		}
		return [iso8583.MACSize]byte(code), nil
	})
}

// verifier checks the MAC of an answer under the counter of its request.
func verifier(keys *dukpt.WorkingKeys) func(input, mac []byte) bool {
	return func(input, mac []byte) bool {
		ok, err := keys.VerifyMAC(dukpt.Response, input, mac)
		return err == nil && ok
	}
}
