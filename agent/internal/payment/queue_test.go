package payment

import (
	"fmt"
	"testing"
	"time"
)

var testPolicy = Policy{First: time.Second, Max: 8 * time.Second, StuckAfter: 6}

func TestBackOffDoubles(t *testing.T) {
	q := Queue{Policy: testPolicy}
	q.Handle(0, Owe{Attempt: 7})
	var now time.Duration
	var waits []time.Duration
	for try := 1; try <= 7; try++ {
		got := q.Handle(now, Tick{Online: true})
		if want := (Transmit{Attempt: 7, Try: try}); len(got) != 1 || got[0] != want {
			t.Fatalf("at %v: %v, want %v", now, got, want)
		}
		actions := q.Handle(now, Unanswered{Attempt: 7})
		if _, stuck := first(actions).(WriteStuck); stuck != (try == 6) {
			t.Errorf("after %d tries: %v", try, actions)
		}
		due, ok := q.NextDue()
		if !ok {
			t.Fatal("nothing is due any more")
		}
		waits = append(waits, due-now)
		if early := q.Handle(due-1, Tick{Online: true}); early != nil {
			t.Errorf("sent before it was due: %v", early)
		}
		now = due
	}
	if fmt.Sprint(waits) != "[1s 2s 4s 8s 8s 8s 8s]" {
		t.Errorf("waits %v", waits)
	}
}

func first(a []Action) Action {
	if len(a) == 0 {
		return nil
	}
	return a[0]
}

func TestOnlyAnAcknowledgementCloses(t *testing.T) {
	q := Queue{Policy: testPolicy}
	q.Handle(0, Owe{Attempt: 1})
	q.Handle(0, Owe{Attempt: 1}) // the same one again
	if len(q.Items) != 1 {
		t.Fatal("one attempt is owed twice")
	}
	if got := q.Handle(0, Acknowledged{Attempt: 1, RC: "00"}); got != nil {
		t.Errorf("closed by an answer to nothing: %v", got)
	}
	q.Handle(0, Tick{Online: true})
	if q.Handle(0, Tick{Online: true}) != nil {
		t.Error("sent again while in flight")
	}
	if got := q.Handle(0, Acknowledged{Attempt: 1, RC: "00"}); first(got) != (WriteClosed{Attempt: 1, RC: "00"}) || len(q.Items) != 0 {
		t.Errorf("%v, %v", got, q.Items)
	}
}

func TestRefusedReversalGoesToOperators(t *testing.T) {
	q := Queue{Policy: testPolicy}
	q.Handle(0, Owe{Attempt: 1})
	q.Handle(0, Owe{Attempt: 2})
	q.Handle(0, Tick{Online: true})
	got := q.Handle(0, Acknowledged{Attempt: 1, Outcome: AckManual, RC: "30"})
	if _, ok := first(got).(WriteStuck); !ok {
		t.Fatalf("%v", got)
	}
	if got := q.Handle(0, Tick{Online: true}); first(got) != (Transmit{Attempt: 2, Try: 1}) {
		t.Errorf("the next one does not go: %v", got)
	}
	q.Handle(0, Acknowledged{Attempt: 2, RC: "00"})
	if q.Handle(time.Hour, Tick{Online: true}) != nil {
		t.Error("a refused reversal is repeated without an operator")
	}
	if q.Blocks() == "" {
		t.Error("sales go on although the policy does not say so")
	}
	q.Handle(time.Hour, Retry{Attempt: 1})
	if got := q.Handle(time.Hour, Tick{Online: true}); first(got) != (Transmit{Attempt: 1, Try: 2}) {
		t.Errorf("an operator's retry: %v", got)
	}
}

func TestPolicyLetsSalesResume(t *testing.T) {
	p := testPolicy
	p.StuckAfter, p.ResumeWhenStuck = 1, true
	q := Queue{Policy: p}
	q.Handle(0, Owe{Attempt: 1})
	if q.Blocks() == "" {
		t.Error("a sale would overtake a fresh reversal")
	}
	q.Handle(0, Tick{Online: true})
	q.Handle(0, Unanswered{Attempt: 1})
	if why := q.Blocks(); why != "" {
		t.Errorf("blocked by an operator's item: %s", why)
	}
	if got := q.Handle(time.Minute, Tick{Online: true}); first(got) != (Transmit{Attempt: 1, Try: 2}) {
		t.Errorf("an operator's item is not repeated: %v", got)
	}
}

func TestOfflineWaitsAndReconnectHurries(t *testing.T) {
	q := Queue{Policy: testPolicy}
	q.Handle(0, Owe{Attempt: 1})
	if q.Handle(0, Tick{}) != nil || q.Items[0].Tries != 0 {
		t.Error("a try was counted without a line")
	}
	q.Handle(0, Tick{Online: true})
	q.Handle(0, Unanswered{Attempt: 1})
	q.Handle(100*time.Millisecond, Reconnected{})
	if got := q.Handle(100*time.Millisecond, Tick{Online: true}); first(got) != (Transmit{Attempt: 1, Try: 2}) {
		t.Errorf("after reconnecting: %v", got)
	}
}
