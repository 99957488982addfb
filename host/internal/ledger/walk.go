package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"tallystick.example/host/internal/store"
)

// A row is one entry with its posting, as stored.
type row struct {
	p        Posting
	reverses string
	line     int64
	e        entry
	currency uint16
}

// walk calls fn for every entry, those of a posting together and in order. A
// posting without entries comes once with line 0.
func walk(q store.Querier, fn func(row) error) error {
	return q.Each(func(scan store.Scan) error {
		var r row
		if err := scan(&r.p.ID, &r.p.Template, &r.p.Terminal, &r.p.Attempt, &r.p.Merchant, &r.p.Issuer, &r.p.Amount, &r.p.Currency, &r.p.At,
			&r.reverses, &r.line, &r.e.account, &r.e.minor, &r.currency); err != nil {
			return fmt.Errorf("reading an entry: %w", err)
		}
		return fn(r)
	}, `SELECT p.id, p.template, p.terminal, p.attempt, p.merchant, p.issuer, p.amount, p.currency, p.at,
		COALESCE(p.reverses, ''), COALESCE(e.line, 0), COALESCE(e.account, ''), COALESCE(e.minor, 0), COALESCE(e.currency, 0)
		FROM ledger_posting p LEFT JOIN ledger_entry e ON e.posting = p.id ORDER BY p.id, e.line`)
}

// A Report is the result of Check.
type Report struct {
	Postings int64            `json:"postings"`
	Entries  int64            `json:"entries"`
	Sums     map[uint16]int64 `json:"sums"`     // per currency (ISO 4217 numeric), all zero in a sound ledger
	Findings []string         `json:"findings"` // empty in a sound ledger; at most maxFindings
}

// maxFindings bounds a report: a ledger that is broken everywhere is known
// after this many.
const maxFindings = 1000

// OK reports that the ledger is sound.
func (r Report) OK() bool {
	for _, sum := range r.Sums {
		if sum != 0 {
			return false
		}
	}
	return len(r.Findings) == 0
}

func (r *Report) find(format string, args ...any) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
	}
}

// Check proves the ledger from one snapshot: per currency the sum is zero; the
// entries of every posting are exactly those that its template makes of its
// inputs, which sum to zero; every reversal mirrors one posting that exists, and
// no posting has two; no entry is without a posting.
func Check(ctx context.Context, st *store.Store) (Report, error) {
	r := Report{Sums: map[uint16]int64{}}
	err := st.Read(ctx, func(q store.Querier) error {
		var current []row
		err := walk(q, func(x row) error {
			if len(current) > 0 && current[0].p.ID != x.p.ID {
				r.posting(current)
				current = current[:0]
			}
			current = append(current, x)
			return nil
		})
		if err != nil {
			return err
		}
		if len(current) > 0 {
			r.posting(current)
		}
		return r.links(q)
	})
	if err != nil {
		return Report{}, fmt.Errorf("ledger: checking: %w", err)
	}
	return r, nil
}

// posting checks the rows of one posting. What a reversal mirrors is checked by
// links: here its own inputs say what it must be.
func (r *Report) posting(rows []row) {
	r.Postings++
	var got []entry
	for i, x := range rows {
		if x.line == 0 {
			break
		}
		r.Entries++
		r.Sums[x.currency] += x.e.minor
		got = append(got, x.e)
		if x.line != int64(i+1) || x.currency != x.p.Currency {
			r.find("posting %s: line %d or its currency %d is wrong", x.p.ID, x.line, x.currency)
		}
	}
	x := rows[0]
	if x.p.Template == reversal {
		return
	}
	want, err := entries(x.p, 1)
	if err != nil {
		r.find("posting %s: %v", x.p.ID, err)
	} else if !slices.Equal(got, want) {
		r.find("posting %s: its entries are not those of template %s for %d", x.p.ID, x.p.Template, x.p.Amount)
	}
	if x.reverses != "" {
		r.find("posting %s: reverses %s without being a reversal", x.p.ID, x.reverses)
	}
}

// An exported entry, as docs and tally know it.
type exported struct {
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Posting  string `json:"posting"`
	Template string `json:"template"`
	Account  string `json:"account"`
	Minor    int64  `json:"minor"`
	Currency uint16 `json:"currency"`
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	At       int64  `json:"at"`
}

// Export writes every entry as a JSON line, in order of posting and line, from
// one snapshot. The id of an entry is its posting's id, '/', and its line.
func Export(ctx context.Context, st *store.Store, w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	err := st.Read(ctx, func(q store.Querier) error {
		return walk(q, func(x row) error {
			if x.line == 0 {
				return nil // Check finds it; there is no entry to write
			}
			return enc.Encode(exported{
				Source: "host", Kind: "entry", ID: fmt.Sprintf("%s/%d", x.p.ID, x.line), Posting: x.p.ID,
				Template: x.p.Template, Account: x.e.account, Minor: x.e.minor, Currency: x.currency,
				Terminal: x.p.Terminal, Attempt: x.p.Attempt, At: x.p.At,
			})
		})
	})
	if err != nil {
		return fmt.Errorf("ledger: exporting: %w", err)
	}
	return nil
}
