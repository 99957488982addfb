package issuer

import (
	"database/sql"
	"errors"
	"fmt"
	"math"

	"tallystick.example/host/internal/store"
)

const (
	accountOpen   = "open"
	accountClosed = "closed"
)

type account struct {
	id                   string
	currency             uint16
	balance, creditLimit int64
	status               string
}

func currencyText(c uint16) string { return fmt.Sprintf("%03d", c) }

// lockAccount reads an account that is going to change.
func lockAccount(tx *store.Tx, id string) (account, error) {
	a := account{id: id}
	var currency int64
	err := tx.Lock(`SELECT currency, balance, credit_limit, status FROM account WHERE id = $1`, id).
		Scan(&currency, &a.balance, &a.creditLimit, &a.status)
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, ErrNotFound
	}
	if err != nil {
		return account{}, fmt.Errorf("reading an account: %w", err)
	}
	a.currency = uint16(currency)
	return a, nil
}

// ensureAccount opens an account of the issuer itself when it is missing.
func ensureAccount(tx *store.Tx, id string, currency uint16, at int64) error {
	_, err := tx.Exec(`INSERT INTO account (id, currency, balance, credit_limit, status, opened)
		VALUES ($1, $2, 0, 0, $3, $4) ON CONFLICT (id) DO NOTHING`, id, int64(currency), accountOpen, at)
	if err != nil {
		return fmt.Errorf("opening an account: %w", err)
	}
	return nil
}

// A movement is a pair of entries that sums to zero.
type movement struct {
	id       string // unique for ever
	from, to string
	minor    int64 // more than zero
	currency uint16
	rrn      string
	at       int64
}

// move writes the pair and changes both balances. Its id must be new: a second
// use is errBook, since every caller asks the authorization's row first.
func move(tx *store.Tx, m movement) error {
	if m.minor <= 0 || m.from == m.to {
		panic("issuer: a movement of nothing") // callers check amounts
	}
	n, err := tx.Exec(`INSERT INTO issuer_entry (id, account, minor, currency, rrn, at)
		VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`,
		m.id+"/0", m.from, -m.minor, int64(m.currency), m.rrn, m.at,
		m.id+"/1", m.to, m.minor, int64(m.currency), m.rrn, m.at)
	if err != nil {
		return fmt.Errorf("writing entries: %w", err)
	}
	if n != 2 {
		return fmt.Errorf("%w: entries %s exist already", errBook, m.id)
	}
	// One order for all movements, so that two nodes never wait for each other.
	sides := []struct {
		id    string
		minor int64
	}{{m.from, -m.minor}, {m.to, m.minor}}
	if sides[0].id > sides[1].id {
		sides[0], sides[1] = sides[1], sides[0]
	}
	for _, s := range sides {
		n, err := tx.Exec(`UPDATE account SET balance = balance + $1 WHERE id = $2 AND currency = $3 AND balance BETWEEN $4 AND $5`,
			s.minor, s.id, int64(m.currency), int64(math.MinInt64/2), int64(math.MaxInt64/2))
		if err != nil {
			return fmt.Errorf("changing a balance: %w", err)
		}
		if n != 1 {
			return fmt.Errorf("%w: account %s is missing, full or of another currency", errBook, s.id)
		}
	}
	return nil
}
