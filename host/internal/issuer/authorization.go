package issuer

import (
	"database/sql"
	"errors"
	"fmt"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// authorization is a row of the table of that name.
type authorization struct {
	key                      Key
	terminal, attempt, token string
	amount                   int64
	currency                 uint16
	state                    string
	code, authCode, why      string
	pin, cryptogram, cardOK  string
	pinEpoch                 int64 // of the try that is open, 0 for none
	at                       int64
}

// response is the stored decision as the issuer gave it, or 68 for one that was
// reversed: an approval that was undone must not be told again.
func (a authorization) response() Response {
	r := Response{Code: a.code, AuthCode: a.authCode, Why: a.why, Approved: a.state == stateApproved,
		PIN: api.PINVerdict(a.pin), Cryptogram: api.CryptogramVerdict(a.cryptogram), CardCode: api.CardCodeVerdict(a.cardOK)}
	if a.state == stateReversed {
		r.Code, r.AuthCode, r.Why = codeLate, "", "reversed"
	}
	return r
}

// insertAuthorization claims a key; false means that it is taken.
func insertAuthorization(tx *store.Tx, a authorization) (bool, error) {
	n, err := tx.Exec(`INSERT INTO issuer_authorization (key, node, rrn, terminal, attempt, token, amount, currency,
		state, code, auth_code, why, pin, cryptogram, card_code, at, changed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', '', '', 'none', 'none', 'none', $10, $10)
		ON CONFLICT (key) DO NOTHING`, a.key.String(), a.key.Node, a.key.RRN, a.terminal, a.attempt, a.token,
		a.amount, int64(a.currency), a.state, a.at)
	if err != nil {
		return false, fmt.Errorf("writing an authorization: %w", err)
	}
	return n == 1, nil
}

// lockAuthorization reads the row of key for change.
func lockAuthorization(tx *store.Tx, key Key) (authorization, error) {
	a := authorization{key: key}
	var currency int64
	err := tx.Lock(`SELECT terminal, attempt, token, amount, currency, state, code, auth_code, why, pin, cryptogram, card_code, at, pin_epoch
		FROM issuer_authorization WHERE key = $1`, key.String()).Scan(&a.terminal, &a.attempt, &a.token, &a.amount, &currency,
		&a.state, &a.code, &a.authCode, &a.why, &a.pin, &a.cryptogram, &a.cardOK, &a.at, &a.pinEpoch)
	if errors.Is(err, sql.ErrNoRows) {
		return authorization{}, ErrNotFound
	}
	if err != nil {
		return authorization{}, fmt.Errorf("reading an authorization: %w", err)
	}
	a.currency = uint16(currency)
	return a, nil
}

// writeDecision ends a pending authorization.
func writeDecision(tx *store.Tx, key Key, state string, r Response, at int64) error {
	n, err := tx.Exec(`UPDATE issuer_authorization SET state = $1, code = $2, auth_code = $3, why = $4,
		pin = $5, cryptogram = $6, card_code = $7, changed = $8 WHERE key = $9 AND state = $10`,
		state, r.Code, r.AuthCode, r.Why, string(r.PIN), string(r.Cryptogram), string(r.CardCode), at, key.String(), statePending)
	if err != nil {
		return fmt.Errorf("writing a decision: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("%w: authorization %s is not pending", errBook, key)
	}
	return nil
}
