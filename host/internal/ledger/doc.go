// Package ledger is the acquirer's double-entry book (rule 6): entries come only
// from posting templates, every template sums to zero for every amount, and no
// entry is ever changed. A mistake is mended by a reversal, which is the mirror
// of its posting and linked to it.
//
// # Accounts
//
// Debits are positive, credits negative, in minor units. An account's name is a
// path; the last part is the issuer (name of the issuer or link) or the merchant
// (DE 42) that the posting names.
//
//	acquirer:receivable:<issuer>  asset      what the issuer owes us
//	merchant:payable:<merchant>   liability  what we owe the merchant
//	acquirer:suspense:<merchant>  liability  offline advices that nobody vouches for yet
//	acquirer:bank                 asset      our settlement account
//	acquirer:income:fee           income     merchant service charges
//	acquirer:expense:interchange  expense    what issuers keep of a sale
//	contingent:hold:<issuer>      off balance  pre-authorized, not yet completed
//	contingent:held:<merchant>    off balance  its other half
//
// [Chart] holds them as data, [Templates] the postings.
//
// A partial reversal (DE 95) is a reversal of the sale and a new sale of what
// remains, in one commit.
package ledger

import (
	"embed"
	"errors"

	"tallystick.example/host/internal/store"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrAmount refuses an amount outside 1 to MaxAmount.
	ErrAmount = errors.New("ledger: amount out of range")
	// ErrTemplate refuses a template that is not in Templates.
	ErrTemplate = errors.New("ledger: unknown posting template")
	// ErrPosting refuses a posting with a missing or overlong field.
	ErrPosting = errors.New("ledger: malformed posting")
	// ErrConflict means that the id belongs to another posting.
	ErrConflict = errors.New("ledger: posting id already used for another posting")
	// ErrNotFound means that there is no such posting.
	ErrNotFound = errors.New("ledger: no such posting")
)

// MaxAmount is the largest amount that DE 4 can carry: 12 digits of minor units.
// Nine million postings of it still fit into a balance.
const MaxAmount = 999_999_999_999

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of the ledger.
func Migrations() store.Set { return store.Sub("ledger", migrations, "migrations") }
