package payment

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tallystick.example/iso8583"
)

// A terminal is the model that the properties are checked on: it carries out
// actions, may lose power before any of them, and starts again from what its
// journal holds.
type terminal struct {
	t       *rapid.T
	now     time.Duration
	queue   Queue
	journal map[uint64]*record
	last    uint64
	crash   int // actions until the power goes, 0 for never
	lost    bool
	sends   map[uint64]int
	current uint64
	told    map[uint64]End
}

// A record is what the journal of the model holds of an attempt.
type record struct {
	intent   bool
	outcomes []End
	closed   int
	tries    int
	stuck    bool
}

// power reports whether the power is still there for one more action.
func (m *terminal) power() bool {
	if m.crash > 0 {
		if m.crash--; m.crash == 0 {
			m.lost = true
		}
	}
	return !m.lost
}

// do carries out actions in order until the power goes.
func (m *terminal) do(actions []Action) {
	for _, a := range actions {
		if !m.power() {
			return
		}
		r := m.journal[m.current]
		switch a := a.(type) {
		case Begin:
			m.last++
			m.current = m.last
			m.journal[m.current] = &record{}
		case WriteIntent:
			r.intent = true
		case Send:
			m.send(r)
		case WriteOutcome:
			r.outcomes = append(r.outcomes, a.End)
			if (a.End == Reversing) != (a.Owes != 0) {
				m.t.Fatalf("outcome %v owes %v", a.End, a.Owes)
			}
		case Reverse:
			m.queue.Handle(m.now, Owe{Attempt: m.current})
		case Tell:
			m.tell(r, a)
		case Transmit:
			m.journal[a.Attempt].tries++
		case WriteClosed:
			m.journal[a.Attempt].closed++
		case WriteStuck:
			m.journal[a.Attempt].stuck = true
		}
	}
}

func (m *terminal) send(r *record) {
	if !r.intent {
		m.t.Fatal("sent before the intent was written")
	}
	if m.sends[m.current]++; m.sends[m.current] > 1 {
		m.t.Fatal("a 0200 was sent twice")
	}
	for _, item := range m.queue.Items {
		if !item.Stuck {
			m.t.Fatalf("attempt %d was sent while attempt %d owes a reversal", m.current, item.Attempt)
		}
	}
}

func (m *terminal) tell(r *record, a Tell) {
	if a.End == Refused {
		return
	}
	if len(r.outcomes) == 0 || r.outcomes[len(r.outcomes)-1] != a.End {
		m.t.Fatalf("told %v before it was written (%v)", a.End, r.outcomes)
	}
	m.told[m.current] = a.End
}

// restart is a power loss: all but the journal is gone.
func (m *terminal) restart() {
	m.lost, m.crash = false, 0
	m.queue = Queue{Policy: m.queue.Policy}
	for n := uint64(1); n <= m.last; n++ {
		r := m.journal[n]
		switch {
		case len(r.outcomes) == 0:
			m.current = n
			m.do(Recover(r.intent))
		case r.outcomes[0] == Reversing && r.closed == 0:
			m.queue.Handle(m.now, Owe{Attempt: n, Tries: r.tries, Stuck: r.stuck})
		}
	}
}

// pay runs one payment with random events.
func (m *terminal) pay() {
	var s State
	before := m.last
	step := func(e Event) {
		next, actions, err := Next(s, e)
		if err != nil {
			m.t.Fatal(err)
		}
		s = next
		m.do(actions)
	}
	step(Start{Owed: m.queue.Blocks() != ""})
	for i := 0; s.Phase != Done && !m.lost; i++ {
		if i > 20 {
			m.t.Fatalf("a payment does not end: %v", s.Phase)
		}
		step(m.draw(s.Phase))
	}
	if !m.lost && m.last > before {
		m.checkEnd(s)
	}
}

