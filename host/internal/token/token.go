// Package token maps the boundary's keyed look-up value of a PAN to its token
// and keeps the sealed PAN (rule 10). It never sees a PAN.
package token

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound means that no card has the token.
	ErrNotFound = errors.New("token: unknown token")
	// ErrCard means that the boundary gave card data that cannot be stored. Its
	// text carries no values.
	ErrCard = errors.New("token: malformed card from the boundary")
)

// A Record is what the host keeps of a card.
type Record struct {
	Token    string
	Sealed   []byte // the PAN, sealed by the boundary with the token as associated data
	BIN      string // 8 digits, 6 for PANs shorter than 16
	LastFour string
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of the vault.
func Migrations() store.Set { return store.Sub("token", migrations, "migrations") }

// Resolve gives the token of card, the same for the same PAN for ever. A card
// that is new is stored under the fresh token that the boundary proposed. Two
// nodes that meet the same new card at once agree on one token.
func Resolve(tx *store.Tx, card api.Card) (tokenID string, isNew bool, err error) {
	if err := check(card); err != nil {
		return "", false, err
	}
	if id, err := byLookup(tx, card.Lookup); err != nil || id != "" {
		return id, false, err
	}
	n, err := tx.Exec(`INSERT INTO token_lookup (lookup, token) VALUES ($1, $2) ON CONFLICT (lookup) DO NOTHING`, card.Lookup[:], card.NewToken)
	if err != nil {
		return "", false, fmt.Errorf("storing a look-up value: %w", err)
	}
	if n == 0 { // another node came first
		id, err := byLookup(tx, card.Lookup)
		if err == nil && id == "" {
			err = errors.New("token: a look-up value is taken but cannot be read")
		}
		return id, false, err
	}
	if _, err := tx.Exec(`INSERT INTO token (token, sealed, bin, last_four) VALUES ($1, $2, $3, $4)`,
		card.NewToken, card.NewSealed, card.BIN, card.LastFour); err != nil {
		return "", false, fmt.Errorf("storing a token: %w", err)
	}
	return card.NewToken, true, nil
}

// check refuses what would make a card unusable or readable: an empty seal or
// token, or more digits than may be kept.
func check(c api.Card) error {
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	switch {
	case c.Lookup == [32]byte{}:
		return fmt.Errorf("%w: no look-up value", ErrCard)
	case len(c.NewToken) < 16 || len(c.NewToken) > 64 || len(c.NewSealed) == 0:
		return fmt.Errorf("%w: no token or no sealed PAN", ErrCard)
	case (len(c.BIN) != 6 && len(c.BIN) != 8) || len(c.LastFour) != 4 || !digits(c.BIN) || !digits(c.LastFour):
		return fmt.Errorf("%w: BIN or last four digits", ErrCard)
	}
	return nil
}

// byLookup finds a token, or "".
func byLookup(q store.Querier, lookup [32]byte) (string, error) {
	var id string
	err := q.QueryRow(`SELECT token FROM token_lookup WHERE lookup = $1`, lookup[:]).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("looking a card up: %w", err)
	}
	return id, nil
}

// Lookup reads the keyed look-up value of a token, or ErrNotFound.
func Lookup(q store.Querier, tokenID string) (lookup [32]byte, err error) {
	var b []byte
	err = q.QueryRow(`SELECT lookup FROM token_lookup WHERE token = $1`, tokenID).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return lookup, ErrNotFound
	}
	if err == nil && copy(lookup[:], b) != len(lookup) {
		err = errors.New("token: a look-up value of the wrong length")
	}
	if err != nil {
		return lookup, fmt.Errorf("reading a look-up value: %w", err)
	}
	return lookup, nil
}

// Get reads the record of a token, or ErrNotFound.
func Get(q store.Querier, tokenID string) (Record, error) {
	r := Record{Token: tokenID}
	err := q.QueryRow(`SELECT sealed, bin, last_four FROM token WHERE token = $1`, tokenID).Scan(&r.Sealed, &r.BIN, &r.LastFour)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading a token: %w", err)
	}
	return r, nil
}

// Reseal replaces the sealed PAN when it still is old: sealing keys are rotated
// online, and two nodes may meet at one card.
func Reseal(tx *store.Tx, tokenID string, old, sealed []byte) (changed bool, err error) {
	if len(sealed) == 0 {
		return false, fmt.Errorf("%w: no sealed PAN", ErrCard)
	}
	n, err := tx.Exec(`UPDATE token SET sealed = $3 WHERE token = $1 AND sealed = $2`, tokenID, old, sealed)
	if err != nil {
		return false, fmt.Errorf("resealing: %w", err)
	}
	return n == 1, nil
}

// Page lists up to limit records after a token in order, for a rotation that
// goes on where it stopped; the first page is after "".
func Page(q store.Querier, after string, limit int) ([]Record, error) {
	var page []Record
	err := q.Each(func(scan store.Scan) error {
		var r Record
		err := scan(&r.Token, &r.Sealed, &r.BIN, &r.LastFour)
		page = append(page, r)
		return err
	}, `SELECT token, sealed, bin, last_four FROM token WHERE token > $1 ORDER BY token LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return page, nil
}
