package server

import (
	"context"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/soft"
	"tallystick.example/internal/hsm/wire"
)

// A handler does one operation on a packed request and returns the status and
// the packed result.
type handler func(ctx context.Context, payload []byte) (wire.Status, []byte)

// on makes a handler of f.
func on[Req, Res any](op wire.Op[Req, Res], f func(context.Context, Req) (Res, error)) handler {
	return func(ctx context.Context, payload []byte) (wire.Status, []byte) {
		req, err := op.Req.Decode(payload)
		if err != nil {
			return wire.BadInput, nil
		}
		res, err := f(ctx, req)
		if err != nil {
			return wire.StatusOf(err), nil
		}
		b, err := op.Res.Append(nil, res)
		if err != nil {
			return wire.Unavailable, nil // a result longer than the protocol allows is our own fault
		}
		return wire.OK, b
	}
}

// with makes a handler of a method of a session.
func with[Req, Res any](c *conn, op wire.Op[Req, Res], f func(*soft.Session, context.Context, Req) (Res, error)) handler {
	return on(op, func(ctx context.Context, req Req) (Res, error) {
		s, err := c.hsm()
		if err != nil {
			var none Res
			return none, err
		}
		return f(s, ctx, req)
	})
}

// payments is what a connection for payments may ask.
func (c *conn) payments() map[byte]handler {
	return map[byte]handler{
		wire.Open.Code:   with(c, wire.Open, (*soft.Session).Open),
		wire.Verify.Code: with(c, wire.Verify, (*soft.Session).Verify),
		wire.Seal.Code:   with(c, wire.Seal, (*soft.Session).Seal),
		wire.Release.Code: with(c, wire.Release, func(s *soft.Session, ctx context.Context, h api.Handle) (wire.Empty, error) {
			return wire.Empty{}, s.Release(ctx, h)
		}),
		wire.SignCheckpoint.Code: with(c, wire.SignCheckpoint, func(s *soft.Session, ctx context.Context, r wire.CheckpointRequest) (api.Checkpoint, error) {
			return s.SignCheckpoint(ctx, r.Node, r.Boot, r.Count, r.Head)
		}),
		wire.Reseal.Code: with(c, wire.Reseal, func(s *soft.Session, ctx context.Context, r wire.ResealRequest) ([]byte, error) {
			return s.Reseal(ctx, r.Token, r.Sealed)
		}),
	}
}

// audited is with for administration: it is logged before it acts, and again
// with its end. Parameters and results are not logged.
func audited[Req, Res any](c *conn, name string, op wire.Op[Req, Res], f func(*soft.Session, context.Context, Req) (Res, error)) handler {
	return with(c, op, func(s *soft.Session, ctx context.Context, req Req) (Res, error) {
		log := c.log.WithField("operation", name)
		log.Info("administration begins")
		res, err := f(s, ctx, req)
		log.WithFields(logrus.Fields{"ok": err == nil, "status": int(wire.StatusOf(err))}).Info("administration ended")
		return res, err
	})
}

// administration is what a connection for administration may ask.
func (c *conn) administration() map[byte]handler {
	type session = *soft.Session
	return map[byte]handler{
		wire.Info.Code: with(c, wire.Info, func(s session, ctx context.Context, _ wire.Empty) (api.Info, error) {
			return s.Info(ctx)
		}),
		wire.GenerateKey.Code: audited(c, "generate key", wire.GenerateKey, session.GenerateKey),
		wire.ImportClear.Code: audited(c, "import clear key", wire.ImportClear, func(s session, ctx context.Context, r api.ImportClear) (api.Key, error) {
			defer r.Key.Wipe()
			return s.ImportClear(ctx, r)
		}),
		wire.NewTransport.Code: c.newTransport,
		wire.InitialKey.Code:   audited(c, "export initial key", wire.InitialKey, session.InitialKey),
		wire.ImportBlock.Code: audited(c, "import key block", wire.ImportBlock, func(s session, ctx context.Context, r wire.ImportBlockRequest) (api.Key, error) {
			return s.ImportBlock(ctx, r.Transport, r.Block)
		}),
		wire.RotateSealing.Code: audited(c, "rotate sealing key", wire.RotateSealing, func(s session, ctx context.Context, _ wire.Empty) (uint32, error) {
			return s.RotateSealing(ctx)
		}),
		wire.ClearPINBrake.Code: audited(c, "clear PIN brake", wire.ClearPINBrake, func(s session, ctx context.Context, lookup [32]byte) (wire.Empty, error) {
			return wire.Empty{}, s.ClearPINBrake(ctx, lookup)
		}),
		wire.Personalize.Code: audited(c, "personalize card", wire.Personalize, func(s session, ctx context.Context, p api.Personalize) (api.Personalized, error) {
			defer p.PAN.Wipe()
			defer p.PIN.Wipe()
			return s.Personalize(ctx, p)
		}),
		wire.Unlock.Code: on(wire.Unlock, func(_ context.Context, r wire.UnlockRequest) (wire.Unlocked, error) {
			defer r.Component.Wipe()
			c.log.WithField("operation", "unlock").Info("administration begins")
			u, err := c.s.vault.unlock(r.Component)
			c.log.WithFields(logrus.Fields{"operation": "unlock", "ok": err == nil, "missing": u.Missing}).Info("administration ended")
			return u, err
		}),
	}
}

// newTransport wipes the components once they are packed: they leave the
// boundary here and nowhere else.
func (c *conn) newTransport(ctx context.Context, payload []byte) (wire.Status, []byte) {
	var t api.Transport
	defer func() {
		t.Components[0].Wipe()
		t.Components[1].Wipe()
	}()
	h := audited(c, "make transport key", wire.NewTransport, func(s *soft.Session, ctx context.Context, _ wire.Empty) (api.Transport, error) {
		var err error
		t, err = s.NewTransport(ctx)
		return t, err
	})
	return h(ctx, payload)
}
