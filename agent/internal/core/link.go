package core

import (
	"fmt"
	"time"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/dukpt"
	"tallystick.example/iso8583"
)

// linked carries out what the link wants.
func (c *Core) linked(now time.Time, actions []hostlink.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case hostlink.Dial:
			c.do(Dial{a.Conn})
		case hostlink.Hangup:
			c.do(Hangup{a.Conn})
		case hostlink.Send:
			c.do(Send{a.Conn, a.Body})
		case hostlink.WantSignOn:
			c.turn++
			c.do(TakeSTAN{Purpose{Task: ForSignOn, Turn: c.turn}})
		case hostlink.WantEcho:
			c.turn++
			c.do(TakeSTAN{Purpose{Task: ForEcho, Turn: c.turn}})
		case hostlink.Changed:
			c.changed(now, a)
		case hostlink.Stray:
			m := a.Message
			c.note(Info, "an answer came that nobody waits for any more",
				map[string]any{"mti": m.MTI().String(), "stan": m.STAN(), "rc": m.ResponseCode()})
		case hostlink.Result:
			c.result(now, a)
		}
	}
}

// changed hurries what waits when the host can be reached again.
func (c *Core) changed(now time.Time, a hostlink.Changed) {
	if !a.Up {
		c.note(Warning, "no connection to the host, trying again", map[string]any{"reason": a.Why})
		return
	}
	c.note(Info, "signed on to the host", nil)
	c.queued(now, payment.Reconnected{})
}

// result hands the end of an exchange to who waits for it.
func (c *Core) result(now time.Time, r hostlink.Result) {
	p := r.Request.Tag.(Purpose)
	c.wipe(p)
	switch p.Task {
	case ForSale:
		c.exchanged(now, p, r)
	case ForReversal:
		c.acknowledged(now, p, r)
	case ForSignOn:
		c.signedOn(now, p, r)
	}
}

// carry seals m under keys and sends it. An error means that it cannot be built.
func (c *Core) carry(now time.Time, p Purpose, kind hostlink.Kind, m *iso8583.Message, keys *dukpt.WorkingKeys) error {
	body, err := seal(m, keys)
	if err != nil {
		return err
	}
	c.keys[p] = keys
	c.linked(now, c.link.Send(now, hostlink.Request{Kind: kind, Tag: p, Message: m, Body: body, Verify: verifier(keys)}))
	return nil
}

// wipe forgets the keys of a message that waits no longer.
func (c *Core) wipe(p Purpose) {
	if k := c.keys[p]; k != nil {
		k.Wipe()
		delete(c.keys, p)
	}
}

// numbered goes on with a message that has its STAN.
func (c *Core) numbered(now time.Time, e STANTaken) {
	if e.For.Turn != c.turn {
		return // of a connection that has ended
	}
	switch e.For.Task {
	case ForEcho:
		m, err := iso8583.NewNetwork(c.header(e.STAN, now), iso8583.Echo, iso8583.Private{})
		if err == nil {
			var body []byte
			if body, err = iso8583.Pack(m); err == nil {
				c.linked(now, c.link.Send(now, hostlink.Request{Kind: hostlink.Echo, Tag: e.For, Message: m, Body: body}))
				return
			}
		}
		c.linked(now, c.link.Failed(now, fmt.Sprintf("making an echo: %v", err)))
	case ForSignOn:
		c.signOn(now, e)
	}
}

// keyed goes on with a message that has its key.
func (c *Core) keyed(now time.Time, e KeyTaken) {
	var err error
	switch e.For.Task {
	case ForSale:
		c.saleKeyed(now, e)
		return
	case ForReversal:
		if c.reversal == nil {
			break
		}
		m := c.reversal
		c.reversal = nil
		if err = c.carry(now, e.For, hostlink.Ordinary, m, e.Keys); err != nil {
			c.untransmitted(now, e.For, err.Error())
		}
	case ForSignOn:
		if e.For.Turn != c.turn || c.signing == nil {
			break
		}
		m := c.signing
		c.signing = nil
		if err = c.carry(now, e.For, hostlink.SignOn, m, e.Keys); err != nil {
			c.linked(now, c.link.Failed(now, fmt.Sprintf("signing on: %v", err)))
		}
	}
	if c.keys[e.For] == nil {
		e.Keys.Wipe() // nothing was sent under it
	}
}

// notTaken gives up a message for which there is no number or key.
func (c *Core) notTaken(now time.Time, e NotTaken) {
	switch e.For.Task {
	case ForSale:
		c.saleNotKeyed(now, e.Why)
	case ForReversal:
		c.reversal = nil
		c.untransmitted(now, e.For, e.Why)
	default:
		if e.For.Turn == c.turn {
			c.linked(now, c.link.Failed(now, e.Why))
		}
	}
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
