package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/gateway"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/ledger"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/rrn"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/host/internal/token"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xtls"
)

// ErrUnknown is what a commit is reported with whose outcome nobody knows.
var ErrUnknown = store.ErrUnknown

// PartsOptions says what the parts of a simulated host are made of. All fields
// are required.
type PartsOptions struct {
	Folder   string // of both SQLite databases
	Node     string
	Boundary api.HSM // of the lab: test keys
	Rules    []byte  // of the fraud score
	Random   io.Reader
	Now      func() time.Time
	// IssuerWithin and AnswerWithin are the host's times.
	IssuerWithin, AnswerWithin time.Duration
}

// Parts are what a Core works on: the real databases, issuer and boundary, used
// from one goroutine and without fsync. They exist for simulations in the lab; the
// running host is put together by its command.
type Parts struct {
	o       PartsOptions
	books   *store.Store
	audit   *audit.Log
	numbers *rrn.Allocator
	rules   *score.Rules
}

// An OnUs is the issuer of a simulation, with a database that outlives the host's
// process, as the book of any issuer does.
type OnUs struct {
	*issuer.OnUs
	st *store.Store
}

// Close closes the issuer's book.
func (i *OnUs) Close() error { return i.st.Close() }

// openLab opens an SQLite database of a simulation.
func openLab(ctx context.Context, path, node string, sets []store.Set) (*store.Store, error) {
	return store.Open(ctx, store.Config{Path: path, Node: node, Sets: sets, Lab: true, UnsafeNoSync: true, ReserveMiB: -1,
		Fatal: func(err error) { panic("app: a database of a simulation failed: " + err.Error()) }})
}

// OpenOnUs opens the issuer's book.
func OpenOnUs(ctx context.Context, o PartsOptions) (*OnUs, error) {
	st, err := openLab(ctx, filepath.Join(o.Folder, "issuer.db"), o.Node, []store.Set{issuer.Migrations()})
	if err != nil {
		return nil, err
	}
	i, err := issuer.NewOnUs(st, o.Boundary, o.Random)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &OnUs{i, st}, nil
}

// OpenParts opens the books as a starting host does, and gives the Core of its
// start.
func OpenParts(ctx context.Context, o PartsOptions) (*Parts, *Core, error) {
	rules, err := score.ParseRules(o.Rules)
	if err != nil {
		return nil, nil, err
	}
	st, err := openLab(ctx, filepath.Join(o.Folder, "host.db"), o.Node, sets())
	if err != nil {
		return nil, nil, err
	}
	log, err := audit.Open(ctx, st, o.Now().UnixMicro())
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	p := &Parts{o: o, books: st, audit: log, numbers: rrn.New(st, rrnBlock), rules: rules}
	auth := authorize.NewCore(authorize.CoreConfig{Node: o.Node, Audit: log, Issuer: onUsName, Rules: rules,
		IssuerWithin: o.IssuerWithin, AnswerWithin: o.AnswerWithin, OutboxTries: 1000})
	return p, newCore(auth, log.Newest), nil
}

// onUsName is the issuer's name in the ledger; see issuer.OnUs.
const onUsName = "onus"

// Close closes the books.
func (p *Parts) Close() error { return p.books.Close() }

// Do carries out an action at once and returns the event that it brings, nil for
// none. Ask, Offer and Pause are the simulation's own.
func (p *Parts) Do(ctx context.Context, issuer *OnUs, a Action) Event {
	switch a := a.(type) {
	case Gateway:
		if in := p.gateway(ctx, a); in != nil {
			return GatewayDid{a.Exchange, in}
		}
	case Authorize:
		if in := p.authorize(ctx, issuer, a.Order); in != nil {
			return AuthorizeDid{in}
		}
	}
	return nil
}

func (p *Parts) gateway(ctx context.Context, a Gateway) gateway.Input {
	switch o := a.Order.(type) {
	case gateway.LookUp:
		sets, err := gateway.Registered(ctx, p.books, a.Print, a.Who, o)
		return gateway.LookedUp{KeySets: sets, Err: err}
	case gateway.Open:
		opened, err := p.o.Boundary.Open(ctx, o.Request)
		return gateway.OpenDone{Opened: opened, Err: err}
	case gateway.Seal:
		s, err := p.o.Boundary.Seal(ctx, o.Request)
		return gateway.SealDone{Sealed: s, Err: err}
	case gateway.Release:
		_ = p.o.Boundary.Release(ctx, o.Handle) // it dies by itself
	}
	return nil
}

