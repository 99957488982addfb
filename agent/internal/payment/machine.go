// Package payment holds the two pure machines of the terminal: one payment
// (Next) and the queue of reversals that are owed (Queue). They do no I/O and
// read no clock: the caller feeds events in and carries out the actions, in
// order, and ends the process when one that writes fails. So what an action
// list says first is durable before what it says later happens.
package payment

import (
	"fmt"

	"tallystick.example/iso8583"
)

// Phase is where a payment stands.
type Phase uint8

// The phases of a payment.
const (
	Idle       Phase = iota
	Clearing         // reversals that are owed go first
	Reading          // the card is read, up to the first GENERATE AC
	Waiting          // the request has left or is leaving
	Completing       // the card learns the host's decision
	Done             // the outcome is durable and told
)

// String names the phase.
func (p Phase) String() string {
	return [...]string{"idle", "clearing", "reading", "waiting", "completing", "done"}[p]
}

// Decision is what the card is told in the second half.
type Decision uint8

// The decisions.
const (
	Undecided    Decision = iota
	HostApproved          // second GENERATE AC asks for a TC
	HostDeclined          // second GENERATE AC asks for an AAC
	Unable                // unable to go online: Z3, AAC
)

// State is the whole state of one payment. The zero value is a payment that has
// not started.
type State struct {
	Phase    Phase
	Decision Decision
	Aborted  bool // the till or the payer asked to stop
	// Owes is the reason of the reversal that the attempt owes, 0 for none.
	Owes   iso8583.ReversalReason
	Why    string // why it will not be approved, for people
	Answer Answer // the host's answer, zero when none counted
}

// An Answer is what the host said, as far as the machine must know.
type Answer struct {
	RC, RRN, Auth string
}

// End is how a payment ended, as the till learns it.
type End string

// The ends as told to the till. Reversing is told as "not approved": the money
// does not move, whatever the host had decided.
const (
	Approved  End = "approved"
	Declined  End = "declined"
	Cancelled End = "cancelled" // nothing left the terminal
	Reversing End = "reversing" // a reversal is on its way
	Refused   End = "refused"   // no attempt was begun
)

// An Event is something that happened.
type Event interface{ event() }

// The events.
type (
	// Start begins a payment. Owed says whether reversals must go first.
	Start struct{ Owed bool }
	// Flushed says that the owed reversals have gone, or why they cannot.
	Flushed struct{ Blocked string }
	// Refuse says that no attempt could be begun (disk, keys).
	Refuse struct{ Why string }
	// CardOnline says that the card wants the host to decide (ARQC).
	CardOnline struct{}
	// CardOffline says that the card decided itself; Code is Y1 or Z1.
	CardOffline struct {
		Approved bool
		Code     string
	}
	// CardFailed says that the card part ended without a cryptogram.
	CardFailed struct{ Why string }
	// CardRemoved says that the card was pulled.
	CardRemoved struct{}
	// Abort says that the till or the payer wants to stop.
	Abort struct{}
	// NotSent says that not one byte of the request has left.
	NotSent struct{ Why string }
	// Answered brings a valid, matching answer, classified by the message table.
	Answered struct {
		Verdict Verdict
		Answer  Answer
	}
	// BadAnswer brings an answer that cannot be trusted.
	BadAnswer struct{ Reason iso8583.ReversalReason }
	// NoAnswer says that the time is over or the connection broke after sending.
	NoAnswer struct{}
	// Completed says what the second half made of it.
	Completed struct{ Card CardResult }
)

// Verdict is what an answer's DE 39 means.
type Verdict uint8

// The verdicts.
const (
	VerdictDeclined Verdict = iota
	VerdictApproved
	VerdictUnsure // the table demands a reversal
)

// CardResult is the card's last word.
type CardResult uint8

// The results of the second half.
const (
	CardDeclines CardResult = iota
	CardApproves
	CardGone   // pulled before its last word
	CardBroken // answered nonsense
)

