package authorize

import (
	"errors"
	"testing"
	"time"

	"tallystick.example/host/internal/store"
)

// TestClosingOutlivesTheAnswer: a commit that is no new sale is asked again as long
// as its outcome is unknown, long after the terminal has given up.
func TestClosingOutlivesTheAnswer(t *testing.T) {
	c := NewCore(CoreConfig{Node: "n1", IssuerWithin: time.Second, AnswerWithin: 2 * time.Second, OutboxTries: 1})
	began := time.Unix(1_800_000_000, 0)
	call := c.Call()
	one := func(orders []Order) Order {
		t.Helper()
		if len(orders) != 1 {
			t.Fatalf("%d orders, want one", len(orders))
		}
		return orders[0]
	}
	o := one(c.Step(began, RetryAsked{call, "operator"}))
	for _, late := range []time.Duration{3 * time.Second, 30 * time.Second, 59 * time.Second} {
		if commit, ok := o.(Commit); !ok || commit.Within < time.Minute-late {
			t.Fatalf("before %v the order is %+v", late, o)
		}
		o = one(c.Step(began.Add(late), Committed{call, store.ErrUnknown}))
	}
	done, ok := one(c.Step(began.Add(closeWithin), Committed{call, store.ErrUnknown})).(Done)
	if !ok || !errors.Is(done.Err, store.ErrUnknown) {
		t.Errorf("after a minute: %+v", done)
	}
}
