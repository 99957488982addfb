// Package ledger is the acquirer's double-entry book (rule 6): entries come only
// from posting templates, every template sums to zero for every amount, and no
// entry is ever changed.
package ledger

import (
	"context"
	"errors"
	"io"

	"tallystick.example/host/internal/store"
)

var errSkeleton = errors.New("ledger: under construction")

// Errors that callers tell apart.
var (
	ErrAmount   = errors.New("ledger: amount out of range")
	ErrTemplate = errors.New("ledger: unknown posting template")
	ErrConflict = errors.New("ledger: posting id already used for another posting")
	ErrNotFound = errors.New("ledger: no such posting")
)

// Template names.
const (
	Sale            = "sale"             // purchase, cashback, cash advance, completion, tip: issuer owes us, we owe the merchant
	Refund          = "refund"           // the other way round
	Fee             = "fee"              // merchant service charge, from the merchant to us
	Interchange     = "interchange"      // what the issuer keeps
	OfflineSuspense = "offline_suspense" // advice whose TC cannot be verified or over limits
	SuspenseRelease = "suspense_release" // suspense to the merchant
	SettleIssuer    = "settle_issuer"    // the issuer pays us
	SettleMerchant  = "settle_merchant"  // we pay the merchant
	Hold            = "hold"             // pre-authorization, off balance sheet
	HoldRelease     = "hold_release"     // its end, by completion or release
	Chargeback      = "chargeback"       // a dispute takes a sale back
	Representment   = "representment"    // a dispute is won
	Reversal        = "reversal"         // mirror of another posting; only Reverse makes it
)

// A Posting is one use of a template.
type Posting struct {
	ID       string // unique for ever; chosen by the caller (row identity + step), 1 to 120 characters
	Template string
	Terminal string // DE 41, empty when no terminal is involved
	Attempt  string // hex attempt id, or the identity of a client that sends none
	Merchant string // DE 42
	Issuer   string // name of the issuer or link
	Amount   int64  // minor units, 1 to 999,999,999,999
	Currency uint16 // ISO 4217 numeric
	At       int64  // microseconds UTC
}

// Migrations are the tables of the ledger.
func Migrations() store.Set { return store.Set{} }

// Post writes p's entries. It is idempotent by ID: the same posting again gives
// false and nil, another one under the same ID ErrConflict.
func Post(tx *store.Tx, p Posting) (posted bool, err error) { return false, errSkeleton }

// Reverse writes the mirror of the posting id, at most once: a second call
// gives false and nil. A posting that does not exist is ErrNotFound.
func Reverse(tx *store.Tx, id string, at int64) (reversed bool, err error) { return false, errSkeleton }

// A Report is the result of Check.
type Report struct {
	Postings, Entries int64
	Sums              map[uint16]int64 // per currency; all zero in a sound ledger
	Findings          []string         // empty in a sound ledger
}

// Check proves the ledger.
func Check(ctx context.Context, st *store.Store) (Report, error) { return Report{}, errSkeleton }

// Export writes every entry as a JSON line, in posting order.
func Export(ctx context.Context, st *store.Store, w io.Writer) error { return errSkeleton }

// Balance sums one account in one currency.
func Balance(q store.Querier, account string, currency uint16) (int64, error) { return 0, errSkeleton }
