package authorize

import (
	"context"
	"errors"
	"fmt"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/ledger"
	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
)

// conclude asks the issuer and makes the second commit: outcome, postings, audit
// and outbox.
func (e *Engine) conclude(ctx context.Context, m Message, rec Record) (Reply, error) {
	defer e.done(rec.ID)
	ev, resp := e.outcome(ctx, m, rec)
	var out Record
	err := e.persist(ctx, "authorize.conclude", func(tx *store.Tx) error {
		r, err := lock(tx, rec.ID)
		if err != nil {
			return err
		}
		out = r
		if r.Row.State != Undecided {
			return nil // an unknown commit was done, or the start of another process has settled it
		}
		out.Filed, out.Why, out.AuthCode = resp.Code, resp.Why, resp.AuthCode
		out.PIN, out.Cryptogram, out.CardCode = verdicts(resp)
		_, err = e.settle(tx, m, &out, ev)
		return err
	})
	if err != nil {
		return Reply{}, fmt.Errorf("concluding a transaction: %w", err)
	}
	e.landed(out)
	return e.reply(m, out)
}

// verdicts are what the boundary found, for the row.
func verdicts(r issuer.Response) (pin, cryptogram, cardCode string) {
	def := func(s string) string {
		if s == "" {
			return "none"
		}
		return s
	}
	return def(string(r.PIN)), def(string(r.Cryptogram)), def(string(r.CardCode))
}

// outcome asks the issuer within its time.
func (e *Engine) outcome(ctx context.Context, m Message, rec Record) (Event, issuer.Response) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.IssuerWithin)
	defer cancel()
	resp, err := e.cfg.Issuer.Authorize(ctx, e.ask(m, rec))
	if err != nil {
		e.cfg.Log.WithFields(map[string]any{"terminal": rec.Terminal, "stan": rec.STAN, "rrn": rec.RRN}).
			WithError(err).Warn("the issuer gave no answer; the authorization is reversed")
		return IssuerSilent{}, issuer.Response{Code: CodeNoIssuer, Why: "no answer from the issuer"}
	}
	return OutcomeCame{Approved: resp.Approved, Code: resp.Code}, resp
}

// settle applies the outcome ev to the locked row rec within tx and returns the
// action that answers the request (the zero Action when the row had its outcome).
func (e *Engine) settle(tx *store.Tx, m Message, rec *Record, ev Event) (Action, error) {
	now := e.now()
	row, acts := Next(rec.Row, ev)
	rec.Row, rec.Decided = row, now
	if row.State == Reversed {
		rec.Reversed = now
	}
	var last Action
	for _, a := range acts {
		switch a.Do {
		case Post:
			if _, err := ledger.Post(tx, e.posting(*rec, now)); err != nil {
				return Action{}, fmt.Errorf("posting a sale: %w", err)
			}
		case UndoAtIssuer:
			if err := e.queue(tx, *rec, now); err != nil {
				return Action{}, err
			}
		case Answer:
			last = a
		}
	}
	if last.Code != rec.Filed && row.State == Reversed {
		rec.Filed = last.Code
	}
	if !undone(acts) {
		if err := disarm(tx, rec.ID); err != nil {
			return Action{}, err
		}
	}
	if err := e.store(m, rec); err != nil {
		return Action{}, err
	}
	if err := update(tx, rec); err != nil {
		return Action{}, err
	}
	return last, e.note(tx, *rec, now)
}

func undone(acts []Action) bool {
	for _, a := range acts {
		if a.Do == UndoAtIssuer {
			return true
		}
	}
	return false
}

// store builds the answer and keeps it in the row, without MAC.
func (e *Engine) store(m Message, rec *Record) error {
	if m.Message == nil {
		return nil // settled at start: there is nobody to answer
	}
	if rec.Cryptogram == string(api.CryptogramRight) {
		rec.ARPC = "made"
	}
	a, err := answer(m, rec.RRN, rec.Row.Code)
	if err != nil {
		return err
	}
	if rec.Row.State == Approved && rec.AuthCode != "" {
		a.SetText(38, rec.AuthCode)
	}
	rec.Answer, err = iso8583.Pack(a)
	if err != nil {
		return fmt.Errorf("packing the answer to store: %w", err)
	}
	return nil
}

// posting is the ledger's use of the sale.
func (e *Engine) posting(rec Record, at int64) ledger.Posting {
	return ledger.Posting{ID: postingID(rec.ID), Template: ledger.Sale, Terminal: rec.Terminal, Attempt: attemptText(rec),
		Merchant: rec.Merchant, Issuer: rec.Issuer, Amount: rec.Amount, Currency: rec.Currency, At: at}
}

func postingID(id string) string { return id + "/sale" }

// note audits an outcome.
func (e *Engine) note(tx *store.Tx, rec Record, at int64) error {
	_, err := e.cfg.Audit.Append(tx, audit.Entry{Kind: "payment." + rec.Row.State.String(), Actor: "terminal:" + rec.Terminal,
		Object: rec.RRN, Detail: fmt.Sprintf("STAN %s, %d minor units of %03d, DE 39 %s, filed %s",
			rec.STAN, rec.Amount, rec.Currency, rec.Row.Code, rec.Filed), At: at})
	if err != nil {
		return fmt.Errorf("auditing an outcome: %w", err)
	}
	return nil
}

// landed tells the world of a durable outcome.
func (e *Engine) landed(rec Record) {
	e.done(rec.ID)
	e.wake()
	e.cfg.Decided(rec)
}

// reply is the stored answer of rec for the message that led to it.
func (e *Engine) reply(m Message, rec Record) (Reply, error) {
	if len(rec.Answer) == 0 {
		return Reply{}, errors.New("authorize: a transaction without stored answer")
	}
	stored, err := iso8583.Unpack(rec.Answer)
	if err != nil {
		return Reply{}, fmt.Errorf("reading a stored answer: %w", err)
	}
	// Echoed elements and the KSN are those of this message: a repeat has a
	// counter of its own.
	a, err := answer(m, stored.RRN(), stored.ResponseCode())
	if err != nil {
		return Reply{}, err
	}
	if c := stored.Text(38); c != "" {
		a.SetText(38, c)
	}
	r := Reply{Answer: a}
	if rec.ARPC == "made" {
		r.ARC = stored.ResponseCode()
	}
	return r, a.Err()
}

// replay answers a repeat with the stored answer. Its handle in the boundary is
// new, so the cryptogram is verified once more before an ARPC is made again,
// which gives the same one.
func (e *Engine) replay(ctx context.Context, m Message, rec Record) (Reply, error) {
	r, err := e.reply(m, rec)
	if err != nil || r.ARC == "" {
		return r, err
	}
	v, err := e.cfg.Issuer.Reauthenticate(ctx, e.ask(m, rec))
	if err != nil {
		return Reply{}, fmt.Errorf("answering a repeat: %w", err)
	}
	if v != api.CryptogramRight {
		r.ARC = ""
	}
	return r, nil
}

// chipData takes 9F26 and 9F36 out of DE 55; nil and 0 when they are not there.
func chipData(de55 []byte) (cryptogram []byte, atc uint16) {
	nodes, err := ber.Parse(de55, ber.Limits{})
	if err != nil {
		return nil, 0
	}
	for _, n := range nodes {
		switch {
		case n.Tag == 0x9F26 && len(n.Value) == 8:
			cryptogram = n.Value
		case n.Tag == 0x9F36 && len(n.Value) == 2:
			atc = uint16(n.Value[0])<<8 | uint16(n.Value[1])
		}
	}
	return cryptogram, atc
}