func (Start) event()       {}
func (Flushed) event()     {}
func (Refuse) event()      {}
func (CardOnline) event()  {}
func (CardOffline) event() {}
func (CardFailed) event()  {}
func (CardRemoved) event() {}
func (Abort) event()       {}
func (NotSent) event()     {}
func (Answered) event()    {}
func (BadAnswer) event()   {}
func (NoAnswer) event()    {}
func (Completed) event()   {}

// An Action is something for the caller to do.
type Action interface{ action() }

// The actions. Begin, WriteIntent and WriteOutcome return only when the journal
// is durable.
type (
	Flush       struct{} // send what is owed, then Flushed
	Begin       struct{} // journal the attempt, or Refuse
	ReadCard    struct{} // run the first half, then a Card event
	StopCard    struct{} // stop waiting for card, PIN or answer
	WriteIntent struct{} // journal what is about to leave
	Send        struct{} // send the request, once; then an answer event
	Complete    struct{ Decision Decision }
	// WriteOutcome journals the end; Owes is the reversal's reason when End is
	// Reversing.
	WriteOutcome struct {
		End    End
		Why    string
		Owes   iso8583.ReversalReason
		Answer Answer
	}
	Reverse struct{} // hand the attempt to the reversal queue
	// Tell tells till, payer and receipt.
	Tell struct {
		End    End
		Why    string
		Answer Answer
	}
)

func (Flush) action()        {}
func (Begin) action()        {}
func (ReadCard) action()     {}
func (StopCard) action()     {}
func (WriteIntent) action()  {}
func (Send) action()         {}
func (Complete) action()     {}
func (WriteOutcome) action() {}
func (Reverse) action()      {}
func (Tell) action()         {}

// Next is the whole machine. An event that comes too late changes nothing; one
// that cannot come in this phase is an error, and the state is unchanged.
func Next(s State, e Event) (State, []Action, error) {
	switch s.Phase {
	case Idle:
		if e, ok := e.(Start); ok {
			return start(s, e)
		}
	case Clearing:
		return clearing(s, e)
	case Reading:
		return reading(s, e)
	case Waiting:
		return waiting(s, e)
	case Completing:
		return completing(s, e)
	case Done:
		if _, again := e.(Start); !again {
			return s, nil, nil // too late to matter
		}
	}
	return s, nil, unexpected(s, e)
}

func unexpected(s State, e Event) error {
	return fmt.Errorf("payment: event %T while %v", e, s.Phase)
}

func start(s State, e Start) (State, []Action, error) {
	if e.Owed {
		s.Phase = Clearing
		return s, []Action{Flush{}}, nil
	}
	s.Phase = Reading
	return s, []Action{Begin{}, ReadCard{}}, nil
}

// clearing waits until nothing is owed any more: a reversal always goes before
// the terminal's next online sale (rule 5).
func clearing(s State, e Event) (State, []Action, error) {
	switch e := e.(type) {
	case Abort:
		s.Phase, s.Aborted = Done, true
		return s, []Action{Tell{End: Refused, Why: "stopped before the payment began"}}, nil
	case Flushed:
		if e.Blocked != "" {
			s.Phase = Done
			return s, []Action{Tell{End: Refused, Why: e.Blocked}}, nil
		}
		return start(s, Start{})
	case CardRemoved:
		return s, nil, nil
	}
	return s, nil, unexpected(s, e)
}

// reading is the time before anything has left.
func reading(s State, e Event) (State, []Action, error) {
	switch e := e.(type) {
	case Refuse:
		s.Phase = Done
		return s, []Action{Tell{End: Refused, Why: e.Why}}, nil
	case Abort:
		if s.Aborted {
			return s, nil, nil
		}
		s.Aborted, s.Why = true, "stopped before anything was sent"
		return s, []Action{StopCard{}}, nil
	case CardRemoved:
		return s, nil, nil // the kernel's next command fails and says so
	case CardFailed:
		if s.Why == "" {
			s.Why = e.Why
		}
		return finish(s, Cancelled)
	case CardOffline:
		s.Answer.RC = e.Code
		s.Why = "the card declined"
		if e.Approved {
			s.Why = "the card approved offline, which this terminal does not allow"
		}
		return finish(s, Declined)
	case CardOnline:
		if s.Aborted {
			return complete(s, Unable)
		}
		s.Phase = Waiting
		return s, []Action{WriteIntent{}, Send{}}, nil
	}
	return s, nil, unexpected(s, e)
}

