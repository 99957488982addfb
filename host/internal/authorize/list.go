package authorize

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"tallystick.example/host/internal/store"
)

// A Filter selects transactions; empty fields select all.
type Filter struct {
	Terminal, STAN, RRN string
	Limit               int // newest first; 0 means 1,000
}

// Find reads transactions, newest first.
func Find(ctx context.Context, st *store.Store, f Filter) ([]Record, error) {
	where, args := []string{}, []any{}
	for _, c := range []struct{ column, value string }{{"terminal", f.Terminal}, {"stan", f.STAN}, {"rrn", f.RRN}} {
		if c.value != "" {
			args = append(args, c.value)
			where = append(where, fmt.Sprintf("%s = $%d", c.column, len(args)))
		}
	}
	query := `SELECT ` + columns + ` FROM card_transaction`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	args = append(args, int64(f.Limit))
	query += fmt.Sprintf(" ORDER BY received DESC, id LIMIT $%d", len(args))
	var out []Record
	err := st.Read(ctx, func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			r, err := scanRecord(scan)
			if err != nil {
				return err
			}
			out = append(out, r)
			return nil
		}, query, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("reading transactions: %w", err)
	}
	return out, nil
}

// exportLine is a line of Export.
type exportLine struct {
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	MTI      string `json:"mti"`
	STAN     string `json:"stan"`
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	State    string `json:"state"` // approved, declined, reversed, open
	RC       string `json:"rc"`
	At       int64  `json:"at"`
}

// Export writes every transaction as a JSON line, in order of arrival.
func Export(ctx context.Context, st *store.Store, w io.Writer) error {
	enc := json.NewEncoder(w)
	err := st.Read(ctx, func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			l := exportLine{Source: "host", Kind: "transaction"}
			var currency int64
			if err := scan(&l.Terminal, &l.Attempt, &l.MTI, &l.STAN, &l.RRN, &l.Amount, &currency, &l.State, &l.RC, &l.At); err != nil {
				return err
			}
			if l.State == Undecided.String() {
				l.State = "open"
			}
			l.Currency = fmt.Sprintf("%03d", currency)
			return enc.Encode(l)
		}, `SELECT terminal, attempt, mti, stan, rrn, amount, currency, state, rc, received FROM card_transaction ORDER BY received, id`)
	})
	if err != nil {
		return fmt.Errorf("exporting transactions: %w", err)
	}
	return nil
}

// Health counts what operators should know of.
type Health struct {
	Undecided   int64 `json:"undecided"`   // intents without outcome
	Unconfirmed int64 `json:"unconfirmed"` // approvals that no message of the terminal has confirmed
	OldestAt    int64 `json:"oldest_unconfirmed_at"`
	Waiting     int64 `json:"outbox_waiting"` // reversals on their way to an issuer
	Manual      int64 `json:"outbox_manual"`  // reversals that wait for operators
}

// Look reads the health of the transactions.
func Look(ctx context.Context, st *store.Store) (Health, error) {
	var h Health
	err := st.Read(ctx, func(q store.Querier) error {
		for _, c := range []struct {
			into  *int64
			query string
		}{
			{&h.Undecided, `SELECT COUNT(*) FROM card_transaction WHERE state = 'undecided'`},
			{&h.Unconfirmed, `SELECT COUNT(*) FROM card_transaction WHERE state = 'approved' AND confirmed = 0`},
			{&h.OldestAt, `SELECT COALESCE(MIN(received), 0) FROM card_transaction WHERE state = 'approved' AND confirmed = 0`},
			{&h.Waiting, `SELECT COUNT(*) FROM issuer_outbox WHERE state = 'waiting'`},
			{&h.Manual, `SELECT COUNT(*) FROM issuer_outbox WHERE state = 'manual'`},
		} {
			if err := q.QueryRow(c.query).Scan(c.into); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Health{}, fmt.Errorf("reading the state of the transactions: %w", err)
	}
	return h, nil
}
