package gateway

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/xlog"
	"tallystick.example/iso8583"
)

// handle takes one message through identity, MAC, row and counter, and answers
// it or drops it with a counted reason.
func (c *conn) handle(ctx context.Context, f iso8583.Frame) {
	m, err := iso8583.Unpack(f.Body)
	if err != nil {
		c.trace(true, f.Body, "unreadable")
		c.unreadable(f)
		return
	}
	_, answerable := m.MTI().Answer()
	if !answerable || m.STAN() == "" || m.Terminal() != c.id.Terminal {
		c.trace(true, f.Body, "dropped")
		c.drop("identity")
		return
	}
	sets, err := c.register(ctx, m)
	if errors.Is(err, errNotAdmitted) {
		c.end()
		return
	}
	if err != nil {
		c.fault(m, "reading the register", err)
		return
	}
	if m.MTI().Class() == iso8583.ClassNetwork && m.Digits(70) == iso8583.Echo {
		c.trace(true, f.Body, "echo")
		c.echo(f, m)
		return
	}
	o, err := c.g.cfg.Boundary.Open(ctx, api.OpenRequest{Message: f.Body, KeySets: sets})
	if err != nil {
		c.trace(true, f.Body, "not opened")
		c.notOpened(f, m, err)
		return
	}
	c.trace(true, f.Body, "mac "+string(o.MAC))
	c.authenticated(ctx, f, m, o)
}

// register reads the state of the terminal and its key sets in one snapshot. A
// payment needs an active set, what is stored may come under a retired one.
func (c *conn) register(ctx context.Context, m *iso8583.Message) ([]api.KeySet, error) {
	var out []api.KeySet
	err := c.g.cfg.Store.Read(ctx, func(q store.Querier) error {
		t, err := terminals.ByCertificate(q, c.print)
		if errors.Is(err, terminals.ErrNotFound) || err == nil && (t.Status != terminals.Active || t.ID != c.id.Terminal) {
			return errNotAdmitted
		}
		if err != nil {
			return err
		}
		sets, err := terminals.KeySets(q, t.ID)
		out = nil
		for _, s := range sets {
			if s.Status == terminals.Active || s.Status == terminals.Retired && m.MTI().Class() != iso8583.ClassPayment {
				out = append(out, s.KeySet)
			}
		}
		return err
	})
	return out, err
}

// authenticated goes on with a message whose MAC the boundary has looked at.
func (c *conn) authenticated(ctx context.Context, f iso8583.Frame, m *iso8583.Message, o api.Opened) {
	if o.MAC != api.MACValid {
		c.badMAC(ctx, f, m, o)
		return
	}
	c.bad.Store(0)
	reply, err := c.decide(ctx, m, o)
	if err != nil {
		// Nothing may be answered; what is durable is found by the reversal.
		c.release(ctx, o.Handle)
		c.fault(m, "deciding", err)
		return
	}
	if reply.Answer == nil {
		c.release(ctx, o.Handle)
		c.g.counts.add("not answered")
		return
	}
	c.seal(ctx, f, m, o.Handle, reply)
}

// decide finds what becomes of an authenticated message.
func (c *conn) decide(ctx context.Context, m *iso8583.Message, o api.Opened) (authorize.Reply, error) {
	e := c.g.cfg.Engine
	in := authorize.Message{Message: m, Opened: o}
	if err := iso8583.Validate(m, iso8583.ToHost); err != nil {
		c.g.counts.add("rule")
		c.logger(m).WithError(err).Info("a message breaks a rule of the interface")
		code := iso8583.RefusalCode(err)
		if code == "" {
			return authorize.Reply{}, nil
		}
		return e.Refuse(ctx, in, code)
	}
	p, err := m.Private()
	if err != nil {
		return e.Refuse(ctx, in, authorize.CodeBadFormat)
	}
	in.Private = p
	if m.Merchant() != c.id.Merchant {
		c.g.counts.add("merchant")
		return e.Refuse(ctx, in, codeMerchant)
	}
	switch m.MTI().Class() {
	case iso8583.ClassReversal:
		return e.Reversal(ctx, in)
	case iso8583.ClassNetwork:
		return c.network(ctx, in)
	case iso8583.ClassPayment:
		if t, ok := m.Transaction(); ok && posts(t.Type) {
			return e.Request(ctx, in)
		}
	}
	c.g.counts.add("unsupported")
	return e.Refuse(ctx, in, codeUnsupported)
}

// DE 39 values that only the gateway gives.
const (
	codeMerchant    = "03"
	codeUnsupported = "40"
)

// posts reports whether this host carries out transactions of a type.
func posts(t iso8583.TransactionType) bool {
	return t == iso8583.Purchase || t == iso8583.PurchaseCashback || t == iso8583.CashAdvance
}

