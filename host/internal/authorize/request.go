package authorize

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/token"
)

// pay carries a purchase, a purchase with cashback or a cash advance (0200)
// through its two commits.
func (k *call) pay(now time.Time) {
	id, attempt, err := IdentityOf(k.m.Message, k.m.Private)
	if err != nil || !k.m.Opened.HasCard {
		k.refuse(now, CodeBadFormat)
		return
	}
	k.by = now.Add(k.core.cfg.AnswerWithin)
	k.numbered("numbering a transaction", func(now time.Time, rrn string) {
		k.core.claims++
		claim := fmt.Sprintf("%s/%d/%d", k.core.cfg.Node, k.core.cfg.Audit.Boot(), k.core.claims)
		k.key, k.ad = id, admission{id: id, attempt: attempt, rrn: rrn, claim: claim}
		k.admit(now)
	})
}

// admission names a request on its way into the first commit.
type admission struct{ id, attempt, rrn, claim string }

// admitted is what the first commit found: the action that answers the message,
// or Intend when this call asks the issuer.
type admitted struct {
	record Record
	act    Action
}

// admit is the first commit: row, counter, token, velocity, score, and the
// intent with the reversal that would undo it. The claim tells, when the commit
// is unknown and asked again, whose row it is.
func (k *call) admit(now time.Time) {
	k.again = false
	var out admitted
	w := k.core.work(now)
	c := Commit{Call: k.number, Name: "authorize.admit", Sale: true, Fn: func(tx *store.Tx) error {
		var err error
		out, err = w.admitIn(tx, k.m, k.ad)
		return err
	}}
	k.write(now, c, k.by, func(now time.Time, err error) {
		switch {
		case IsCounterFault(err):
			k.alarm(now, err)
		case errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBusy):
			k.refusal(now, CodeNoIssuer) // nothing was written
		case err != nil:
			k.fail("admitting a transaction", err)
		case out.act.Do == Wait:
			k.await(now)
		default:
			k.follow(now, out)
		}
	})
}

// pollEvery is how often a repeat looks at a row that another node may be
// deciding.
const pollEvery = 250 * time.Millisecond

// await waits until the transaction may have been decided by another call, and
// looks again; when the time of the message is over it says so.
func (k *call) await(now time.Time) {
	left := k.by.Sub(now)
	switch {
	case left <= 0:
		k.refusal(now, codeInProgress)
	case k.again:
		k.admit(now)
	default:
		k.waiting = true
		k.turn++
		k.order(Pause{Call: k.number, Turn: k.turn, Within: min(pollEvery, left)})
		k.then = func(now time.Time, _ Input) {
			k.waiting = false
			if !now.Before(k.by) {
				k.refusal(now, codeInProgress)
				return
			}
			k.admit(now)
		}
	}
}

// follow carries out what the first commit decided.
func (k *call) follow(now time.Time, a admitted) {
	switch a.act.Do {
	case Refuse:
		ans, err := answer(k.m, a.record.RRN, a.act.Code)
		k.finish(Reply{Answer: ans}, 0, err)
	case Replay:
		k.replay(a.record)
	case Answer:
		k.landed(now, a.record)
		r, err := reply(k.m, a.record)
		k.finish(r, 0, err)
	default:
		k.conclude(now, a.record)
	}
}

func (w work) admitIn(tx *store.Tx, m Message, ad admission) (admitted, error) {
	tok, isNew, err := token.Resolve(tx, m.Opened.Card)
	if err != nil {
		return admitted{}, fmt.Errorf("resolving a token: %w", err)
	}
	ev := RequestCame{Digest: Digest(m.Digest([]byte(tok))), Subject: subjectOf(m.Message)}
	rec := w.newRecord(m, ad, tok)
	rec.Row, _ = Next(Row{}, ev) // the action for a new row is always to intend
	fresh, err := insert(tx, &rec)
	if err != nil {
		return admitted{}, err
	}
	if err := checkCounters(tx, m); err != nil {
		return admitted{}, err
	}
	if err := confirm(tx, m, rec.Received); err != nil {
		return admitted{}, err
	}
	if !fresh {
		rec, err = lock(tx, ad.id)
		if err != nil {
			return admitted{}, err
		}
		if rec.Claim == ad.claim { // an unknown commit of this very call was done
			return admitted{record: rec, act: ownEnd(rec)}, nil
		}
		_, acts := Next(rec.Row, ev)
		return admitted{record: rec, act: acts[0]}, nil
	}
	return w.intend(tx, m, rec, isNew)
}

// ownEnd is the action for a row that this call has written before.
func ownEnd(r Record) Action {
	if r.Row.State == Undecided {
		return Action{Do: Intend}
	}
	return Action{Do: Replay}
}

