package terminal_test

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"testing"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/terminal"
)

// TestPayments carries every kind of message, in both schemes, to a host that
// holds the base key and checks the MACs; the cryptogram is verified as an issuer
// does.
func TestPayments(t *testing.T) {
	for _, scheme := range []dukpt.Scheme{dukpt.AES, dukpt.TDES} {
		h, tm := start(t, scheme)
		k := h.dial(tm)
		ctx := context.Background()
		if err := k.Echo(ctx); err != nil {
			t.Error(err)
		}
		for _, profile := range []cryptogram.Profile{cryptogram.VisaCVN10, cryptogram.VisaCVN18} {
			c := card(t, profile)
			req, ans, err := k.Pay(ctx, terminal.Sale{Card: c, Minor: 1234, PIN: "1234"})
			must(t, err)
			if ans.ResponseCode() != "00" {
				t.Errorf("answered %s", ans.ResponseCode())
			}
			f, err := cryptogram.FieldsFromDE55(req.Bytes(55))
			must(t, err)
			who := cryptogram.Card{PAN: c.PAN, PSN: c.PSN}
			if err := cryptogram.Verify(secret.New(unhex(t, imk)), who, profile, f); err != nil {
				t.Errorf("%s: %v", profile, err)
			}
			if ans, err = k.Reverse(ctx, req); err != nil || ans.ResponseCode() != "00" {
				t.Errorf("reversal: %v, %v", ans, err)
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		ksns := map[string]bool{}
		for _, m := range h.seen {
			if p, err := m.Private(); err == nil && p.MACKSN != nil && ksns[string(p.MACKSN)] {
				t.Errorf("%v: a counter was used twice", scheme)
			} else if err == nil {
				ksns[string(p.MACKSN)] = true
			}
		}
		if len(h.seen) != 5 {
			t.Errorf("the host has seen %d messages, want 5", len(h.seen))
		}
	}
}

// TestAnyOrder sends an original and its repeats, which have one STAN, at once;
// the host answers in reverse order, and each gets the answer with its own KSN.
func TestAnyOrder(t *testing.T) {
	h, tm := start(t, dukpt.AES)
	const n = 3
	var held []func(string)
	h.does(func(_ *tls.Conn, _ *iso8583.Message, answer func(string)) {
		if held = append(held, answer); len(held) == n {
			for i := n - 1; i >= 0; i-- {
				held[i]("00")
			}
		}
	})
	k := h.dial(tm)
	plan, err := tm.Plan(terminal.Sale{Card: card(t, cryptogram.VisaCVN10), Minor: 5})
	must(t, err)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, _, err := k.Transmit(context.Background(), plan, i > 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(k.Stray()) != 0 {
		t.Errorf("%d answers belonged to nothing", len(k.Stray()))
	}
}

// TestFalseAnswers: what is not the authentic answer does not count.
func TestFalseAnswers(t *testing.T) {
	h, tm := start(t, dukpt.AES)
	h.does(func(c *tls.Conn, m *iso8583.Message, _ func(string)) {
		b := h.answer(m, "00")
		b[len(b)-1] ^= 1
		_ = iso8583.WriteFrame(c, iso8583.Frame{Body: b})
		_ = iso8583.WriteFrame(c, iso8583.Frame{Body: h.answer(m, "00")}) // a second one for the same message
	})
	k := h.dial(tm)
	ctx := context.Background()
	if _, _, err := k.Pay(ctx, terminal.Sale{Card: card(t, cryptogram.VisaCVN10), Minor: 5}); err == nil {
		t.Error("an answer with a wrong MAC counts")
	}
	h.does(nil)
	must(t, k.Echo(ctx))
	if n := len(k.Stray()); n != 1 {
		t.Errorf("%d stray answers, want 1", n)
	}
}

// TestEnd: when the host ends the connection, what is in flight ends too.
func TestEnd(t *testing.T) {
	h, tm := start(t, dukpt.AES)
	h.does(func(c *tls.Conn, _ *iso8583.Message, _ func(string)) { c.Close() })
	k := h.dial(tm)
	_, _, err := k.Pay(context.Background(), terminal.Sale{Card: card(t, cryptogram.VisaCVN10), Minor: 5})
	if !errors.Is(err, terminal.ErrClosed) {
		t.Errorf("the payment ended with %v", err)
	}
	<-k.Gone()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	h.does(func(*tls.Conn, *iso8583.Message, func(string)) {})
	k = h.dial(tm)
	if err := k.Echo(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an echo without answer ended with %v", err)
	}
}
