package authorize

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"tallystick.example/host/internal/store"
)

// A Record is a stored transaction. Amounts are in minor units, times in
// microseconds UTC. It holds no card data but the token.
type Record struct {
	ID, Claim, Node             string
	Terminal, Merchant, Attempt string
	MTI, STAN, Transmitted      string
	Processing, Entry           string
	Amount                      int64
	Currency                    uint16
	Token                       string
	Row                         Row
	Filed, AuthCode, Why        string
	RRN, UpSTAN, Issuer         string
	Answer                      []byte // packed without MAC, empty when none was stored
	MAC, PIN, Cryptogram        string
	CardCode, ARPC              string
	Score                       int
	Rules, Decision             string
	Received, Decided           int64
	Reversed, Confirmed         int64
}

// columns are those of card_transaction in the order of Record's insert; the two
// of the confirmation are written by confirm alone.
const columns = `id, claim, node, terminal, merchant, attempt, mti, stan, transmitted, processing, entry, amount, currency, token,
	request, reversal, subject, state, undo, rc, filed, auth_code, why, rrn, up_stan, issuer, answer,
	mac, pin, cryptogram, card_code, arpc, score, rules, decision, received, decided, reversed, confirmed`

// columnCount is the number of names in columns.
var columnCount = strings.Count(columns, ",") + 1

var insertRecord = `INSERT INTO card_transaction (` + columns + `, scripts, final_chip) VALUES ` +
	store.Values(1, columnCount+2) + ` ON CONFLICT (id) DO NOTHING`

// values are the columns of r.
func (r *Record) values() []any {
	undo := int64(0)
	if r.Row.Undo {
		undo = 1
	}
	answer := r.Answer
	if answer == nil {
		answer = []byte{}
	}
	return []any{r.ID, r.Claim, r.Node, r.Terminal, r.Merchant, r.Attempt, r.MTI, r.STAN, r.Transmitted, r.Processing, r.Entry,
		r.Amount, int64(r.Currency), r.Token, r.Row.Request.bytes(), r.Row.Reversal.bytes(), r.Row.Subject.bytes(),
		r.Row.State.String(), undo, r.Row.Code, r.Filed, r.AuthCode, r.Why, r.RRN, r.UpSTAN, r.Issuer, answer,
		r.MAC, r.PIN, r.Cryptogram, r.CardCode, r.ARPC, int64(r.Score), r.Rules, r.Decision,
		r.Received, r.Decided, r.Reversed, r.Confirmed}
}

// insert claims the identity of r; false means that the row exists.
func insert(tx *store.Tx, r *Record) (bool, error) {
	n, err := tx.Exec(insertRecord, append(r.values(), []byte{}, []byte{})...)
	if err != nil {
		return false, fmt.Errorf("writing a transaction: %w", err)
	}
	return n == 1, nil
}

// scanRecord reads the columns.
func scanRecord(scan store.Scan) (Record, error) {
	var r Record
	var currency, undo, score int64
	var request, reversal, subject []byte
	var state string
	err := scan(&r.ID, &r.Claim, &r.Node, &r.Terminal, &r.Merchant, &r.Attempt, &r.MTI, &r.STAN, &r.Transmitted, &r.Processing,
		&r.Entry, &r.Amount, &currency, &r.Token, &request, &reversal, &subject, &state, &undo, &r.Row.Code, &r.Filed,
		&r.AuthCode, &r.Why, &r.RRN, &r.UpSTAN, &r.Issuer, &r.Answer, &r.MAC, &r.PIN, &r.Cryptogram, &r.CardCode, &r.ARPC,
		&score, &r.Rules, &r.Decision, &r.Received, &r.Decided, &r.Reversed, &r.Confirmed)
	if err != nil {
		return Record{}, err
	}
	r.Currency, r.Score, r.Row.Undo = uint16(currency), int(score), undo == 1
	r.Row.Request, r.Row.Reversal, r.Row.Subject = digestOf(request), digestOf(reversal), digestOf(subject)
	r.Row.State, err = parseState(state)
	return r, err
}

// parseState reads a stored state.
func parseState(s string) (State, error) {
	for _, st := range []State{Undecided, Approved, Declined, Reversed} {
		if st.String() == s {
			return st, nil
		}
	}
	return New, fmt.Errorf("authorize: a stored transaction has the state %q", s)
}

// errNoRow means that a transaction is not stored.
var errNoRow = errors.New("authorize: no such transaction")

// lock reads a row and keeps others from it until the commit.
func lock(tx *store.Tx, id string) (Record, error) {
	r, err := scanRecord(tx.Lock(`SELECT `+columns+` FROM card_transaction WHERE id = $1`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, errNoRow
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading a transaction: %w", err)
	}
	return r, nil
}

// update writes everything that may change after the insert.
func update(tx *store.Tx, r *Record) error {
	v := r.values()
	n, err := tx.Exec(`UPDATE card_transaction SET request = $2, reversal = $3, subject = $4, state = $5, undo = $6, rc = $7,
		filed = $8, auth_code = $9, why = $10, answer = $11, pin = $12, cryptogram = $13, card_code = $14, arpc = $15,
		decided = $16, reversed = $17 WHERE id = $1`,
		r.ID, v[14], v[15], v[16], v[17], v[18], v[19], v[20], v[21], v[22], v[26], v[28], v[29], v[30], v[31], r.Decided, r.Reversed)
	if err != nil {
		return fmt.Errorf("changing a transaction: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("changing a transaction: %w", errNoRow)
	}
	return nil
}
