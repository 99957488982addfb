package hostlink

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tallystick.example/iso8583"
)

// Came brings the body of a frame of the host.
func (m *Machine) Came(now time.Time, conn uint64, raw []byte) []Action {
	if conn != m.conn || m.phase != signingOn && m.phase != up {
		return nil
	}
	msg, err := iso8583.Unpack(raw)
	if err != nil {
		return m.unreadable(now, raw, err)
	}
	m.bad = 0
	f, waited := m.take(now, keyOf(msg))
	if !waited {
		m.status.Late++
		return []Action{Stray{msg}}
	}
	if err := check(f.Request, raw, msg); err != nil {
		return m.failed(now, f.Request, err)
	}
	if f.Kind == Echo {
		m.asked = false
		return nil
	}
	return []Action{Result{Request: f.Request, Answer: msg}}
}

// take removes the flight that an answer belongs to.
func (m *Machine) take(now time.Time, k key) (flight, bool) {
	m.heard = now
	i := slices.IndexFunc(m.flights, func(f flight) bool { return f.key == k })
	if i < 0 {
		return flight{}, false
	}
	f := m.flights[i]
	m.flights = slices.Delete(m.flights, i, i+1)
	return f, true
}

// unreadable counts a message that cannot be read, and ends the request that it
// would have answered when that much can be made out.
func (m *Machine) unreadable(now time.Time, raw []byte, err error) []Action {
	var out []Action
	m.status.Bad++
	if id, ok := iso8583.Identify(raw); ok {
		if f, waited := m.take(now, key{id.Terminal, id.STAN, id.MTI.Request()}); waited {
			out = m.failed(now, f.Request, fmt.Errorf("%w: %w", ErrBadAnswer, err))
		}
	}
	if m.bad++; m.bad >= maxBad {
		out = append(out, m.lost(now, "the host sends messages that cannot be read", true)...)
	}
	return out
}

// check decides whether an answer can be trusted: its MAC first, then the
// message table, then that it answers this request (DE 3, 4, 11, 41, 42, 49 and
// the attempt id).
func check(r Request, raw []byte, answer *iso8583.Message) error {
	if r.Verify != nil {
		input, mac, err := iso8583.MACInput(raw)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadMAC, err)
		}
		if !r.Verify(input, mac) {
			return ErrBadMAC
		}
	}
	if err := errors.Join(iso8583.Validate(answer, iso8583.ToTerminal), iso8583.Matches(r.Message, answer)); err != nil {
		return fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	return nil
}