// seal finishes an answer inside the boundary and sends it.
func (c *conn) seal(ctx context.Context, f iso8583.Frame, m *iso8583.Message, h api.Handle, r authorize.Reply) {
	packed, err := iso8583.PackForMAC(r.Answer)
	if err != nil {
		c.release(ctx, h)
		c.fault(m, "packing an answer", err)
		return
	}
	s, err := c.g.cfg.Boundary.Seal(ctx, api.SealRequest{Handle: h, Answer: packed, ARC: r.ARC})
	if err != nil {
		c.fault(m, "sealing an answer", err)
		return
	}
	c.send(f, s.Answer, "rc "+r.Answer.ResponseCode())
	c.g.counts.add("answered")
	c.logger(m).WithField(xlog.KeyRRN, r.Answer.RRN()).WithField(xlog.KeyRC, r.Answer.ResponseCode()).Info("answered")
}

// badMAC refuses a message that is not authentic with 63: under its own key when
// there is a handle, else bare.
func (c *conn) badMAC(ctx context.Context, f iso8583.Frame, m *iso8583.Message, o api.Opened) {
	c.drop("mac " + string(o.MAC))
	c.logger(m).WithField("mac", string(o.MAC)).Warn("a message is not authentic")
	if o.Handle != 0 {
		r, err := c.g.cfg.Engine.Reject(ctx, authorize.Message{Message: m, Opened: o}, authorize.CodeBadMAC)
		if err == nil {
			c.seal(ctx, f, m, o.Handle, r)
			return
		}
		c.release(ctx, o.Handle)
	}
	c.bare(f, iso8583.Identity{MTI: m.MTI(), STAN: m.STAN(), Terminal: m.Terminal()}, authorize.CodeBadMAC)
}

// notOpened answers a message that the boundary could not or would not open.
func (c *conn) notOpened(f iso8583.Frame, m *iso8583.Message, err error) {
	id := iso8583.Identity{MTI: m.MTI(), STAN: m.STAN(), Terminal: m.Terminal()}
	if errors.Is(err, api.ErrInput) {
		c.drop("format")
		c.bare(f, id, authorize.CodeBadFormat)
		return
	}
	c.fault(m, "opening a message", err)
	c.bare(f, id, authorize.CodeSystem)
}

// unreadable answers what could not be unpacked when its identity can be read
// and is the terminal's, and drops it otherwise.
func (c *conn) unreadable(f iso8583.Frame) {
	c.drop("format")
	if id, ok := iso8583.Identify(f.Body); ok && id.Terminal == c.id.Terminal {
		c.bare(f, id, authorize.CodeBadFormat)
	}
}

// bare sends a refusal without MAC: a terminal takes it as no answer and logs it.
func (c *conn) bare(f iso8583.Frame, id iso8583.Identity, code string) {
	a, ok := iso8583.Refusal(id, code)
	if !ok {
		return
	}
	if b, err := iso8583.Pack(a); err == nil {
		c.send(f, b, "rc "+code+" without MAC")
	}
}

// echo answers the one message that has no MAC.
func (c *conn) echo(f iso8583.Frame, m *iso8583.Message) {
	if err := iso8583.Validate(m, iso8583.ToHost); err != nil {
		c.drop("rule")
		c.bare(f, iso8583.Identity{MTI: m.MTI(), STAN: m.STAN(), Terminal: m.Terminal()}, authorize.CodeBadFormat)
		return
	}
	a, err := iso8583.Answer(m, authorize.CodeApproved)
	if err != nil {
		return
	}
	if b, err := iso8583.Pack(a); err == nil {
		c.bad.Store(0)
		c.g.counts.add("echo")
		c.send(f, b, "rc 00")
	}
}

// drop counts a bad message.
func (c *conn) drop(reason string) {
	c.bad.Add(1)
	c.g.counts.add(reason)
}

// release forgets a handle that gets no answer; one that cannot be released dies
// by itself.
func (c *conn) release(ctx context.Context, h api.Handle) {
	if h == 0 {
		return
	}
	if err := c.g.cfg.Boundary.Release(ctx, h); err != nil {
		c.log.WithError(err).Debug("a handle could not be released")
	}
}

// fault logs our own failure; the terminal gets no answer and reverses.
func (c *conn) fault(m *iso8583.Message, doing string, err error) {
	c.g.counts.add("fault")
	c.logger(m).WithError(err).Error("a message was not answered: " + doing + " failed")
}

// logger has the fixed keys of a message.
func (c *conn) logger(m *iso8583.Message) *logrus.Entry {
	return c.log.WithFields(logrus.Fields{xlog.KeySTAN: m.STAN(), xlog.KeyMTI: m.MTI().String()})
}
