package hsmtest

import (
	"context"
	"errors"
	"testing"

	"tallystick.example/internal/hsm/api"
)

// handles are used once, live thirty seconds, and end with Release.
func handles(t *testing.T, open Open) {
	x := start(t, open, Options{})
	message := x.aes.message(t, payment{card: plain(testPAN)})
	seal := func(h api.Handle) error {
		_, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: h, Answer: answer(t, message, "00")})
		return err
	}
	a := x.opened(x.aes, message).Handle
	if err := seal(a); err != nil {
		t.Fatal(err)
	}
	x.want("sealing twice", seal(a), api.ErrHandle)
	b := x.opened(x.aes, message).Handle
	if err := x.hsm.Release(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	x.want("a released handle", seal(b), api.ErrHandle)
	if err := x.hsm.Release(t.Context(), 12345); err != nil {
		t.Errorf("releasing an unknown handle: %v", err)
	}
	x.want("handle zero", seal(0), api.ErrHandle)
	c := x.opened(x.aes, message).Handle
	x.b.Advance(halfMinute - 1)
	d := x.opened(x.aes, message).Handle
	x.b.Advance(1)
	x.want("a handle of thirty seconds", seal(c), api.ErrHandle)
	if err := seal(d); err != nil {
		t.Errorf("a young handle: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.hsm.Open(ctx, api.OpenRequest{Message: message, KeySets: []api.KeySet{x.aes.set}}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// foreignHandles: a handle belongs to its connection and dies with it.
func foreignHandles(t *testing.T, open Open) {
	x := start(t, open, Options{})
	message := x.aes.message(t, payment{card: plain(testPAN)})
	mine, closeMine := x.b.Connect(t)
	o, err := mine.Open(t.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{x.aes.set}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
	x.want("sealing through another connection", err, api.ErrHandle)
	_, err = x.hsm.Verify(t.Context(), x.withKeys(api.VerifyRequest{Handle: o.Handle, PIN: true}))
	x.want("verifying through another connection", err, api.ErrHandle)
	if err := x.hsm.Release(t.Context(), o.Handle); err != nil {
		t.Fatal(err)
	}
	closeMine()
	_, err = mine.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
	x.want("a closed connection", err, api.ErrUnavailable)
	again, _ := x.b.Connect(t)
	_, err = again.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
	x.want("a handle of a connection that ended", err, api.ErrHandle)

	o = x.opened(x.aes, message)
	x.b.Restart(t)
	x.hsm, _ = x.b.Connect(t)
	_, err = x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
	x.want("a handle of before a restart", err, api.ErrHandle)
}
