package issuer

import (
	"context"
	"errors"
	"fmt"

	"tallystick.example/internal/hsm/api"
)

// A Key names one authorization between acquirer and issuer for ever.
type Key struct {
	Node string // acquirer's node, 1 to 16 characters
	STAN string // upstream STAN, 6 digits
	RRN  string // DE 37, 12 digits
}

// String is the key as text.
func (k Key) String() string { return k.Node + "/" + k.STAN + "/" + k.RRN }

// A Request asks for an authorization that posts at once (0200).
type Request struct {
	Key      Key
	Terminal string // DE 41
	Attempt  string // hex attempt id, for the export only
	Merchant string // DE 42
	Entry    string // DE 22, 3 digits
	Amount   int64  // minor units, more than zero
	Currency uint16 // ISO 4217 numeric
	Token    string // stands for the PAN
	Expiry   string // YYMM as the card said
	PSN      string // two digits, empty when the card gave none

	// Handle names the opened message in the boundary that holds PIN block and
	// cryptogram; HasPIN and HasCryptogram tell what it holds.
	Handle                api.Handle
	HasPIN, HasCryptogram bool
	ATC                   uint16 // 9F36
	Cryptogram            []byte // 9F26, 8 bytes

	At int64 // microseconds UTC
}

// A Response is the issuer's decision.
type Response struct {
	Approved bool
	Code     string // DE 39
	AuthCode string // DE 38, 6 characters, when approved
	// Why says in a few words what the code hides, for operators; never card data.
	Why string
	// PIN, Cryptogram and CardCode are what the boundary found.
	PIN        api.PINVerdict
	Cryptogram api.CryptogramVerdict
	CardCode   api.CardCodeVerdict
}

// A Reversal takes back whatever became of an authorization.
type Reversal struct {
	Key      Key
	Terminal string
	Attempt  string
	Amount   int64
	Currency uint16
	At       int64
}

// An Issuer decides authorizations. All methods are safe for concurrent use.
type Issuer interface {
	// Name is the issuer's or link's name in ledger accounts, 1 to 20 characters.
	Name() string
	// Authorize decides req. It is idempotent by Key: asked again it gives the
	// same response. An error means that nobody knows whether it was approved:
	// the caller reverses.
	Authorize(ctx context.Context, req Request) (Response, error)
	// Reauthenticate has the cryptogram of a repeated message verified once more,
	// so that the boundary can make the ARPC of the stored answer again. It
	// decides and changes nothing.
	Reauthenticate(ctx context.Context, req Request) (api.CryptogramVerdict, error)
	// Reverse undoes an authorization, whatever became of it. It is idempotent,
	// and one that overtakes its authorization is remembered. An error means:
	// ask again.
	Reverse(ctx context.Context, rev Reversal) error
}

// Errors that callers tell apart.
var (
	ErrExists   = errors.New("issuer: exists already")
	ErrNotFound = errors.New("issuer: unknown")
)

// DE 39 values that the on-us issuer gives.
const (
	codeApproved     = "00"
	codeDoNotHonour  = "05"
	codeUnknownCard  = "14"
	codeLost         = "41"
	codeStolen       = "43"
	codeFunds        = "51"
	codeExpired      = "54"
	codePINWrong     = "55"
	codeNotPermitted = "57"
	codeRestricted   = "62"
	codeLate         = "68"
	codePINTries     = "75"
	codeCryptogram   = "82"
	codeUnavailable  = "91"
	codeFault        = "96"
)

// check reports a request that no caller may send.
func (r Request) check() error {
	switch {
	case r.Key.Node == "" || r.Key.STAN == "" || r.Key.RRN == "":
		return errors.New("issuer: the key of a request is not complete")
	case r.Amount <= 0 || r.Amount > 999_999_999_999:
		return fmt.Errorf("issuer: amount out of range")
	case r.Token == "":
		return errors.New("issuer: a request without token")
	case r.HasCryptogram && len(r.Cryptogram) != 8:
		return errors.New("issuer: a cryptogram has 8 bytes")
	}
	return nil
}
