package issuer

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// Card status.
const (
	CardActive  = "active"
	CardBlocked = "blocked"
	CardLost    = "lost"
	CardStolen  = "stolen"
)

// IsStatus reports whether s is one of the statuses of a card.
func IsStatus(s string) bool {
	return slices.Contains([]string{CardActive, CardBlocked, CardLost, CardStolen}, s)
}

// card is a row of the table of that name, with its keys.
type card struct {
	token, account            string
	reference                 []byte
	imkName, pvkName, cvkName string
	imk, pvk, cvk             api.KeyBlock
	expiry, psn, status       string
	pinLimit, pinLeft         int64
	pinEpoch                  int64 // rises when the tries are restored
	pinReturned               int64 // tries of this epoch that went back
	highestATC                int64
}

// readCard reads a card through query, which locks or only reads.
func readCard(query func(string, ...any) store.Row, token string) (card, error) {
	c := card{token: token}
	err := query(`SELECT account, reference, imk, pvk, cvk, expiry, psn, status, pin_limit, pin_left, pin_epoch, pin_returned, highest_atc
		FROM card WHERE token = $1`, token).Scan(&c.account, &c.reference, &c.imkName, &c.pvkName, &c.cvkName,
		&c.expiry, &c.psn, &c.status, &c.pinLimit, &c.pinLeft, &c.pinEpoch, &c.pinReturned, &c.highestATC)
	if errors.Is(err, sql.ErrNoRows) {
		return card{}, ErrNotFound
	}
	if err != nil {
		return card{}, fmt.Errorf("reading a card: %w", err)
	}
	return c, nil
}

// fillKeys reads the blocks of the keys that the card names.
func (c *card) fillKeys(q store.Querier) error {
	for _, k := range []struct {
		name string
		into *api.KeyBlock
	}{{c.imkName, &c.imk}, {c.pvkName, &c.pvk}, {c.cvkName, &c.cvk}} {
		if k.name == "" {
			continue
		}
		var block string
		if err := q.QueryRow(`SELECT block FROM issuer_key WHERE name = $1`, k.name).Scan(&block); err != nil {
			return fmt.Errorf("reading the issuer key %s: %w", k.name, err)
		}
		*k.into = api.KeyBlock(block)
	}
	return nil
}

// refusal is DE 39 for a card that may not pay at all, empty when it may. at is
// in microseconds UTC, said is the expiry that the card told.
func (c card) refusal(said string, at int64) (code, why string) {
	switch {
	case c.status == CardLost:
		return codeLost, "card lost"
	case c.status == CardStolen:
		return codeStolen, "card stolen"
	case c.status != CardActive:
		return codeRestricted, "card blocked"
	case expired(c.expiry, at):
		return codeExpired, "card expired"
	case said != c.expiry:
		return codeExpired, "expiry differs from the record"
	}
	return "", ""
}
