package authorize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/host/internal/store"
)

// orders carries a call through the engine's Core by hand and names its orders.
// change sees each order, and may give its input instead of having it carried out.
func (b *bench) orders(begin func(call uint64) Input, change func(Order) Input) (names string, end Done) {
	b.t.Helper()
	var out []string
	c := b.e.core
	queue := c.Step(b.e.cfg.Now(), begin(c.Call()))
	for len(queue) > 0 {
		o := queue[0]
		queue = queue[1:]
		name := strings.TrimPrefix(fmt.Sprintf("%T", o), "authorize.")
		if w, is := o.(Commit); is {
			name += "(" + strings.TrimPrefix(w.Name, "authorize.") + ")"
		}
		out = append(out, name)
		if d, done := o.(Done); done {
			return strings.Join(out, " "), d
		}
		in := change(o)
		if in == nil {
			in = b.e.carryOut(context.Background(), o)
		}
		if in != nil {
			queue = append(queue, c.Step(b.e.cfg.Now(), in)...)
		}
	}
	b.t.Fatalf("the call waits after %v", out)
	return "", Done{}
}

func asIs(Order) Input { return nil }

// TestWrittenBeforeAskedAndAnswered reads rule 1 off the orders of each kind of
// message.
func TestWrittenBeforeAskedAndAnswered(t *testing.T) {
	b := newBench(t)
	pay := func(n int) func(uint64) Input {
		m := b.request(n, 100)
		return func(c uint64) Input { return PaymentAsked{c, m} }
	}
	undo := func(n int) func(uint64) Input {
		m := b.reversal(n, 100)
		return func(c uint64) Input { return ReversalAsked{c, m} }
	}
	for _, c := range []struct {
		name, want, rc string
		begin          func(uint64) Input
	}{
		{"payment", "Number Commit(admit) Ask Commit(conclude) Wake Decided Done", "00", pay(1)},
		{"its repeat", "Number Commit(admit) Done", "00", pay(1)},
		{"reversal", "Number Commit(reverse) Wake Decided Done", "00", undo(1)},
		{"overtaking reversal", "Number Commit(reverse) Wake Decided Done", "00", undo(2)},
		{"late original", "Number Commit(admit) Done", CodeLate, pay(2)},
	} {
		got, end := b.orders(c.begin, asIs)
		if got != c.want || end.Err != nil || end.Reply.Answer.ResponseCode() != c.rc {
			t.Errorf("%s: %s, %v, want %s with %s", c.name, got, end, c.want, c.rc)
		}
	}
	if got, end := b.orders(func(c uint64) Input { return DeliveryAsked{c} }, asIs); got != "Read Offer Commit(outbox) Done" || end.Count != 1 {
		t.Errorf("delivery: %s, %+v", got, end)
	}
}

// TestUnknownCommitIsAskedAgain, by the same write, whether it was done or not: one
// row and one effect come of it (rule 7).
func TestUnknownCommitIsAskedAgain(t *testing.T) {
	for _, done := range []bool{true, false} {
		for _, which := range []string{"authorize.admit", "authorize.conclude"} {
			b := newBench(t)
			m, lost := b.request(1, 100), false
			got, end := b.orders(func(c uint64) Input { return PaymentAsked{c, m} }, func(o Order) Input {
				w, is := o.(Commit)
				if !is || w.Name != which || lost {
					return nil
				}
				lost = true
				if done {
					b.e.carryOut(context.Background(), o)
				}
				return Committed{w.Call, fmt.Errorf("lost: %w", store.ErrUnknown)}
			})
			if !lost || strings.Count(got, "Commit") != 3 || end.Err != nil || end.Reply.Answer.ResponseCode() != "00" {
				t.Errorf("%s, done %v: %s, %+v", which, done, got, end)
			}
			if r := b.one(); r.Row.State != Approved || b.issuer.charged() != 1 || b.owed() != 100 {
				t.Errorf("%s, done %v: %v, charged %d, owed %d", which, done, r.Row.State, b.issuer.charged(), b.owed())
			}
		}
	}
}

// TestFailedCommitAnswersNothing: the terminal reverses what it got no answer for.
func TestFailedCommitAnswersNothing(t *testing.T) {
	b := newBench(t)
	m, fault := b.request(1, 100), errors.New("fault")
	_, end := b.orders(func(c uint64) Input { return PaymentAsked{c, m} }, func(o Order) Input {
		if w, is := o.(Commit); is && w.Name == "authorize.conclude" {
			return Committed{w.Call, fault}
		}
		return nil
	})
	if !errors.Is(end.Err, fault) || end.Reply.Answer != nil {
		t.Errorf("%+v", end)
	}
	if n, err := b.e.Sweep(t.Context()); err != nil || n != 0 {
		t.Errorf("settled %d at once, %v", n, err)
	}
	b.clock.Add(2 * Stale.Microseconds())
	if n, err := b.e.Sweep(t.Context()); err != nil || n != 1 {
		t.Errorf("settled %d, %v", n, err)
	}
	b.deliver()
	if b.issuer.charged() != 0 || b.owed() != 0 {
		t.Errorf("charged %d, owed %d", b.issuer.charged(), b.owed())
	}
}
