package gateway

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

// handle drives the exchange of one message.
func (c *conn) handle(ctx context.Context, f iso8583.Frame) {
	x, orders := Begin(c.id, c.g.cfg.Checkpoint, f)
	for {
		var in Input
		for _, o := range orders {
			in = c.carryOut(ctx, f, o)
		}
		if in == nil {
			return
		}
		orders = x.Step(in)
	}
}

// carryOut does one order and returns the input that it brings, if any.
func (c *conn) carryOut(ctx context.Context, f iso8583.Frame, o Order) Input {
	g := c.g
	switch o := o.(type) {
	case LookUp:
		sets, err := Registered(ctx, g.cfg.Store, c.print, c.id, o)
		return LookedUp{sets, err}
	case Open:
		opened, err := g.cfg.Boundary.Open(ctx, o.Request)
		return OpenDone{opened, err}
	case Decide:
		r, err := g.cfg.Engine.Reply(ctx, o.Make)
		return DecideDone{r, err}
	case Seal:
		s, err := g.cfg.Boundary.Seal(ctx, o.Request)
		return SealDone{s, err}
	case Release:
		c.release(ctx, o.Handle)
	case Send:
		c.send(o.Frame, o.Verdict)
	case Came:
		c.trace(true, f.Body, o.Verdict)
	case Count:
		g.counts.add(o.Reason)
	case Bad:
		c.bad.Add(1)
		g.counts.add(o.Reason)
	case Good:
		c.bad.Store(0)
	case End:
		c.end()
	case Note:
		c.note(o)
	}
	return nil
}

// Registered reads the state of the terminal of a certificate (its SHA-256) and
// its key sets. ErrNotAdmitted means that it is not, or no longer, admitted.
func Registered(ctx context.Context, st *store.Store, print []byte, who xtls.Identity, o LookUp) ([]api.KeySet, error) {
	var out []api.KeySet
	err := st.Read(ctx, func(q store.Querier) error {
		t, err := terminals.ByCertificate(q, print)
		if errors.Is(err, terminals.ErrNotFound) || err == nil && (t.Status != terminals.Active || t.ID != who.Terminal) {
			return ErrNotAdmitted
		}
		if err != nil {
			return err
		}
		sets, err := terminals.KeySets(q, t.ID)
		out = nil
		for _, s := range sets {
			if s.Status == terminals.Active || s.Status == terminals.Retired && !o.Payment {
				out = append(out, s.KeySet)
			}
		}
		return err
	})
	return out, err
}

// release forgets a handle that gets no answer; one that cannot be released dies
// by itself.
func (c *conn) release(ctx context.Context, h api.Handle) {
	if err := c.g.cfg.Boundary.Release(ctx, h); err != nil {
		c.log.WithError(err).Debug("a handle could not be released")
	}
}

// note writes a line into the log.
func (c *conn) note(n Note) {
	log := c.log.WithFields(n.Fields)
	if n.Err != nil {
		log = log.WithError(n.Err)
	}
	level := map[Level]logrus.Level{Info: logrus.InfoLevel, Warning: logrus.WarnLevel, Failure: logrus.ErrorLevel}[n.Level]
	log.Log(level, n.Text)
}
