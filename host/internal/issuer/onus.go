package issuer

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"time"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

//go:embed sql/*.sql
var migrations embed.FS

// Migrations are the tables of the on-us issuer, for a database of its own.
func Migrations() store.Set { return store.Sub("issuer", migrations, "sql") }

// A Verifier checks PIN and cryptogram inside the boundary; api.Boundary is one.
type Verifier interface {
	Verify(context.Context, api.VerifyRequest) (api.Verdict, error)
}

// OnUs is the built-in issuer. It is safe for concurrent use.
type OnUs struct {
	st   *store.Store
	hsm  Verifier
	rand io.Reader
}

// NewOnUs returns the issuer over its own database st. rand makes authorization
// codes and must be safe for concurrent use.
func NewOnUs(st *store.Store, hsm Verifier, rand io.Reader) (*OnUs, error) {
	if st == nil || hsm == nil || rand == nil {
		return nil, errors.New("issuer: store, verifier and randomness are required")
	}
	return &OnUs{st: st, hsm: hsm, rand: rand}, nil
}

var _ Issuer = (*OnUs)(nil)

// Name is the name of the built-in issuer in the acquirer's ledger.
func (o *OnUs) Name() string { return "onus" }

// decideWithin bounds the second commit when the caller's time is over: what the
// boundary could not answer is still written down.
const decideWithin = 2 * time.Second

// Authorize decides in two commits: the first takes the PIN try, the second
// closes it by the verdict, and decides and posts on what is then committed
// (rule 9 of the tally). In between the boundary verifies.
func (o *OnUs) Authorize(ctx context.Context, req Request) (Response, error) {
	if err := req.check(); err != nil {
		return Response{}, err
	}
	code, err := o.authCode()
	if err != nil {
		return Response{}, err
	}
	begun, err := o.begin(ctx, req)
	if err != nil {
		return Response{}, err
	}
	if begun.decided {
		return begun.response, nil
	}
	found := o.verify(ctx, req, begun)
	if ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
		defer cancel()
		ctx = late
	}
	var out Response
	err = o.st.DoSale(ctx, "issuer.decide", func(tx *store.Tx) error {
		var err error
		out, err = decide(tx, req, found, code)
		return err
	})
	if err != nil {
		return Response{}, fmt.Errorf("deciding an authorization: %w", err)
	}
	return out, nil
}

// findings are what the boundary said, or the code and the reason of an
// authorization on which it said nothing.
type findings struct {
	api.Verdict
	code, why string
}

// nothing is the verdict of a boundary that was not asked or gave none.
var nothing = api.Verdict{PIN: api.PINNone, Cryptogram: api.CryptogramNone, CardCode: api.CardCodeNone, ReferenceOK: true}

// verify asks the boundary for everything that the message carries. A boundary
// that refuses or cannot be reached is a finding too, so that the authorization
// ends as declined.
func (o *OnUs) verify(ctx context.Context, req Request, b begun) findings {
	ask := api.VerifyRequest{
		Handle: req.Handle, Reference: b.card.reference,
		IMK: b.card.imk, PVK: b.card.pvk, CVK: b.card.cvk,
		PIN:        req.HasPIN && b.card.pvk != "",
		Cryptogram: req.HasCryptogram && b.card.imk != "",
		CardCode:   b.card.cvk != "",
	}
	if !ask.PIN && !ask.Cryptogram && !ask.CardCode {
		return findings{Verdict: nothing}
	}
	v, err := o.hsm.Verify(ctx, ask)
	switch {
	case err == nil:
		return findings{Verdict: v}
	case errors.Is(err, api.ErrUnavailable) || ctx.Err() != nil:
		return findings{Verdict: nothing, code: codeUnavailable, why: "the boundary could not be asked"}
	}
	return findings{Verdict: nothing, code: codeFault, why: "the boundary refused to verify"}
}

// Reauthenticate is described at [Issuer].
func (o *OnUs) Reauthenticate(ctx context.Context, req Request) (api.CryptogramVerdict, error) {
	var c card
	err := o.st.Read(ctx, func(q store.Querier) error {
		var err error
		c, err = readCard(q.QueryRow, req.Token)
		if err != nil {
			return err
		}
		return c.fillKeys(q)
	})
	if errors.Is(err, ErrNotFound) {
		return api.CryptogramNone, nil
	}
	if err != nil {
		return "", err
	}
	if !req.HasCryptogram || c.imkName == "" {
		return api.CryptogramNone, nil
	}
	v, err := o.hsm.Verify(ctx, api.VerifyRequest{Handle: req.Handle, Reference: c.reference, IMK: c.imk, Cryptogram: true})
	if err != nil {
		return "", fmt.Errorf("verifying a cryptogram again: %w", err)
	}
	return v.Cryptogram, nil
}

// authCode makes DE 38: six random decimal digits.
func (o *OnUs) authCode() (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(o.rand, b[:]); err != nil {
		return "", fmt.Errorf("making an authorization code: %w", err)
	}
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return fmt.Sprintf("%06d", n%1_000_000), nil
}
