package authorize

import (
	"testing"

	"pgregory.net/rapid"
)

var (
	amount1   = Digest{1}
	amount2   = Digest{2}
	request1  = RequestCame{Digest{11}, amount1}
	request2  = RequestCame{Digest{12}, amount2}
	reversal1 = ReversalCame{Digest{21}, amount1}
	approve   = OutcomeCame{Approved: true, Code: "00"}
	decline   = OutcomeCame{Code: "51"}
)

// TestOrders walks every order that the rules name, and says what the last
// event answers and where the row ends.
func TestOrders(t *testing.T) {
	other := reversal1
	other.Digest[0] ^= 1
	foreign := reversal1
	foreign.Subject = request2.Subject
	for _, c := range []struct {
		name   string
		events []Event
		state  State
		last   string
	}{
		{"sale", []Event{request1, approve}, Approved, "post answer:00"},
		{"declined", []Event{request1, decline}, Declined, "answer:51"},
		{"repeat waits", []Event{request1, request1}, Undecided, "wait"},
		{"repeat of decided", []Event{request1, approve, request1}, Approved, "replay"},
		{"repeat of declined", []Event{request1, decline, request1}, Declined, "replay"},
		{"other content undecided", []Event{request1, request2}, Undecided, "refuse:94"},
		{"other content decided", []Event{request1, approve, request2}, Approved, "refuse:94"},
		{"reversal first", []Event{reversal1}, Reversed, "acknowledge"},
		{"late original", []Event{reversal1, request1}, Reversed, "refuse:68"},
		{"late original twice", []Event{reversal1, request1, request1}, Reversed, "refuse:68"},
		{"reversal repeated", []Event{reversal1, reversal1}, Reversed, "acknowledge"},
		{"reversal with other content", []Event{reversal1, other}, Reversed, "refuse:94"},
		{"reversal of undecided", []Event{request1, reversal1}, Undecided, "acknowledge"},
		{"reversal of undecided repeated", []Event{request1, reversal1, reversal1}, Undecided, "acknowledge"},
		{"approval meets mark", []Event{request1, reversal1, approve}, Reversed, "undo answer:68"},
		{"decline meets mark", []Event{request1, reversal1, decline}, Reversed, "answer:68"},
		{"silence meets mark", []Event{request1, reversal1, IssuerSilent{}}, Reversed, "undo answer:68"},
		{"reversal of approved", []Event{request1, approve, reversal1}, Reversed, "unpost undo acknowledge"},
		{"reversal of approved repeated", []Event{request1, approve, reversal1, reversal1}, Reversed, "acknowledge"},
		{"reversal of declined", []Event{request1, decline, reversal1}, Reversed, "acknowledge"},
		{"original after all", []Event{request1, approve, reversal1, request1}, Reversed, "refuse:68"},
		{"reversal of another amount", []Event{request1, approve, foreign}, Approved, "refuse:94"},
		{"reversal of another amount, undecided", []Event{request1, foreign}, Undecided, "refuse:94"},
		{"silent issuer", []Event{request1, IssuerSilent{}}, Declined, "undo answer:91"},
		{"late approval after silence", []Event{request1, IssuerSilent{}, approve}, Declined, ""},
		{"crash", []Event{request1, Abandoned{}}, Reversed, "undo"},
		{"crash with mark", []Event{request1, reversal1, Abandoned{}}, Reversed, "undo"},
		{"crash, then reversal", []Event{request1, Abandoned{}, reversal1}, Reversed, "acknowledge"},
		{"crash, then repeat", []Event{request1, Abandoned{}, request1}, Reversed, "refuse:68"},
		{"restart of decided", []Event{request1, approve, Abandoned{}}, Approved, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var row Row
			var acts []Action
			for _, e := range c.events {
				row, acts = Next(row, e)
			}
			if got := words(acts); got != c.last || row.State != c.state {
				t.Errorf("ends %v with %q, want %v with %q", row.State, got, c.state, c.last)
			}
		})
	}
}

// words spells actions.
func words(acts []Action) string {
	names := map[Do]string{Intend: "intend", Wait: "wait", Replay: "replay", Refuse: "refuse",
		Acknowledge: "acknowledge", Post: "post", Unpost: "unpost", UndoAtIssuer: "undo", Answer: "answer"}
	out := ""
	for i, a := range acts {
		if i > 0 {
			out += " "
		}
		out += names[a.Do]
		if a.Code != "" {
			out += ":" + a.Code
		}
	}
	return out
}

// world is what a sequence of events has done outside of the machine.
type world struct {
	posted, unposted, intents, undone, answers int
	issuerApproved, asked, acknowledged        bool
}

// apply carries out actions on the world.
func (w *world) apply(acts []Action) {
	for _, a := range acts {
		switch a.Do {
		case Intend:
			w.intents++
			w.asked = true
		case Post:
			w.posted++
		case Unpost:
			w.unposted++
		case UndoAtIssuer:
			w.undone++
		case Answer:
			w.answers++
		case Acknowledge:
			w.acknowledged = true
		}
	}
}

// TestAnyOrderHasOneEffectAndOneEnd plays any order and multiplicity of
// requests, repeats, reversals, outcomes and restarts (rules 2, 3, 4).
func TestAnyOrderHasOneEffectAndOneEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var row Row
		var w world
		steps := rapid.SliceOfN(rapid.IntRange(0, 6), 1, 40).Draw(rt, "steps")
		for _, s := range append(steps, 5, 5) { // a start settles whatever is left
			was := row
			row = play(s, row, &w)
			if was.State.Decided() && row.State != was.State && row.State != Reversed {
				rt.Fatalf("left %v for %v", was.State, row.State)
			}
		}
		check(rt, row, w)
	})
}

// play applies step s; outcomes only happen to an issuer that was asked.
func play(s int, row Row, w *world) Row {
	var e Event
	switch s {
	case 0, 1:
		e = request1
	case 2:
		e = reversal1
	case 3, 4:
		if !w.asked {
			return row
		}
		e = decline
		if s == 3 {
			e = approve
			w.issuerApproved = true
		}
	case 5:
		e = Abandoned{}
	case 6:
		if !w.asked {
			return row
		}
		e = IssuerSilent{}
		w.issuerApproved = true // nobody knows: assume the worst
	}
	next, acts := Next(row, e)
	w.apply(acts)
	return next
}

// check states what must hold at the end of any sequence.
func check(t interface{ Fatalf(string, ...any) }, row Row, w world) {
	net := w.posted - w.unposted
	switch {
	case w.intents > 1:
		t.Fatalf("the issuer was asked for %d times", w.intents)
	case w.posted > 1 || w.unposted > w.posted:
		t.Fatalf("posted %d, unposted %d", w.posted, w.unposted)
	case w.undone > 1:
		t.Fatalf("undone %d times", w.undone)
	case w.answers > 1:
		t.Fatalf("decided %d times", w.answers)
	case (row.State == Approved) != (net == 1):
		t.Fatalf("%v with net effect %d", row.State, net)
	case w.acknowledged && row.State != Reversed:
		t.Fatalf("a reversal was acknowledged, the row is %v", row.State)
	case row.State == Undecided:
		t.Fatalf("no end")
	case row.State != New && !row.State.Decided():
		t.Fatalf("ends %v", row.State)
	}
	if w.asked && w.posted == 0 && w.undone == 0 && row.Code == CodeNoIssuer {
		t.Fatalf("an unknown outcome was not undone at the issuer")
	}
	if w.issuerApproved && net == 1 && w.undone > 0 {
		t.Fatalf("posted here, undone at the issuer")
	}
}
