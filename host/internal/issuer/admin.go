package issuer

import (
	"context"
	"errors"
	"fmt"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// A NewCard is a card to be issued with its account.
type NewCard struct {
	Token     string
	Account   string // id; opened when it is new
	Reference []byte // sealed by the boundary
	// IMK, PVK and CVK name issuer keys (see PutKey); empty where the card has no
	// chip, no PIN, or no card verification value to check.
	IMK, PVK, CVK string
	Expiry        string // YYMM
	PSN           string // two digits
	PINTries      int    // tries before 75, 1 to 15
	Currency      uint16
	Balance       int64 // minor units put on the account, 0 or more
	CreditLimit   int64 // how far below zero it may go, 0 or more
	At            int64
}

// PutKey stores a key of the issuer under name. The same block again changes
// nothing; another block under the same name is ErrExists.
func (o *OnUs) PutKey(ctx context.Context, name string, k api.Key, at int64) error {
	return o.st.Do(ctx, "issuer.key", func(tx *store.Tx) error {
		n, err := tx.Exec(`INSERT INTO issuer_key (name, block, kcv, since) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO NOTHING`, name, string(k.Block), k.KCV, at)
		if err != nil {
			return fmt.Errorf("storing an issuer key: %w", err)
		}
		if n == 1 {
			return nil
		}
		var kcv string
		if err := tx.QueryRow(`SELECT kcv FROM issuer_key WHERE name = $1`, name).Scan(&kcv); err != nil {
			return fmt.Errorf("reading an issuer key: %w", err)
		}
		if kcv != k.KCV {
			return fmt.Errorf("%w: issuer key %s", ErrExists, name)
		}
		return nil
	})
}

// Key reads the block of an issuer key, or ErrNotFound.
func (o *OnUs) Key(ctx context.Context, name string) (api.KeyBlock, error) {
	var c = card{imkName: name}
	err := o.st.Read(ctx, func(q store.Querier) error { return c.fillKeys(q) })
	if err != nil {
		return "", fmt.Errorf("%w: issuer key %s", ErrNotFound, name)
	}
	return c.imk, nil
}

// AddCard issues a card: its row, its account and the opening balance, which is
// owed from the issuer's funding account. A card that exists is ErrExists.
func (o *OnUs) AddCard(ctx context.Context, n NewCard) error {
	if n.Token == "" || n.Account == "" || len(n.Reference) == 0 || len(n.Expiry) != 4 || len(n.PSN) != 2 ||
		n.PINTries < 1 || n.PINTries > 15 || n.Balance < 0 || n.CreditLimit < 0 {
		return fmt.Errorf("issuer: a card needs token, account, reference, expiry, PSN, 1 to 15 PIN tries, and amounts that are not negative")
	}
	return o.st.Do(ctx, "issuer.card", func(tx *store.Tx) error { return addCard(tx, n) })
}

func addCard(tx *store.Tx, n NewCard) error {
	if _, err := tx.Exec(`INSERT INTO account (id, currency, balance, credit_limit, status, opened)
		VALUES ($1, $2, 0, $3, $4, $5) ON CONFLICT (id) DO NOTHING`,
		n.Account, int64(n.Currency), n.CreditLimit, accountOpen, n.At); err != nil {
		return fmt.Errorf("opening an account: %w", err)
	}
	acc, err := lockAccount(tx, n.Account)
	if err != nil {
		return err
	}
	if acc.currency != n.Currency {
		return fmt.Errorf("issuer: account %s has currency %03d", n.Account, acc.currency)
	}
	added, err := tx.Exec(`INSERT INTO card (token, account, reference, imk, pvk, cvk, expiry, psn, status,
		pin_limit, pin_left, highest_atc, added) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, -1, $11)
		ON CONFLICT (token) DO NOTHING`, n.Token, n.Account, n.Reference, n.IMK, n.PVK, n.CVK, n.Expiry, n.PSN,
		CardActive, int64(n.PINTries), n.At)
	if err != nil {
		return fmt.Errorf("adding a card: %w", err)
	}
	if added == 0 {
		return fmt.Errorf("%w: the card", ErrExists)
	}
	if n.Balance == 0 {
		return nil
	}
	funding := "funding:" + currencyText(n.Currency)
	if err := ensureAccount(tx, funding, n.Currency, n.At); err != nil {
		return err
	}
	return move(tx, movement{id: "opening/" + n.Token, from: funding, to: n.Account, minor: n.Balance,
		currency: n.Currency, at: n.At})
}

// SetStatus changes the status of a card (see [IsStatus]), or answers ErrNotFound.
func (o *OnUs) SetStatus(ctx context.Context, token, status string) error {
	if !IsStatus(status) {
		return errors.New("issuer: no such status of a card")
	}
	return o.st.Do(ctx, "issuer.status", func(tx *store.Tx) error {
		n, err := tx.Exec(`UPDATE card SET status = $1 WHERE token = $2`, status, token)
		if err != nil {
			return fmt.Errorf("changing a card: %w", err)
		}
		if n == 0 {
			return ErrNotFound
		}
		return nil
	})
}

// ResetPIN gives a card all its PIN tries back, or answers ErrNotFound.
func (o *OnUs) ResetPIN(ctx context.Context, token string) error {
	return o.st.Do(ctx, "issuer.reset-pin", func(tx *store.Tx) error { return restoreTries(tx, token) })
}

// A Listed card is what an operator may see of one.
type Listed struct {
	Token    string `json:"token"`
	Account  string `json:"account"`
	Expiry   string `json:"expiry"` // YYMM
	Status   string `json:"status"`
	PINLeft  int64  `json:"pin_left"`
	PINLimit int64  `json:"pin_limit"`
}

// Cards lists all cards in the order in which they were issued.
func (o *OnUs) Cards(ctx context.Context) ([]Listed, error) {
	var cards []Listed
	err := o.st.Read(ctx, func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			var c Listed
			err := scan(&c.Token, &c.Account, &c.Expiry, &c.Status, &c.PINLeft, &c.PINLimit)
			cards = append(cards, c)
			return err
		}, `SELECT token, account, expiry, status, pin_left, pin_limit FROM card ORDER BY added, token`)
	})
	if err != nil {
		return nil, fmt.Errorf("listing cards: %w", err)
	}
	return cards, nil
}