// draw is an event that can come in a phase.
func (m *terminal) draw(p Phase) Event {
	t := m.t
	verdict := rapid.SampledFrom([]Verdict{VerdictApproved, VerdictApproved, VerdictDeclined, VerdictUnsure})
	switch p {
	case Clearing:
		m.flush()
		return rapid.SampledFrom([]Event{Flushed{Blocked: m.queue.Blocks()}, Flushed{Blocked: m.queue.Blocks()}, Abort{}}).Draw(t, "clearing")
	case Reading:
		return rapid.SampledFrom([]Event{CardOnline{}, CardOnline{}, CardOnline{}, CardFailed{}, CardOffline{}, CardOffline{Approved: true},
			Abort{}, CardRemoved{}}).Draw(t, "reading")
	case Waiting:
		return rapid.SampledFrom([]Event{Answered{Verdict: verdict.Draw(t, "verdict")}, Answered{Verdict: VerdictApproved}, NoAnswer{}, NotSent{},
			BadAnswer{Reason: iso8583.ReasonBadMAC}, Abort{}, CardRemoved{}}).Draw(t, "waiting")
	default:
		card := rapid.SampledFrom([]CardResult{CardApproves, CardApproves, CardDeclines, CardGone, CardBroken}).Draw(t, "card")
		return rapid.SampledFrom([]Event{Completed{Card: card}, Completed{Card: card}, Abort{}, CardRemoved{}, NoAnswer{}}).Draw(t, "completing")
	}
}

// flush lets some time pass in which reversals are sent and answered.
func (m *terminal) flush() {
	for range rapid.IntRange(0, 6).Draw(m.t, "flush") {
		if m.lost {
			return
		}
		m.now += time.Duration(rapid.IntRange(0, 20).Draw(m.t, "seconds")) * time.Second
		actions := m.queue.Handle(m.now, Tick{Online: rapid.Bool().Draw(m.t, "online")})
		m.do(actions)
		for _, a := range actions {
			x, ok := a.(Transmit)
			if !ok || m.lost {
				continue
			}
			switch rapid.IntRange(0, 3).Draw(m.t, "ack") {
			case 0:
				m.do(m.queue.Handle(m.now, Unanswered{Attempt: x.Attempt}))
			case 1:
				m.do(m.queue.Handle(m.now, Acknowledged{Attempt: x.Attempt, Outcome: AckRetry, RC: "91"}))
			default:
				m.do(m.queue.Handle(m.now, Acknowledged{Attempt: x.Attempt, RC: "00"}))
			}
		}
	}
}

// checkEnd holds a finished payment against what happened in it.
func (m *terminal) checkEnd(s State) {
	r := m.journal[m.current]
	end := r.outcomes[0]
	if m.told[m.current] != end {
		m.t.Fatalf("told %v, written %v", m.told[m.current], end)
	}
	if end == Approved && (s.Decision != HostApproved || s.Aborted || s.Owes != 0) {
		m.t.Fatalf("approved with %+v", s)
	}
	if s.Decision == HostApproved && end != Approved && end != Reversing {
		m.t.Fatalf("the host approved, the attempt ended as %v", end)
	}
}

// TestTally runs random payments, power losses and reversals, then lets the host
// answer everything: every attempt must have exactly one end, and every one that
// was sent and not decided must have been reversed.
func TestTally(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := Policy{First: time.Second, Max: 10 * time.Second, StuckAfter: 3, ResumeWhenStuck: rapid.Bool().Draw(t, "resume")}
		m := &terminal{t: t, queue: Queue{Policy: policy}, journal: map[uint64]*record{}, sends: map[uint64]int{}, told: map[uint64]End{}}
		for range rapid.IntRange(1, 8).Draw(t, "payments") {
			m.crash = rapid.IntRange(0, 12).Draw(t, "crash")
			m.pay()
			if !m.lost {
				m.flush()
			}
			if m.lost {
				m.restart()
			}
		}
		m.crash = 0
		m.settle()
		for n, r := range m.journal {
			if len(r.outcomes) != 1 {
				t.Fatalf("attempt %d has the ends %v", n, r.outcomes)
			}
			want := 0
			if r.outcomes[0] == Reversing {
				want = 1
			}
			if r.closed != want {
				t.Fatalf("attempt %d ended as %v with %d acknowledgements", n, r.outcomes[0], r.closed)
			}
			if r.intent && m.sends[n] == 0 && r.outcomes[0] == Approved {
				t.Fatalf("attempt %d is approved and was never sent", n)
			}
		}
	})
}

// settle answers every reversal until none is left.
func (m *terminal) settle() {
	for range 1000 {
		if len(m.queue.Items) == 0 {
			return
		}
		m.now += 10 * time.Second
		actions := m.queue.Handle(m.now, Tick{Online: true})
		m.do(actions)
		for _, item := range m.queue.Items {
			if item.InFlight {
				m.do(m.queue.Handle(m.now, Acknowledged{Attempt: item.Attempt, RC: "00"}))
				break
			}
		}
	}
	m.t.Fatal("the queue never empties")
}
