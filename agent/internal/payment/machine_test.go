package payment

import (
	"fmt"
	"strings"
	"testing"

	"tallystick.example/iso8583"
)

// names writes actions as a test table reads them.
func names(actions []Action) string {
	var out []string
	for _, a := range actions {
		switch a := a.(type) {
		case Complete:
			out = append(out, fmt.Sprint("Complete ", [...]string{"?", "approved", "declined", "unable"}[a.Decision]))
		case WriteOutcome:
			out = append(out, "WriteOutcome "+string(a.End))
		case Tell:
			out = append(out, "Tell "+string(a.End))
		default:
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", a), "payment."))
		}
	}
	return strings.Join(out, ", ")
}

var (
	approvedAnswer = Answered{Verdict: VerdictApproved, Answer: Answer{RC: "00", RRN: "123456789012", Auth: "ABC123"}}
	declinedAnswer = Answered{Verdict: VerdictDeclined, Answer: Answer{RC: "51"}}
	unsureAnswer   = Answered{Verdict: VerdictUnsure, Answer: Answer{RC: "96"}}
)

// TestPayments is the whole machine as a table: events and what the last of
// them leads to.
func TestPayments(t *testing.T) {
	const sent = "WriteIntent, Send"
	reversed := "WriteOutcome reversing, Reverse, Tell reversing"
	for _, c := range []struct {
		name   string
		events []Event
		want   string // actions of the last event
		owes   iso8583.ReversalReason
	}{
		{"nothing owed", []Event{Start{}}, "Begin, ReadCard", 0},
		{"owed first", []Event{Start{Owed: true}}, "Flush", 0},
		{"owed and gone", []Event{Start{Owed: true}, Flushed{}}, "Begin, ReadCard", 0},
		{"owed and blocked", []Event{Start{Owed: true}, Flushed{Blocked: "no host"}}, "Tell refused", 0},
		{"owed, then aborted", []Event{Start{Owed: true}, Abort{}}, "Tell refused", 0},
		{"no room on the disk", []Event{Start{}, Refuse{Why: "disk"}}, "Tell refused", 0},
		{"card never came", []Event{Start{}, CardFailed{Why: "no card"}}, "WriteOutcome cancelled, Tell cancelled", 0},
		{"abort while reading", []Event{Start{}, Abort{}}, "StopCard", 0},
		{"abort while reading, card stops", []Event{Start{}, Abort{}, CardFailed{}}, "WriteOutcome cancelled, Tell cancelled", 0},
		{"abort while reading, cryptogram came first", []Event{Start{}, Abort{}, CardOnline{}}, "Complete unable", 0},
		{"and nothing was sent", []Event{Start{}, Abort{}, CardOnline{}, Completed{}}, "WriteOutcome cancelled, Tell cancelled", 0},
		{"card declines offline", []Event{Start{}, CardOffline{Code: "Z1"}}, "WriteOutcome declined, Tell declined", 0},
		{"card approves offline, not allowed", []Event{Start{}, CardOffline{Approved: true, Code: "Y1"}}, "WriteOutcome declined, Tell declined", 0},
		{"online", []Event{Start{}, CardOnline{}}, sent, 0},
		{"not one byte left", []Event{Start{}, CardOnline{}, NotSent{Why: "no line"}}, "Complete unable", 0},
		{"not one byte left, ended", []Event{Start{}, CardOnline{}, NotSent{}, Completed{}}, "WriteOutcome cancelled, Tell cancelled", 0},
		{"approved", []Event{Start{}, CardOnline{}, approvedAnswer}, "Complete approved", 0},
		{"approved by both", []Event{Start{}, CardOnline{}, approvedAnswer, Completed{Card: CardApproves}}, "WriteOutcome approved, Tell approved", 0},
		{"declined", []Event{Start{}, CardOnline{}, declinedAnswer}, "Complete declined", 0},
		{"declined, ended", []Event{Start{}, CardOnline{}, declinedAnswer, Completed{}}, "WriteOutcome declined, Tell declined", 0},
		{"declined, and the card pretends to approve", []Event{Start{}, CardOnline{}, declinedAnswer, Completed{Card: CardApproves}}, "WriteOutcome declined, Tell declined", 0},
		{"card declines an approval", []Event{Start{}, CardOnline{}, approvedAnswer, Completed{Card: CardDeclines}}, reversed, iso8583.ReasonCardDeclined},
		{"card answers nonsense", []Event{Start{}, CardOnline{}, approvedAnswer, Completed{Card: CardBroken}}, reversed, iso8583.ReasonCardDeclined},
		{"card gone after an approval", []Event{Start{}, CardOnline{}, approvedAnswer, Completed{Card: CardGone}}, reversed, iso8583.ReasonCardRemoved},
		{"card pulled while waiting", []Event{Start{}, CardOnline{}, CardRemoved{}}, "StopCard, " + reversed, iso8583.ReasonCardRemoved},
		{"no answer", []Event{Start{}, CardOnline{}, NoAnswer{}}, "Complete unable", iso8583.ReasonNoAnswer},
		{"no answer, ended", []Event{Start{}, CardOnline{}, NoAnswer{}, Completed{}}, reversed, iso8583.ReasonNoAnswer},
		{"no answer, card pretends to approve", []Event{Start{}, CardOnline{}, NoAnswer{}, Completed{Card: CardApproves}}, reversed, iso8583.ReasonNoAnswer},
		{"late answer counts for nothing", []Event{Start{}, CardOnline{}, NoAnswer{}, approvedAnswer, Completed{Card: CardApproves}}, reversed, iso8583.ReasonNoAnswer},
		{"bad MAC", []Event{Start{}, CardOnline{}, BadAnswer{Reason: iso8583.ReasonBadMAC}, Completed{}}, reversed, iso8583.ReasonBadMAC},
		{"the host is unsure", []Event{Start{}, CardOnline{}, unsureAnswer, Completed{}}, reversed, iso8583.ReasonHostUnsure},
		{"abort after sending", []Event{Start{}, CardOnline{}, Abort{}}, "StopCard, Complete unable", iso8583.ReasonAborted},
		{"abort after sending, ended", []Event{Start{}, CardOnline{}, Abort{}, Completed{}}, reversed, iso8583.ReasonAborted},
		{"abort after the answer", []Event{Start{}, CardOnline{}, approvedAnswer, Abort{}, Completed{Card: CardApproves}}, reversed, iso8583.ReasonAborted},
		{"abort after a decline", []Event{Start{}, CardOnline{}, declinedAnswer, Abort{}, Completed{}}, "WriteOutcome declined, Tell declined", 0},
		{"abort when all is told", []Event{Start{}, CardOnline{}, approvedAnswer, Completed{Card: CardApproves}, Abort{}}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s State
			var actions []Action
			for _, e := range c.events {
				var err error
				if s, actions, err = Next(s, e); err != nil {
					t.Fatal(err)
				}
			}
			if got := names(actions); got != c.want {
				t.Errorf("actions %q, want %q", got, c.want)
			}
			if s.Owes != c.owes {
				t.Errorf("owes %v, want %v", s.Owes, c.owes)
			}
			for _, a := range actions {
				if o, ok := a.(WriteOutcome); ok && o.Owes != c.owes {
					t.Errorf("the journal says %v, want %v", o.Owes, c.owes)
				}
			}
		})
	}
}

func TestEventsThatCannotCome(t *testing.T) {
	waiting := State{Phase: Waiting}
	for _, c := range []struct {
		s State
		e Event
	}{
		{State{}, CardOnline{}}, {State{}, Abort{}},
		{waiting, Start{}}, {waiting, CardOnline{}}, {waiting, Completed{}},
		{State{Phase: Clearing}, CardOnline{}}, {State{Phase: Reading}, approvedAnswer},
		{State{Phase: Completing}, CardOnline{}}, {State{Phase: Done}, Start{}},
	} {
		after, actions, err := Next(c.s, c.e)
		if err == nil || actions != nil || after != c.s {
			t.Errorf("%T while %v: %v, %v", c.e, c.s.Phase, names(actions), err)
		}
	}
}

func TestRecover(t *testing.T) {
	if got := names(Recover(true)); got != "WriteOutcome reversing, Reverse" {
		t.Errorf("sent: %s", got)
	}
	if got := names(Recover(false)); got != "WriteOutcome cancelled" {
		t.Errorf("not sent: %s", got)
	}
}
