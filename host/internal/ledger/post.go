package ledger

import (
	"database/sql"
	"errors"
	"fmt"

	"tallystick.example/host/internal/store"
)

// mirrorMark begins the id of a reversal, before the id of what it reverses.
const mirrorMark = '~'

// A Posting is one use of a template.
type Posting struct {
	ID       string // unique for ever, chosen by the caller (row identity and step), 1 to 120 characters
	Template string
	Terminal string // DE 41, empty when no terminal is involved
	Attempt  string // hex attempt id, or the identity of a client that sends none
	Merchant string // DE 42
	Issuer   string // name of the issuer or link
	Amount   int64  // minor units, 1 to MaxAmount
	Currency uint16 // ISO 4217 numeric, 1 to 999
	At       int64  // microseconds UTC
}

// check refuses what could not be told apart or read later. (Account names end
// in Merchant or Issuer, so these hold no ':' or '<'.)
func (p Posting) check() error {
	if len(p.ID) < 1 || len(p.ID) > 120 || p.ID[0] == mirrorMark {
		return fmt.Errorf("%w: the id has %d characters, want 1 to 120 and no '~' first", ErrPosting, len(p.ID))
	}
	if p.Currency < 1 || p.Currency > 999 {
		return fmt.Errorf("%w: currency %d, want an ISO 4217 number", ErrPosting, p.Currency)
	}
	for _, s := range []string{p.Terminal, p.Attempt, p.Merchant, p.Issuer} {
		if len(s) > 64 {
			return fmt.Errorf("%w: a name has more than 64 characters", ErrPosting)
		}
	}
	for _, s := range p.Merchant + p.Issuer {
		if s == ':' || s == '<' || s < ' ' || s > '~' {
			return fmt.Errorf("%w: merchant and issuer are printable ASCII without ':' and '<'", ErrPosting)
		}
	}
	return nil
}

// Post writes p and its entries in the commit of tx. It is idempotent by ID: the
// same posting again (at any time) gives false and nil, another one under the
// same ID ErrConflict. ErrAmount, ErrTemplate and ErrPosting refuse bad input.
func Post(tx *store.Tx, p Posting) (posted bool, err error) {
	if err := p.check(); err != nil {
		return false, err
	}
	es, err := entries(p, 1)
	if err != nil {
		return false, err
	}
	return write(tx, p, nil, es)
}

// Reverse writes the mirror of the posting id, at most once for ever: a second
// call gives false and nil. The mirror's id is id with "~" before it. A posting
// that does not exist is ErrNotFound; a mirror cannot be reversed (ErrPosting): what was
// reversed by mistake is posted anew.
func Reverse(tx *store.Tx, id string, at int64) (reversed bool, err error) {
	p, reverses, err := get(tx, id)
	if err != nil {
		return false, err
	}
	if reverses != "" {
		return false, fmt.Errorf("%w: %s is a reversal itself", ErrPosting, id)
	}
	es, err := entries(p, -1)
	if err != nil {
		return false, fmt.Errorf("mirroring %s: %w", id, err)
	}
	p.ID, p.Template, p.At = string(mirrorMark)+id, reversal, at
	return write(tx, p, id, es)
}

// write inserts a posting unless its id is there.
func write(tx *store.Tx, p Posting, reverses any, es []entry) (bool, error) {
	n, err := tx.Exec(`INSERT INTO ledger_posting (id, template, terminal, attempt, merchant, issuer, amount, currency, at, reverses)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
		p.ID, p.Template, p.Terminal, p.Attempt, p.Merchant, p.Issuer, p.Amount, p.Currency, p.At, reverses)
	if err != nil {
		return false, fmt.Errorf("inserting posting %s: %w", p.ID, err)
	}
	if n == 0 {
		there, _, err := get(tx, p.ID)
		if err != nil {
			return false, err
		}
		there.At = p.At // the first time counts
		if there != p {
			return false, fmt.Errorf("%w: %s", ErrConflict, p.ID)
		}
		return false, nil
	}
	args := make([]any, 0, 5*len(es))
	for i, e := range es {
		args = append(args, p.ID, i+1, e.account, e.minor, p.Currency)
	}
	if _, err := tx.Exec(`INSERT INTO ledger_entry (posting, line, account, minor, currency) VALUES `+store.Values(len(es), 5), args...); err != nil {
		return false, fmt.Errorf("inserting the entries of %s: %w", p.ID, err)
	}
	return true, nil
}

// get reads a posting and what it reverses.
func get(q store.Querier, id string) (p Posting, reverses string, err error) {
	err = q.QueryRow(`SELECT id, template, terminal, attempt, merchant, issuer, amount, currency, at, COALESCE(reverses, '')
		FROM ledger_posting WHERE id = $1`, id).
		Scan(&p.ID, &p.Template, &p.Terminal, &p.Attempt, &p.Merchant, &p.Issuer, &p.Amount, &p.Currency, &p.At, &reverses)
	if errors.Is(err, sql.ErrNoRows) {
		return p, "", fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return p, "", fmt.Errorf("reading posting %s: %w", id, err)
	}
	return p, reverses, nil
}

// Balance sums one account in one currency: debits less credits.
func Balance(q store.Querier, account string, currency uint16) (minor int64, err error) {
	err = q.QueryRow(`SELECT CAST(COALESCE(SUM(minor), 0) AS BIGINT) FROM ledger_entry WHERE account = $1 AND currency = $2`, account, currency).Scan(&minor)
	if err != nil {
		return 0, fmt.Errorf("summing %s: %w", account, err)
	}
	return minor, nil
}
