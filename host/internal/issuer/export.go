package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"tallystick.example/host/internal/store"
)

// exportAuthorization and exportEntry are the lines of Export.
type exportAuthorization struct {
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	RRN      string `json:"rrn"`
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	State    string `json:"state"`
	RC       string `json:"rc"`
	At       int64  `json:"at"`
}

type exportEntry struct {
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	Account  string `json:"account"`
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
	RRN      string `json:"rrn"`
	At       int64  `json:"at"`
}

// Export writes every authorization and then every entry as a JSON line, from
// one snapshot. An authorization that is still pending is exported as declined:
// nothing has been posted for it.
func (o *OnUs) Export(ctx context.Context, w io.Writer) error {
	enc := json.NewEncoder(w)
	return o.st.Read(ctx, func(q store.Querier) error {
		err := q.Each(func(scan store.Scan) error {
			l := exportAuthorization{Source: "issuer", Kind: "authorization"}
			var currency int64
			if err := scan(&l.RRN, &l.Terminal, &l.Attempt, &l.Amount, &currency, &l.State, &l.RC, &l.At); err != nil {
				return err
			}
			if l.State == statePending {
				l.State = stateDeclined
			}
			l.Currency = currencyText(uint16(currency))
			return enc.Encode(l)
		}, `SELECT rrn, terminal, attempt, amount, currency, state, code, at FROM issuer_authorization ORDER BY at, key`)
		if err != nil {
			return fmt.Errorf("exporting authorizations: %w", err)
		}
		err = q.Each(func(scan store.Scan) error {
			l := exportEntry{Source: "issuer", Kind: "entry"}
			var currency int64
			if err := scan(&l.Account, &l.Minor, &currency, &l.RRN, &l.At); err != nil {
				return err
			}
			l.Currency = currencyText(uint16(currency))
			return enc.Encode(l)
		}, `SELECT account, minor, currency, rrn, at FROM issuer_entry ORDER BY at, id`)
		if err != nil {
			return fmt.Errorf("exporting entries: %w", err)
		}
		return nil
	})
}

// Check proves the issuer's book: entries sum to zero per currency, balances are
// the sums of their entries, and each approved authorization is debited once. It
// returns what it found wrong, in words; nothing in a sound book.
func (o *OnUs) Check(ctx context.Context) ([]string, error) {
	var found []string
	err := o.st.Read(ctx, func(q store.Querier) error {
		for _, c := range []struct{ what, query string }{
			{"entries do not sum to zero in currency", `SELECT CAST(currency AS TEXT) FROM issuer_entry GROUP BY currency HAVING SUM(minor) <> 0`},
			{"the balance is not the sum of its entries in account", `SELECT a.id FROM account a LEFT JOIN
				(SELECT account, SUM(minor) AS total FROM issuer_entry GROUP BY account) e ON e.account = a.id
				WHERE a.balance <> COALESCE(e.total, 0)`},
			{"not debited exactly as decided: authorization", `SELECT z.key FROM issuer_authorization z LEFT JOIN
				(SELECT rrn, SUM(minor) AS total FROM issuer_entry WHERE minor > 0 AND account LIKE 'due:%' GROUP BY rrn) d ON d.rrn = z.rrn
				WHERE (z.state = 'approved' AND COALESCE(d.total, 0) <> z.amount) OR (z.state IN ('declined', 'pending') AND d.total IS NOT NULL)`},
		} {
			err := q.Each(func(scan store.Scan) error {
				var id string
				if err := scan(&id); err != nil {
					return err
				}
				found = append(found, c.what+" "+id)
				return nil
			}, c.query)
			if err != nil {
				return fmt.Errorf("checking the issuer's book: %w", err)
			}
		}
		return nil
	})
	return found, err
}