// intend scores a new transaction and writes either the intent or, when the
// rules refuse it, its end.
func (w work) intend(tx *store.Tx, m Message, rec Record, newCard bool) (admitted, error) {
	d, err := w.score(tx, m, rec, newCard)
	if err != nil {
		return admitted{}, err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return admitted{}, fmt.Errorf("storing a score: %w", err)
	}
	rec.Score, rec.Rules, rec.Decision = d.Score, d.Version, string(text)
	if d.Action != score.Approve {
		rec.Issuer = "" // nobody is asked
	}
	if _, err := tx.Exec(`UPDATE card_transaction SET score = $1, rules = $2, decision = $3, issuer = $4 WHERE id = $5`,
		int64(d.Score), d.Version, rec.Decision, rec.Issuer, rec.ID); err != nil {
		return admitted{}, fmt.Errorf("storing a score: %w", err)
	}
	if d.Action == score.Approve {
		return admitted{record: rec, act: Action{Do: Intend}}, arm(tx, rec)
	}
	outside, filed := d.Code()
	rec.Filed, rec.Why = filed, "refused by the rules"
	act, err := w.settle(tx, m, &rec, OutcomeCame{Code: outside})
	return admitted{record: rec, act: act}, err
}

// score counts the attempt and applies the rules.
func (w work) score(tx *store.Tx, m Message, rec Record, newCard bool) (score.Decision, error) {
	byTerminal, err := score.Count(tx, score.ByTerminal, rec.Terminal, rec.Currency, rec.Amount, rec.Received)
	if err != nil {
		return score.Decision{}, err
	}
	byCard, err := score.Count(tx, score.ByCard, rec.Token, rec.Currency, rec.Amount, rec.Received)
	if err != nil {
		return score.Decision{}, err
	}
	at := time.UnixMicro(rec.Received).UTC()
	return w.cfg.Rules.Decide(score.Features{
		Amount: rec.Amount, Currency: int(rec.Currency), Processing: rec.Processing, Entry: string(score.EntryOf(rec.Entry)),
		PIN: m.Opened.HasPIN, Cryptogram: m.Opened.HasCryptogram, TerminalID: rec.Terminal, Merchant: rec.Merchant,
		BIN: m.Opened.Card.BIN, CardIsNew: newCard, Hour: at.Hour(), Weekday: int(at.Weekday()), Card: byCard, Terminal: byTerminal,
	}), nil
}

// newRecord is the row of a request before anything is decided.
func (w work) newRecord(m Message, ad admission, tok string) Record {
	amount, _ := m.Amount() // validated: a purchase has one
	return Record{
		ID: ad.id, Claim: ad.claim, Node: w.cfg.Node, Terminal: m.Terminal(), Merchant: m.Merchant(), Attempt: ad.attempt,
		MTI: m.MTI().ClearRepeat().String(), STAN: m.STAN(), Transmitted: m.Digits(7), Processing: m.Digits(3), Entry: m.Digits(22),
		Amount: amount.Minor, Currency: amount.Currency, Token: tok, RRN: ad.rrn, UpSTAN: upstreamSTAN(ad.rrn),
		Issuer: w.cfg.Issuer, MAC: string(m.Opened.MAC), PIN: "none", Cryptogram: "none", CardCode: "none", ARPC: "none",
		Decision: "{}", Received: w.at,
	}
}

// upstreamSTAN is the STAN towards the issuer: the last six digits of the RRN,
// which is unique for ever; 000000 is no STAN.
func upstreamSTAN(rrn string) string {
	s := rrn[len(rrn)-6:]
	if s == "000000" {
		return "999999"
	}
	return s
}

// ask puts the question to the issuer.
func ask(m Message, rec Record) issuer.Request {
	r := issuer.Request{
		Key: issuer.Key{Node: rec.Node, STAN: rec.UpSTAN, RRN: rec.RRN}, Terminal: rec.Terminal, Attempt: rec.Attempt,
		Merchant: rec.Merchant, Entry: rec.Entry, Amount: rec.Amount, Currency: rec.Currency, Token: rec.Token,
		Expiry: m.Opened.Card.Expiry, PSN: m.Opened.Card.PSN, Handle: m.Opened.Handle,
		HasPIN: m.Opened.HasPIN, HasCryptogram: m.Opened.HasCryptogram, At: rec.Received,
	}
	r.Cryptogram, r.ATC = chipData(m.Bytes(55))
	r.HasCryptogram = r.HasCryptogram && len(r.Cryptogram) == 8
	return r
}

// attemptText is the attempt as the ledger and the exports name it.
func attemptText(rec Record) string {
	if rec.Attempt != "" {
		return rec.Attempt
	}
	return rec.ID
}
