// Package token maps the boundary's keyed look-up value of a PAN to its token
// and keeps the sealed PAN (rule 10).
package token

import (
	"errors"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

var errSkeleton = errors.New("token: under construction")

// ErrNotFound means that no card has the token.
var ErrNotFound = errors.New("token: unknown token")

// A Record is what the host knows of a card.
type Record struct {
	Token    string
	Sealed   []byte // the PAN, sealed by the boundary with the token as associated data
	BIN      string
	LastFour string
}

// Migrations are the tables of the vault.
func Migrations() store.Set { return store.Set{} }

// Resolve gives the token of card. A card that is new is stored under the
// fresh token that the boundary proposed.
func Resolve(tx *store.Tx, card api.Card) (tokenID string, isNew bool, err error) {
	return "", false, errSkeleton
}

// Get reads the record of a token, or ErrNotFound.
func Get(q store.Querier, tokenID string) (Record, error) { return Record{}, errSkeleton }

// Reseal replaces the sealed PAN, when it still is old: key rotation online.
func Reseal(tx *store.Tx, tokenID string, old, sealed []byte) (changed bool, err error) {
	return false, errSkeleton
}
