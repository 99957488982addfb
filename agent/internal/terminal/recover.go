package terminal

import (
	"fmt"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
)

// recover settles every attempt that the last run has left without an outcome
// (rule 1): one that may have been sent is reversed, another one is cancelled.
// Reversals that were owed are owed again.
func (t *Terminal) recover() error {
	for _, a := range t.o.Journal.Unfinished() {
		if a.End() == journal.EndReversing {
			t.reversals.owe(a)
			continue
		}
		for _, action := range payment.Recover(a.Intent != nil) {
			switch action := action.(type) {
			case payment.WriteOutcome:
				t.o.Log.WithFields(map[string]any{"attempt": a.Number, "end": action.End}).Warn("settling an attempt that a power loss or restart has cut off")
				o := journal.Outcome{End: journal.End(action.End), Reason: action.Why, Owes: uint8(action.Owes)}
				if err := t.o.Journal.Outcome(a.Number, o); err != nil {
					return fmt.Errorf("settling attempt %d: %w", a.Number, err)
				}
			case payment.Reverse:
				t.reversals.owe(a)
			}
		}
	}
	return nil
}
