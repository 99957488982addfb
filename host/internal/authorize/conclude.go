package authorize

import (
	"errors"
	"fmt"
	"time"

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
func (k *call) conclude(now time.Time, rec Record) {
	k.order(Ask{Call: k.number, Request: ask(k.m, rec), Within: k.core.cfg.IssuerWithin})
	k.then = func(now time.Time, in Input) {
		said := in.(IssuerSaid)
		if said.Err == nil {
			k.settleRow(now, rec.ID, OutcomeCame{Approved: said.Response.Approved, Code: said.Response.Code}, said.Response)
			return
		}
		k.order(Warn{k.number, "the issuer gave no answer; the authorization is reversed",
			map[string]any{"terminal": rec.Terminal, "stan": rec.STAN, "rrn": rec.RRN}, said.Err})
		k.settleRow(now, rec.ID, IssuerSilent{}, issuer.Response{Code: CodeNoIssuer, Why: "no answer from the issuer"})
	}
}

func (k *call) settleRow(now time.Time, id string, ev Event, resp issuer.Response) {
	var out Record
	w := k.core.work(now)
	k.commit(now, "authorize.conclude", func(tx *store.Tx) error {
		r, err := lock(tx, id)
		if err != nil {
			return err
		}
		out = r
		if r.Row.State != Undecided {
			return nil // an unknown commit was done, or the start of another process has settled it
		}
		out.Filed, out.Why, out.AuthCode = resp.Code, resp.Why, resp.AuthCode
		out.PIN, out.Cryptogram, out.CardCode = verdicts(resp)
		_, err = w.settle(tx, k.m, &out, ev)
		return err
	}, func(now time.Time, err error) {
		if err != nil {
			k.core.land(now, id) // others look for themselves
			k.fail("concluding a transaction", err)
			return
		}
		k.landed(now, out)
		r, err := reply(k.m, out)
		k.finish(r, 0, err)
	})
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

// settle applies the outcome ev to the locked row rec within tx and returns the
// action that answers the request (the zero Action when the row had its outcome).
func (w work) settle(tx *store.Tx, m Message, rec *Record, ev Event) (Action, error) {
	now := w.at
	row, acts := Next(rec.Row, ev)
	rec.Row, rec.Decided = row, now
	if row.State == Reversed {
		rec.Reversed = now
	}
	var last Action
	for _, a := range acts {
		switch a.Do {
		case Post:
			if _, err := ledger.Post(tx, posting(*rec, now)); err != nil {
				return Action{}, fmt.Errorf("posting a sale: %w", err)
			}
		case UndoAtIssuer:
			if err := queue(tx, *rec, now); err != nil {
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
	if err := keep(m, rec); err != nil {
		return Action{}, err
	}
	if err := update(tx, rec); err != nil {
		return Action{}, err
	}
	return last, w.note(tx, *rec, now)
}

func undone(acts []Action) bool {
	for _, a := range acts {
		if a.Do == UndoAtIssuer {
			return true
		}
	}
	return false
}

// keep builds the answer and keeps it in the row, without MAC.
func keep(m Message, rec *Record) error {
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
func posting(rec Record, at int64) ledger.Posting {
	return ledger.Posting{ID: postingID(rec.ID), Template: ledger.Sale, Terminal: rec.Terminal, Attempt: attemptText(rec),
		Merchant: rec.Merchant, Issuer: rec.Issuer, Amount: rec.Amount, Currency: rec.Currency, At: at}
}

func postingID(id string) string { return id + "/sale" }

// note audits an outcome.
func (w work) note(tx *store.Tx, rec Record, at int64) error {
	_, err := w.cfg.Audit.Append(tx, audit.Entry{Kind: "payment." + rec.Row.State.String(), Actor: "terminal:" + rec.Terminal,
		Object: rec.RRN, Detail: fmt.Sprintf("STAN %s, %d minor units of %03d, DE 39 %s, filed %s",
			rec.STAN, rec.Amount, rec.Currency, rec.Row.Code, rec.Filed), At: at})
	if err != nil {
		return fmt.Errorf("auditing an outcome: %w", err)
	}
	return nil
}

// landed tells the world of a durable outcome.
func (k *call) landed(now time.Time, rec Record) {
	k.core.land(now, rec.ID)
	k.order(Wake{k.number})
	k.order(Decided{k.number, rec})
}

// reply is the stored answer of rec for the message that led to it.
func reply(m Message, rec Record) (Reply, error) {
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
func (k *call) replay(rec Record) {
	r, err := reply(k.m, rec)
	if err != nil || r.ARC == "" {
		k.finish(r, 0, err)
		return
	}
	k.order(Verify{Call: k.number, Request: ask(k.m, rec)})
	k.then = func(_ time.Time, in Input) {
		v := in.(Verified)
		if v.Err != nil {
			k.fail("answering a repeat", v.Err)
			return
		}
		if v.Verdict != api.CryptogramRight {
			r.ARC = ""
		}
		k.finish(r, 0, nil)
	}
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
