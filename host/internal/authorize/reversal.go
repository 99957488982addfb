package authorize

import (
	"context"
	"errors"
	"fmt"

	"tallystick.example/host/internal/ledger"
	"tallystick.example/host/internal/store"
)

// codeUnsupported refuses what this host does not do.
const codeUnsupported = "40"

// Reversal carries a reversal (0420, 0421, 0400, 0401) through its one commit and
// returns the answer. A row that does not exist is created as reversed, an
// undecided one is marked, a decided one is undone (rule 4). An error means that
// nothing may be answered.
func (e *Engine) Reversal(ctx context.Context, m Message) (Reply, error) {
	id, attempt, err := IdentityOf(m.Message, m.Private)
	if err != nil {
		return e.Refuse(ctx, m, CodeBadFormat)
	}
	if _, partial := m.Replacement(); partial {
		// Our amounts have no parts: undoing the whole would be wrong, and a 00
		// without doing anything a lie. The operators of the terminal decide.
		return e.Refuse(ctx, m, codeUnsupported)
	}
	rrn, err := e.cfg.Numbers.Next(ctx)
	if err != nil {
		return Reply{}, fmt.Errorf("numbering a reversal: %w", err)
	}
	var rec Record
	var end Action
	err = e.persist(ctx, "authorize.reverse", func(tx *store.Tx) error {
		var err error
		rec, end, err = e.reverseIn(tx, m, admission{id: id, attempt: attempt, rrn: rrn})
		return err
	})
	switch {
	case errors.Is(err, errCounter) || errors.Is(err, errKeySet):
		return e.alarm(ctx, m, err)
	case err != nil:
		return Reply{}, fmt.Errorf("reversing a transaction: %w", err)
	}
	if rec.Row.State == Reversed {
		e.wake()
		e.cfg.Decided(rec)
	}
	code := CodeApproved
	if end.Do == Refuse {
		code = end.Code
	}
	a, err := answer(m, rec.RRN, code)
	return Reply{Answer: a}, err
}

// reverseIn is the commit of a reversal.
func (e *Engine) reverseIn(tx *store.Tx, m Message, ad admission) (Record, Action, error) {
	now := e.now()
	ev := ReversalCame{Digest: Digest(m.Digest()), Subject: subjectOf(m.Message)}
	rec := e.newReversed(m, ad, now)
	row, acts := Next(Row{}, ev)
	rec.Row = row
	fresh, err := insert(tx, &rec)
	if err != nil {
		return Record{}, Action{}, err
	}
	if err := checkCounters(tx, m); err != nil {
		return Record{}, Action{}, err
	}
	if err := confirm(tx, m, now); err != nil {
		return Record{}, Action{}, err
	}
	if fresh {
		return rec, acts[len(acts)-1], e.note(tx, rec, now)
	}
	rec, err = lock(tx, ad.id)
	if err != nil {
		return Record{}, Action{}, err
	}
	was := rec.Row
	rec.Row, acts = Next(was, ev)
	if rec.Row == was { // a repeat, or refused: nothing changes
		return rec, acts[len(acts)-1], nil
	}
	if rec.Row.State == Reversed {
		rec.Reversed = now
	}
	for _, a := range acts {
		switch a.Do {
		case Unpost:
			if _, err := ledger.Reverse(tx, postingID(rec.ID), now); err != nil {
				return Record{}, Action{}, fmt.Errorf("reversing a posting: %w", err)
			}
		case UndoAtIssuer:
			if err := e.queue(tx, rec, now); err != nil {
				return Record{}, Action{}, err
			}
		}
	}
	if err := update(tx, &rec); err != nil {
		return Record{}, Action{}, err
	}
	if rec.Row.State != Reversed {
		return rec, acts[len(acts)-1], nil // marked: the outcome is audited when it comes
	}
	return rec, acts[len(acts)-1], e.note(tx, rec, now)
}

// newReversed is the row of a transaction whose reversal came first.
func (e *Engine) newReversed(m Message, ad admission, now int64) Record {
	amount, _ := m.Amount() // absent in the reversal of what had none
	r := Record{
		ID: ad.id, Node: e.cfg.Node, Terminal: m.Terminal(), Merchant: m.Merchant(), Attempt: ad.attempt,
		Processing: m.Digits(3), Entry: m.Digits(22), Amount: amount.Minor, Currency: amount.Currency,
		RRN: ad.rrn, MAC: string(m.Opened.MAC), PIN: "none", Cryptogram: "none", CardCode: "none", ARPC: "none",
		Why: "the reversal came first", Decision: "{}", Received: now, Decided: now, Reversed: now,
	}
	if o, ok := m.Original(); ok {
		r.MTI, r.STAN, r.Transmitted = o.MTI.ClearRepeat().String(), o.STAN, o.Transmitted
	}
	return r
}
