package kernel

import "fmt"

// A Reason says how a transaction ended before there was an outcome.
type Reason int

// The reasons.
const (
	// NoApplication: card and terminal have no usable application in common.
	NoApplication Reason = iota + 1
	// CardBlocked: the card answers SELECT with 6A81. No magnetic stripe either.
	CardBlocked
	// ApplicationUnusable: this application cannot be used, another one may.
	// Select and First go on to the next by themselves; single steps return it.
	ApplicationUnusable
	// CardError: the card answered against the standard.
	CardError
	// CardLost: the card was removed or is mute.
	CardLost
	// Stopped: the caller, the cardholder or the context ended the transaction.
	Stopped
)

// String is a short name: "no application".
func (r Reason) String() string {
	names := [...]string{"", "no application", "card blocked", "application unusable", "card error", "card lost", "stopped"}
	if r > 0 && int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reason %d", int(r))
}

// An Error is the end of a transaction without outcome. Its text holds no data
// of the card.
type Error struct {
	Reason Reason
	Step   string // the step that failed, such as "read records"
	Clause string // of EMV 4.4, when a rule was broken: "B3 10.2"
	Text   string // what happened
	Err    error  // of the card reader or a callback; may be nil
	// Fallback tells that the magnetic stripe may be used (B4 6.7): the chip failed
	// technically before it made a cryptogram, and is not blocked.
	Fallback bool
}

// Error says what happened, in which step and against which clause.
func (e *Error) Error() string {
	s := fmt.Sprintf("kernel: %s: %s: %s", e.Step, e.Reason, e.Text)
	if e.Clause != "" {
		s += " (" + e.Clause + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap is the error of the card reader or the callback.
func (e *Error) Unwrap() error { return e.Err }

// cardError is an answer against clause.
func cardError(step, clause, format string, args ...any) *Error {
	return &Error{Reason: CardError, Step: step, Clause: clause, Text: fmt.Sprintf(format, args...)}
}

// stopped is the end that a callback asked for.
func stopped(step string, err error) *Error {
	return &Error{Reason: Stopped, Step: step, Text: "a callback ended the transaction", Err: err}
}
