package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/token"
)

// Request carries a purchase, a purchase with cashback or a cash advance (0200)
// through its two commits and returns the answer. A repeat waits for the answer
// of its original. An error means that nothing may be answered.
func (e *Engine) Request(ctx context.Context, m Message) (Reply, error) {
	id, attempt, err := IdentityOf(m.Message, m.Private)
	if err != nil || !m.Opened.HasCard {
		return e.Refuse(ctx, m, CodeBadFormat)
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.AnswerWithin)
	defer cancel()
	rrn, err := e.cfg.Numbers.Next(ctx)
	if err != nil {
		return Reply{}, fmt.Errorf("numbering a transaction: %w", err)
	}
	claim := fmt.Sprintf("%s/%d/%d", e.cfg.Node, e.cfg.Audit.Boot(), e.claims.Add(1))
	for {
		r, wait, err := e.try(ctx, m, admission{id: id, attempt: attempt, rrn: rrn, claim: claim})
		if err != nil || wait == nil {
			return r, err
		}
		again := e.await(ctx, wait)
		e.leave(id, wait)
		if !again {
			return e.refusal(context.WithoutCancel(ctx), m, codeInProgress)
		}
	}
}

// try makes one attempt to answer a request. A flight that is not nil is to be
// waited for and left: another call is deciding.
func (e *Engine) try(ctx context.Context, m Message, ad admission) (Reply, *flight, error) {
	f := e.join(ad.id)
	a, err := e.admit(ctx, m, ad)
	if err == nil && a.act.Do == Wait {
		return Reply{}, f, nil
	}
	defer e.leave(ad.id, f)
	switch {
	case errors.Is(err, errCounter) || errors.Is(err, errKeySet):
		r, err := e.alarm(ctx, m, err)
		return r, nil, err
	case errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBusy):
		r, err := e.refusal(ctx, m, CodeNoIssuer) // nothing was written
		return r, nil, err
	case err != nil:
		return Reply{}, nil, fmt.Errorf("admitting a transaction: %w", err)
	}
	r, err := e.follow(ctx, m, a)
	return r, nil, err
}

// follow carries out what the first commit decided.
func (e *Engine) follow(ctx context.Context, m Message, a admitted) (Reply, error) {
	switch a.act.Do {
	case Refuse:
		ans, err := answer(m, a.record.RRN, a.act.Code)
		return Reply{Answer: ans}, err
	case Replay:
		return e.replay(ctx, m, a.record)
	case Answer:
		e.landed(a.record)
		return e.reply(m, a.record)
	}
	return e.conclude(ctx, m, a.record)
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
// intent with the reversal that would undo it.
func (e *Engine) admit(ctx context.Context, m Message, ad admission) (admitted, error) {
	var out admitted
	fn := func(tx *store.Tx) error {
		var err error
		out, err = e.admitIn(tx, m, ad)
		return err
	}
	for {
		err := e.cfg.Store.DoSale(ctx, "authorize.admit", fn)
		if errors.Is(err, store.ErrUnknown) && ctx.Err() == nil {
			continue // ask again by the same write; the claim tells whose row it is
		}
		return out, err
	}
}

func (e *Engine) admitIn(tx *store.Tx, m Message, ad admission) (admitted, error) {
	tok, isNew, err := token.Resolve(tx, m.Opened.Card)
	if err != nil {
		return admitted{}, fmt.Errorf("resolving a token: %w", err)
	}
	ev := RequestCame{Digest: Digest(m.Digest([]byte(tok))), Subject: subjectOf(m.Message)}
	rec := e.newRecord(m, ad, tok)
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
	return e.intend(tx, m, rec, isNew)
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
func (e *Engine) intend(tx *store.Tx, m Message, rec Record, newCard bool) (admitted, error) {
	d, err := e.score(tx, m, rec, newCard)
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
	act, err := e.settle(tx, m, &rec, OutcomeCame{Code: outside})
	return admitted{record: rec, act: act}, err
}

// score counts the attempt and applies the rules.
func (e *Engine) score(tx *store.Tx, m Message, rec Record, newCard bool) (score.Decision, error) {
	byTerminal, err := score.Count(tx, score.ByTerminal, rec.Terminal, rec.Currency, rec.Amount, rec.Received)
	if err != nil {
		return score.Decision{}, err
	}
	byCard, err := score.Count(tx, score.ByCard, rec.Token, rec.Currency, rec.Amount, rec.Received)
	if err != nil {
		return score.Decision{}, err
	}
	at := time.UnixMicro(rec.Received).UTC()
	return e.cfg.Rules.Decide(score.Features{
		Amount: rec.Amount, Currency: int(rec.Currency), Processing: rec.Processing, Entry: string(score.EntryOf(rec.Entry)),
		PIN: m.Opened.HasPIN, Cryptogram: m.Opened.HasCryptogram, TerminalID: rec.Terminal, Merchant: rec.Merchant,
		BIN: m.Opened.Card.BIN, CardIsNew: newCard, Hour: at.Hour(), Weekday: int(at.Weekday()), Card: byCard, Terminal: byTerminal,
	}), nil
}

// newRecord is the row of a request before anything is decided.
func (e *Engine) newRecord(m Message, ad admission, tok string) Record {
	amount, _ := m.Amount() // validated: a purchase has one
	return Record{
		ID: ad.id, Claim: ad.claim, Node: e.cfg.Node, Terminal: m.Terminal(), Merchant: m.Merchant(), Attempt: ad.attempt,
		MTI: m.MTI().ClearRepeat().String(), STAN: m.STAN(), Transmitted: m.Digits(7), Processing: m.Digits(3), Entry: m.Digits(22),
		Amount: amount.Minor, Currency: amount.Currency, Token: tok, RRN: ad.rrn, UpSTAN: upstreamSTAN(ad.rrn),
		Issuer: e.cfg.Issuer.Name(), MAC: string(m.Opened.MAC), PIN: "none", Cryptogram: "none", CardCode: "none", ARPC: "none",
		Decision: "{}", Received: e.now(),
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
func (e *Engine) ask(m Message, rec Record) issuer.Request {
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