// waiting is the time in which the request may have reached the host.
func waiting(s State, e Event) (State, []Action, error) {
	switch e := e.(type) {
	case NotSent:
		s.Why = e.Why
		return complete(s, Unable)
	case Answered:
		return answered(s, e)
	case BadAnswer:
		s.Owes, s.Why = e.Reason, "the host's answer cannot be trusted"
		return complete(s, Unable)
	case NoAnswer:
		s.Owes, s.Why = iso8583.ReasonNoAnswer, "the host did not answer"
		return complete(s, Unable)
	case Abort:
		s.Aborted = true
		s.Owes, s.Why = iso8583.ReasonAborted, "stopped after the request was sent"
		s, actions, err := complete(s, Unable)
		return s, append([]Action{StopCard{}}, actions...), err
	case CardRemoved:
		s.Owes, s.Why = iso8583.ReasonCardRemoved, "the card was removed too early"
		s, actions, err := finish(s, Reversing)
		return s, append([]Action{StopCard{}}, actions...), err
	}
	return s, nil, unexpected(s, e)
}

func answered(s State, e Answered) (State, []Action, error) {
	s.Answer = e.Answer
	switch e.Verdict {
	case VerdictApproved:
		return complete(s, HostApproved)
	case VerdictUnsure:
		s.Owes, s.Why = iso8583.ReasonHostUnsure, "the host is not sure of its own outcome"
		return complete(s, Unable)
	default:
		s.Why = "declined by the issuer"
		return complete(s, HostDeclined)
	}
}

// completing waits for the card's last word.
func completing(s State, e Event) (State, []Action, error) {
	switch e := e.(type) {
	case Abort:
		s.Aborted = true // an approval still in the making is undone
		return s, nil, nil
	case CardRemoved, Answered, BadAnswer, NoAnswer, NotSent:
		return s, nil, nil // the second half finds out, or it comes too late
	case Completed:
		return completed(s, e.Card)
	}
	return s, nil, unexpected(s, e)
}

func completed(s State, card CardResult) (State, []Action, error) {
	switch {
	case s.Owes != 0:
		return finish(s, Reversing)
	case s.Decision == Unable:
		return finish(s, Cancelled)
	case s.Decision == HostDeclined:
		return finish(s, Declined)
	case s.Aborted:
		s.Owes, s.Why = iso8583.ReasonAborted, "stopped after the request was sent"
	case card == CardApproves:
		return finish(s, Approved)
	case card == CardGone:
		s.Owes, s.Why = iso8583.ReasonCardRemoved, "the card was removed too early"
	default:
		s.Owes, s.Why = iso8583.ReasonCardDeclined, "the card declined what the issuer had approved"
	}
	return finish(s, Reversing)
}

// complete starts the second half.
func complete(s State, d Decision) (State, []Action, error) {
	s.Phase, s.Decision = Completing, d
	return s, []Action{Complete{Decision: d}}, nil
}

// finish makes the outcome durable, then hands on what is owed, then tells.
func finish(s State, end End) (State, []Action, error) {
	s.Phase = Done
	actions := []Action{WriteOutcome{End: end, Why: s.Why, Owes: s.Owes, Answer: s.Answer}}
	if end == Reversing {
		actions = append(actions, Reverse{})
	}
	return s, append(actions, Tell{End: end, Why: s.Why, Answer: s.Answer}), nil
}

// Recover says what a starting agent does about an attempt without an outcome:
// one that may have been sent is reversed, another one is cancelled.
func Recover(sent bool) []Action {
	why := "the terminal lost power or was restarted"
	if sent {
		return []Action{WriteOutcome{End: Reversing, Why: why, Owes: iso8583.ReasonPowerLoss}, Reverse{}}
	}
	return []Action{WriteOutcome{End: Cancelled, Why: why}}
}