func (p *Parts) authorize(ctx context.Context, issuer *OnUs, o authorize.Order) authorize.Input {
	switch o := o.(type) {
	case authorize.Number:
		n, err := p.numbers.Next(ctx)
		return authorize.Numbered{Call: o.Call, RRN: n, Err: err}
	case Commit:
		if o.Sale {
			return Committed{Call: o.Call, Err: p.books.DoSale(ctx, o.Name, o.Fn)}
		}
		return Committed{Call: o.Call, Err: p.books.Do(ctx, o.Name, o.Fn)}
	case authorize.Read:
		return authorize.ReadDone{Call: o.Call, Err: p.books.Read(ctx, o.Fn)}
	case authorize.Verify:
		v, err := issuer.Reauthenticate(ctx, o.Request)
		return authorize.Verified{Call: o.Call, Verdict: v, Err: err}
	}
	return nil
}

// AddTerminal registers a terminal with its certificate and one key set under a
// base key of the boundary.
func (p *Parts) AddTerminal(ctx context.Context, who xtls.Identity, print []byte, set api.KeySet) error {
	at := p.o.Now()
	return p.books.Do(ctx, "app.terminal.add", func(tx *store.Tx) error {
		return errors.Join(
			terminals.Register(tx, terminals.Terminal{ID: who.Terminal, Merchant: who.Merchant, Status: terminals.Active, Since: at.UnixMicro()}),
			terminals.AddCertificate(tx, who.Terminal, print, at.AddDate(1, 0, 0).UnixMicro()),
			terminals.AddKeySet(tx, who.Terminal, set))
	})
}

// LabCard is a test card to issue.
type LabCard struct {
	PAN, PIN, IMK secret.Secret // IMK is clear: a test key
	PSN, Expiry   string
	Profile       string // cryptogram profile
	Currency      uint16
	Balance       int64
}

// AddCard issues a test card with an account.
func (p *Parts) AddCard(ctx context.Context, i *OnUs, c LabCard) error {
	at := p.o.Now().UnixMicro()
	imk, err := p.o.Boundary.ImportClear(ctx, api.ImportClear{Spec: api.KeySpec{Usage: "E0", Algorithm: "T", Mode: "X", Bytes: c.IMK.Len()}, Key: c.IMK})
	if err != nil {
		return err
	}
	pvk, err := p.o.Boundary.GenerateKey(ctx, api.KeySpec{Usage: "V2", Algorithm: "T", Mode: "C", Bytes: 16})
	if err != nil {
		return err
	}
	card, err := p.o.Boundary.Personalize(ctx, api.Personalize{PAN: c.PAN, PIN: c.PIN, PSN: c.PSN, Expiry: c.Expiry, Profile: c.Profile, PVK: pvk.Block, CodeAt: 5})
	if err != nil {
		return err
	}
	var tok string
	if err := p.books.Do(ctx, "app.card.add", func(tx *store.Tx) error {
		var err error
		tok, _, err = token.Resolve(tx, card.Card)
		return err
	}); err != nil {
		return err
	}
	account := "account-" + card.Card.LastFour
	if err := errors.Join(i.PutKey(ctx, "imk-"+account, imk, at), i.PutKey(ctx, "pvk-"+account, pvk, at)); err != nil {
		return err
	}
	if err := i.AddCard(ctx, issuer.NewCard{Token: tok, Account: account, Reference: card.Reference, IMK: "imk-" + account, PVK: "pvk-" + account,
		Expiry: c.Expiry, PSN: c.PSN, PINTries: 3, Currency: c.Currency, Balance: c.Balance, At: at}); err != nil {
		return fmt.Errorf("issuing a card: %w", err)
	}
	return nil
}

// Export writes the acquirer's books as JSON lines: transactions and ledger.
func (p *Parts) Export(ctx context.Context, w io.Writer) error {
	return errors.Join(authorize.Export(ctx, p.books, w), ledger.Export(ctx, p.books, w))
}

// Open counts what is not settled: undecided rows and reversals to issuers.
func (p *Parts) Open(ctx context.Context) (int64, error) {
	h, err := authorize.Look(ctx, p.books)
	return h.Undecided + h.Waiting + h.Manual, err
}

// Check holds the ledger against itself; an empty list is right.
func (p *Parts) Check(ctx context.Context) ([]string, error) {
	r, err := ledger.Check(ctx, p.books)
	return r.Findings, err
}
