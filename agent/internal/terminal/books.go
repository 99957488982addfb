package terminal

import (
	"errors"
	"fmt"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/register"
	"tallystick.example/dukpt"
)

// Books are what a terminal has durable, and carry out the actions that write.
type Books struct {
	Journal  *journal.Journal
	Register *register.Register // nil while no DUKPT key is loaded
	// Ready says why no sale can begin, empty when one can: the reader, say. The
	// Books look after keys and disk themselves.
	Ready func() string
}

// Do carries out an action that writes and returns when it is durable, with the
// event that it brings, if any; mine is false for other actions. After an error
// nothing more may be done: the process ends, and its start finds out what is
// durable (rule 7).
func (b *Books) Do(a core.Action) (e core.Event, mine bool, err error) {
	switch a := a.(type) {
	case core.Begin:
		e, err = b.begin(a)
	case core.TakeSTAN:
		var n uint32
		if n, err = b.Journal.STAN(); err == nil {
			e = core.STANTaken{For: a.For, STAN: n}
		}
	case core.TakeKey:
		e, err = b.takeKey(a)
	case core.SkipTo:
		e, err = b.skipTo(a.Counter)
	case core.WriteIntent:
		err = b.Journal.Intent(a.Attempt, a.Intent)
	case core.WriteOutcome:
		if err = b.Journal.Outcome(a.Attempt, a.Outcome); err == nil {
			e = core.Ended{Attempt: a.Attempt}
		}
	case core.WriteClosed:
		err = b.Journal.CloseReversal(a.Attempt, a.Closed)
	case core.WriteStuck:
		err = b.Journal.Stuck(a.Attempt, a.Stuck)
	case core.WriteConfirmed:
		err = b.Journal.Confirm(a.Confirmed)
	case core.WriteCheckpoint:
		err = b.Journal.Checkpoint(a.Checkpoint)
	default:
		return nil, false, nil
	}
	return e, true, err
}

// begin journals that an attempt begins, unless something stops it before the
// card is touched.
func (b *Books) begin(a core.Begin) (core.Event, error) {
	why, err := b.WhyNot()
	if err != nil {
		return nil, err
	}
	if why != "" {
		return core.NotBegun{Why: why}, nil
	}
	attempt, err := b.Journal.Begin(a.Begin)
	if errors.Is(err, journal.ErrNoRoom) {
		return core.NotBegun{Why: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	return core.Begun{Attempt: attempt}, nil
}

// WhyNot is what stops a sale before the card is touched: keys, disk, reader. The
// error is one after which the process ends.
func (b *Books) WhyNot() (string, error) {
	if b.Register == nil {
		return "no DUKPT key is loaded", nil
	}
	if b.Register.KSN().Remaining() == 0 {
		return "the DUKPT key is used up", nil
	}
	if err := b.Journal.Room(); errors.Is(err, journal.ErrUnknown) {
		return "", err
	} else if err != nil {
		return err.Error(), nil
	}
	return b.Ready(), nil
}

// skipTo moves the registers forward. A counter that no terminal uses is no reason
// to end: the host is refused, and its operators look.
func (b *Books) skipTo(counter uint32) (core.Event, error) {
	err := b.Register.SkipTo(counter)
	switch {
	case err == nil:
		return core.Skipped{}, nil
	case errors.Is(err, register.ErrUnknown):
		return nil, err
	}
	return core.Skipped{Why: err.Error()}, nil
}

// takeKey takes the next DUKPT key in the order of rule 8: registers durable,
// then the journal's record, then the keys.
func (b *Books) takeKey(a core.TakeKey) (core.Event, error) {
	if b.Register == nil {
		return core.NotTaken{For: a.For, Why: register.ErrNoKey.Error()}, nil
	}
	keys, err := b.Register.Next(func(k dukpt.KSN) error { return b.Record(a, k.Counter()) })
	switch {
	case err == nil:
		return core.KeyTaken{For: a.For, Keys: keys}, nil
	case errors.Is(err, register.ErrUnknown), errors.Is(err, journal.ErrUnknown):
		return nil, err
	case errors.Is(err, dukpt.ErrExhausted):
		err = fmt.Errorf("the DUKPT key is used up, the terminal needs a new one: %w", err)
	}
	return core.NotTaken{For: a.For, Why: err.Error()}, nil
}

// Record journals the use of a counter, between the registers and the key.
func (b *Books) Record(a core.TakeKey, counter uint32) error {
	if a.For.Task == core.ForReversal {
		return b.Journal.Sent(a.For.Attempt, journal.Sent{Counter: counter, Try: a.Try})
	}
	return b.Journal.UseKey(a.For.Attempt, journal.KeyUse{Counter: counter, For: a.MTI})
}
