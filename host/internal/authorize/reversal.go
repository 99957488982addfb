package authorize

import (
	"fmt"
	"time"

	"tallystick.example/host/internal/ledger"
	"tallystick.example/host/internal/store"
)

// codeUnsupported refuses what this host does not do.
const codeUnsupported = "40"

// reverse carries a reversal (0420, 0421, 0400, 0401) through its one commit. A
// row that does not exist is created as reversed, an undecided one is marked, a
// decided one is undone (rule 4).
func (k *call) reverse(now time.Time) {
	id, attempt, err := IdentityOf(k.m.Message, k.m.Private)
	if err != nil {
		k.refuse(now, CodeBadFormat)
		return
	}
	if _, partial := k.m.Replacement(); partial {
		// Our amounts have no parts: undoing the whole would be wrong, and a 00
		// without doing anything a lie. The operators of the terminal decide.
		k.refuse(now, codeUnsupported)
		return
	}
	k.numbered("numbering a reversal", func(now time.Time, rrn string) {
		k.reverseRow(now, admission{id: id, attempt: attempt, rrn: rrn})
	})
}

func (k *call) reverseRow(now time.Time, ad admission) {
	var rec Record
	var end Action
	w := k.core.work(now)
	k.commit(now, "authorize.reverse", func(tx *store.Tx) error {
		var err error
		rec, end, err = w.reverseIn(tx, k.m, ad)
		return err
	}, func(now time.Time, err error) {
		switch {
		case IsCounterFault(err):
			k.alarm(now, err)
			return
		case err != nil:
			k.fail("reversing a transaction", err)
			return
		}
		if rec.Row.State == Reversed {
			k.order(Wake{k.number})
			k.order(Decided{k.number, rec})
		}
		code := CodeApproved
		if end.Do == Refuse {
			code = end.Code
		}
		a, err := answer(k.m, rec.RRN, code)
		k.finish(Reply{Answer: a}, 0, err)
	})
}

// reverseIn is the commit of a reversal.
func (w work) reverseIn(tx *store.Tx, m Message, ad admission) (Record, Action, error) {
	now := w.at
	ev := ReversalCame{Digest: Digest(m.Digest()), Subject: subjectOf(m.Message)}
	rec := w.newReversed(m, ad, now)
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
		return rec, acts[len(acts)-1], w.note(tx, rec, now)
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
			if err := queue(tx, rec, now); err != nil {
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
	return rec, acts[len(acts)-1], w.note(tx, rec, now)
}

// newReversed is the row of a transaction whose reversal came first.
func (w work) newReversed(m Message, ad admission, now int64) Record {
	amount, _ := m.Amount() // absent in the reversal of what had none
	r := Record{
		ID: ad.id, Node: w.cfg.Node, Terminal: m.Terminal(), Merchant: m.Merchant(), Attempt: ad.attempt,
		Processing: m.Digits(3), Entry: m.Digits(22), Amount: amount.Minor, Currency: amount.Currency,
		RRN: ad.rrn, MAC: string(m.Opened.MAC), PIN: "none", Cryptogram: "none", CardCode: "none", ARPC: "none",
		Why: "the reversal came first", Decision: "{}", Received: now, Decided: now, Reversed: now,
	}
	if o, ok := m.Original(); ok {
		r.MTI, r.STAN, r.Transmitted = o.MTI.ClearRepeat().String(), o.STAN, o.Transmitted
	}
	return r
}
