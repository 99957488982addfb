package client

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/wire"
)

// A deadline ends the call that has it and no other: the connection lives on,
// and the late answer goes to nobody.
func TestDeadlineEndsOneCall(t *testing.T) {
	p, c := newPeer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	patient, hasty := make(chan error, 1), make(chan error, 1)
	go func() { patient <- c.Release(t.Context(), 1) }()
	p.greet(payments)
	first := p.read()
	<-ctx.Done()
	if err := c.Release(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call past its deadline: %v", err)
	}
	late, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	go func() { hasty <- c.Release(late, 3) }()
	second := p.read()
	if err := <-hasty; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call without answer: %v", err)
	}
	for _, f := range []wire.Frame{second, first} {
		p.write(wire.Frame{Op: f.Op, Answer: true, ID: f.ID, Payload: []byte{byte(wire.OK)}})
	}
	if err := <-patient; err != nil {
		t.Errorf("the call of another: %v", err)
	}
}

// A deadline ends the wait for another caller's greeting.
func TestDeadlineBeforeTheGreeting(t *testing.T) {
	p, c := newPeer(t)
	dialling := make(chan error, 1)
	go func() { dialling <- c.Release(t.Context(), 1) }()
	p.accept()
	p.read() // the hello, which gets no answer yet
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Release(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a silent peer: %v", err)
	}
	if err := p.c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-dialling; !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("the caller that dialled: %v", err)
	}
}

// A peer that sends garbage is given up, in place of the greeting and after it.
func TestGarbage(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"text":             []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
		"ones":             bytes.Repeat([]byte{0xFF}, 64),
		"zeros":            make([]byte, 64),
		"a frame cut":      {0, 0, 0, 20, 1},
		"nothing":          nil,
		"a length of 4 GB": {0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1},
	} {
		for _, greeted := range []bool{false, true} {
			p, c := newPeer(t)
			done := make(chan error, 1)
			go func() { done <- c.Release(t.Context(), 1) }()
			if greeted {
				p.greet(payments)
			} else {
				p.accept()
			}
			p.read()
			if _, err := p.c.Write(garbage); err != nil {
				t.Fatal(err)
			}
			if err := p.c.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, api.ErrUnavailable) {
				t.Errorf("%s, greeted %v: %v", name, greeted, err)
			}
			// The client does not use what is left of it, and comes again.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			go func() { done <- c.Wait(ctx) }()
			p.greet(payments)
			if err := <-done; err != nil {
				t.Errorf("%s, greeted %v: coming again: %v", name, greeted, err)
			}
			cancel()
		}
	}
}
