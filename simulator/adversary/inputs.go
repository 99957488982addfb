package adversary

import (
	"bytes"
	"context"
	"time"

	"tallystick.example/iso8583"
)

// An Input is one kind of bad input and what the host owes to it: a response code
// with a MAC, one without, no answer, or the end of the connection. Where the
// connection does not end, it must live.
type Input struct {
	Name   string
	Clause string // section of docs/terminal-interface.md that says so
	Want   string
	send   func(context.Context, *attack) (string, error)
}

// Inputs is the table of bad input.
func Inputs() []Input {
	var out []Input
	for _, part := range [][]Input{streams(), unreadable(), unauthentic(), forbidden(), duplicates(), untrue()} {
		out = append(out, part...)
	}
	return out
}

// streams are bytes that are no messages.
func streams() []Input {
	const framing, answers = "1. Connection, Framing", "10. What gets no answer"
	return []Input{
		{"a length of zero", framing, closed, func(_ context.Context, a *attack) (string, error) { return a.raw(0, 0) }},
		{"a length of 64 KiB", framing, closed, func(_ context.Context, a *attack) (string, error) { return a.raw(0xFF, 0xFF) }},
		{"a length just over the limit", framing, closed, func(_ context.Context, a *attack) (string, error) { return a.raw(0x10, 0x06) }},
		{"a long message without TPDU", framing, closed, func(_ context.Context, a *attack) (string, error) {
			return a.raw(append([]byte{0x10, 0x05, 2}, make([]byte, iso8583.MaxMessage+4)...)...)
		}},
		{"a TPDU and nothing", framing, closed, func(_ context.Context, a *attack) (string, error) { return a.raw(0, 3, 0x60, 0, 0) }},
		{"half a frame", framing, closed, func(_ context.Context, a *attack) (string, error) { return a.raw(0, 200, 2, 0) }},
		{"a frame that never ends, byte by byte", framing, closed, dribble},
		{"text of another protocol", framing, closed, func(_ context.Context, a *attack) (string, error) {
			return a.raw([]byte("GET / HTTP/1.1\r\n\r\n")...)
		}},
		{"a stream of messages that cannot be read", framing, closed, func(_ context.Context, a *attack) (string, error) {
			for range 1024 {
				if a.k.Send([]byte("no message")) != nil {
					break
				}
			}
			return a.ends()
		}},
		{"one message that cannot be read", answers, noAnswer, func(_ context.Context, a *attack) (string, error) {
			return a.silent(bytes.Repeat([]byte{0xA5}, 300))
		}},
		{"no TLS", "1. Connection, TLS", closed, func(ctx context.Context, a *attack) (string, error) {
			return a.tcp(ctx, []byte{0, 3, 8, 0, 0})
		}},
		{"a handshake that never goes on", "1. Connection, TLS", closed, func(ctx context.Context, a *attack) (string, error) {
			return a.tcp(ctx, []byte{0x16, 3, 1})
		}},
	}
}

// dribble sends a frame of 4096 bytes one by one, until the host has had enough.
func dribble(ctx context.Context, a *attack) (string, error) {
	if err := a.k.Raw([]byte{0x10, 0}); err != nil {
		return "", err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range iso8583.MaxMessage - 1 {
		select {
		case <-a.k.Gone():
			return closed, nil
		case <-ctx.Done():
			return "the connection lives", nil
		case <-tick.C:
		}
		if err := a.k.Raw([]byte{2}); err != nil {
			return a.ends()
		}
	}
	return "the connection lives", nil
}

// unreadable are messages whose content breaks the layout.
func unreadable() []Input {
	const layout, answers = "2. Layout of a message", "10. What gets no answer"
	change := func(f func([]byte) []byte) func(context.Context, *attack) (string, error) {
		return func(ctx context.Context, a *attack) (string, error) {
			x, packed, err := a.packed()
			if err != nil {
				return "", err
			}
			return a.exchange(ctx, x.m, f(packed), x.keys)
		}
	}
	gone := func(f func([]byte) []byte) func(context.Context, *attack) (string, error) {
		return func(_ context.Context, a *attack) (string, error) {
			_, packed, err := a.packed()
			if err != nil {
				return "", err
			}
			return a.silent(f(packed))
		}
	}
	mti := func(a, b byte) func([]byte) []byte {
		return func(p []byte) []byte { p[0], p[1] = a, b; return p }
	}
	return []Input{
		{"the end is missing", layout, "30" + bare, change(func(b []byte) []byte { return b[:len(b)-20] })},
		{"a byte behind the end", layout, "30" + bare, change(func(b []byte) []byte { return append(b, 0) })},
		{"an amount that is not digits", layout, "30" + bare, change(func(b []byte) []byte { b[13] = 0xFA; return b })},
		{"half a message", answers, noAnswer, gone(func(b []byte) []byte { return b[:20] })},
		{"an unknown type", answers, noAnswer, gone(mti(0x07, 0x77))},
		{"an answer", answers, noAnswer, gone(mti(0x02, 0x10))},
		{"a STAN that is not digits", answers, noAnswer, gone(func(b []byte) []byte { b[24] = 0xFF; return b })},
	}
}

// packed makes a good sale and seals it. Its bitmap has no second part; DE 4 is at
// offset 13 and DE 11 at 24.
func (a *attack) packed() (*forgery, []byte, error) {
	f, err := a.forge()
	if err != nil {
		return nil, nil, err
	}
	packed, err := f.seal()
	return f, packed, err
}
