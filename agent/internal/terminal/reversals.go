package terminal

import (
	"fmt"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/journal"
)

// A Owed is one reversal for people.
type Owed struct {
	Attempt  uint64 `json:"attempt"`
	Sale     string `json:"sale"`
	STAN     string `json:"stan"`
	Amount   int64  `json:"amount"`
	Currency uint16 `json:"currency"`
	Reason   string `json:"reason"`
	Tries    int    `json:"tries"`
	Stuck    string `json:"stuck,omitempty"` // why an operator must look
	Since    int64  `json:"since"`           // microseconds
}

// Reversals lists what the terminal owes the host, oldest first.
func (t *Terminal) Reversals() []Owed {
	var out []Owed
	for _, a := range t.o.Journal.Unfinished() {
		if a.End() != journal.EndReversing {
			continue
		}
		o := Owed{Attempt: a.Number, Sale: a.Begin.Sale, STAN: fmt.Sprintf("%06d", a.Begin.STAN), Amount: a.Begin.Amount,
			Currency: a.Begin.Currency, Reason: a.Outcome.Reason, Tries: a.Tries, Since: a.Ended.UnixMicro()}
		if a.Stuck != nil {
			o.Stuck = a.Stuck.Reason
		}
		out = append(out, o)
	}
	return out
}

// RetryReversal sends a reversal again at an operator's wish, at once.
func (t *Terminal) RetryReversal(attempt uint64) error {
	a, ok := t.o.Journal.Attempt(attempt)
	if !ok || a.End() != journal.EndReversing {
		return fmt.Errorf("attempt %d owes no reversal", attempt)
	}
	t.post(core.RetryAsked{Attempt: attempt})
	return nil
}
