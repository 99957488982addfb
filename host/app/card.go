package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/token"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/hsm/api"
	pure "tallystick.example/internal/pure/secret"
	"tallystick.example/internal/secret"
)

// addCardArgs are those of card.add; secrets are named by absolute path.
type addCardArgs struct {
	PANFile  string `json:"pan_file"`
	PINFile  string `json:"pin_file"`
	IMKFile  string `json:"imk_file"`
	CVKFile  string `json:"cvk_file"`
	PSN      string `json:"psn"`
	Expiry   string `json:"expiry"`
	Profile  string `json:"profile"`
	Account  string `json:"account"`
	Currency int    `json:"currency"`
	Balance  int64  `json:"balance"`
	Credit   int64  `json:"credit"`
	Tries    int    `json:"tries"`
	CodeAt   int    `json:"code_at"`
	Codes    bool   `json:"codes"` // check card codes under the issuer's own key
}

// addCardResult is what may be known of the card.
type addCardResult struct {
	Token    string `json:"token"`
	Account  string `json:"account"`
	BIN      string `json:"bin"`
	LastFour string `json:"last_four"`
}

// addCard issues a card of the built-in issuer: reference record from the
// boundary, token, card and account.
func addCard(ctx context.Context, n *node, a addCardArgs) (addCardResult, error) {
	if a.Currency < 1 || a.Currency > 999 {
		return addCardResult{}, cli.Fail(cli.ExitUsage, "the currency is not an ISO 4217 number", "such as 978", nil)
	}
	p, err := n.personalize(ctx, a)
	if err != nil {
		return addCardResult{}, err
	}
	imk, err := n.issuerKey(ctx, a.IMKFile, keyIMK, "E0", "X", a.Profile != "")
	if err != nil {
		return addCardResult{}, err
	}
	cvk, err := n.issuerKey(ctx, a.CVKFile, keyCVK, "C0", "C", a.Codes || a.CVKFile != "")
	if err != nil {
		return addCardResult{}, err
	}
	var tok string
	err = n.books.Do(ctx, "app.card.add", func(tx *store.Tx) error {
		var err error
		if tok, _, err = token.Resolve(tx, p.Card); err != nil {
			return err
		}
		_, err = n.audit.Append(tx, audit.Entry{Kind: "card.add", Actor: actor(ctx), Object: tok, Detail: "account " + a.Account, At: n.now()})
		return err
	})
	if err != nil {
		return addCardResult{}, classified("the card cannot be stored", err)
	}
	c := issuer.NewCard{Token: tok, Account: a.Account, Reference: p.Reference, IMK: imk, CVK: cvk, Expiry: a.Expiry, PSN: a.PSN,
		PINTries: a.Tries, Currency: uint16(a.Currency), Balance: a.Balance, CreditLimit: a.Credit, At: n.now()}
	if a.PINFile != "" {
		c.PVK = keyPVK
	}
	if err := n.onus.AddCard(ctx, c); err != nil {
		return addCardResult{}, cli.Fail(cli.ExitFailed, "the issuer did not take the card", "a card is issued once", err)
	}
	return addCardResult{Token: tok, Account: a.Account, BIN: p.Card.BIN, LastFour: p.Card.LastFour}, nil
}

// personalize has the boundary make the reference record.
func (n *node) personalize(ctx context.Context, a addCardArgs) (api.Personalized, error) {
	pan, err := secret.ReadFile(a.PANFile)
	if err != nil {
		return api.Personalized{}, cli.Fail(cli.ExitUsage, "the card number cannot be read", "a file of mode 0600 with its digits", err)
	}
	defer pan.Wipe()
	req := api.Personalize{PAN: pan, PSN: a.PSN, Expiry: a.Expiry, Profile: a.Profile, CodeAt: a.CodeAt}
	if a.PINFile != "" {
		if req.PIN, err = secret.ReadFile(a.PINFile); err != nil {
			return api.Personalized{}, cli.Fail(cli.ExitUsage, "the PIN cannot be read", "a file of mode 0600 with its digits", err)
		}
		defer req.PIN.Wipe()
		if req.PVK, err = n.onus.Key(ctx, keyPVK); err != nil {
			return api.Personalized{}, cli.Fail(cli.ExitUsage, "the issuer has no PIN verification key", "host init makes one", err)
		}
	}
	p, err := n.hsm.Personalize(ctx, req)
	if err != nil {
		return api.Personalized{}, boundaryFailure(err)
	}
	return p, nil
}

// issuerKey gives the name of an issuer key: one imported from a file of the lab
// under its check value, or the issuer's own; empty when none is needed.
func (n *node) issuerKey(ctx context.Context, file, own, usage, mode string, needed bool) (string, error) {
	if !needed {
		return "", nil
	}
	if file == "" {
		if _, err := n.onus.Key(ctx, own); err != nil {
			return "", cli.Fail(cli.ExitUsage, "the issuer has no key "+own, "host init makes one", err)
		}
		return own, nil
	}
	clearKey, err := readComponent(file)
	if err != nil {
		return "", cli.Fail(cli.ExitUsage, "the issuer key cannot be read", "hexadecimal digits in a file of mode 0600", err)
	}
	defer clearKey.Wipe()
	k, err := n.importKey(ctx, usage, mode, clearKey)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("lab.%s.%s", usage, k.KCV)
	if err := n.onus.PutKey(ctx, name, k, n.now()); err != nil && !errors.Is(err, issuer.ErrExists) {
		return "", classified("the issuer key cannot be stored", err)
	}
	return name, nil
}

func (n *node) importKey(ctx context.Context, usage, mode string, k pure.Secret) (api.Key, error) {
	out, err := n.hsm.ImportClear(ctx, api.ImportClear{Spec: api.KeySpec{Usage: usage, Algorithm: "T", Mode: mode, Bytes: k.Len()}, Key: k})
	if err != nil {
		return api.Key{}, boundaryFailure(err)
	}
	return out, nil
}

func cardCommand(logs io.Writer) *cobra.Command {
	c := &cobra.Command{Use: "card", Short: "Issue, list and block cards of the built-in issuer"}
	c.AddCommand(cardAddCommand(logs), cardStatusCommand(logs), cardResetPINCommand(logs), cardListCommand())
	return c
}

func cardAddCommand(logs io.Writer) *cobra.Command {
	var a addCardArgs
	c := &cobra.Command{
		Use: "add", Short: "Issue a card with its account", Args: cobra.NoArgs,
		Long: `add issues a card of the built-in issuer: the HSM boundary makes its sealed
reference record, the host stores a token for its number, and the issuer opens
the account with a balance. Card number, PIN and keys are read from files with
mode 0600 and appear nowhere else. --imk and --cvk bring clear keys of a test
card in, which only mode lab allows; without --imk a chip card is issued under
the issuer's own master key.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, p := range []*string{&a.PANFile, &a.PINFile, &a.IMKFile, &a.CVKFile} {
				var err error
				if *p, err = absolute(*p); err != nil {
					return err
				}
			}
			var r addCardResult
			if err := do(cmd, logs, "card.add", a, &r); err != nil {
				return err
			}
			return cli.Print(cmd, r, fmt.Sprintf("card ending in %s issued: token %s, account %s", r.LastFour, r.Token, r.Account))
		},
	}
	f := c.Flags()
	f.StringVar(&a.PANFile, "pan", "", "`FILE` with the card number")
	f.StringVar(&a.PINFile, "pin", "", "`FILE` with the PIN; none: a card without PIN")
	f.StringVar(&a.IMKFile, "imk", "", "`FILE` with the issuer master key of a test card (hex)")
	f.StringVar(&a.CVKFile, "cvk", "", "`FILE` with the card verification key of a test card (hex)")
	f.BoolVar(&a.Codes, "check-codes", false, "check card verification values, under --cvk or the issuer's own key")
	f.StringVar(&a.PSN, "psn", "00", "PAN sequence number, two `DIGITS`")
	f.StringVar(&a.Expiry, "expiry", "", "expiry, `YYMM`")
	f.StringVar(&a.Profile, "profile", "", "cryptogram profile `NAME`, such as visa_cvn18; none: a card without chip")
	f.StringVar(&a.Account, "account", "", "account `ID`; opened when it is new")
	f.IntVar(&a.Currency, "currency", 978, "currency of the account, ISO 4217 `NUMBER`")
	f.Int64Var(&a.Balance, "balance", 0, "opening balance in minor `UNITS`")
	f.Int64Var(&a.Credit, "credit", 0, "how far below zero the account may go, minor `UNITS`")
	f.IntVar(&a.Tries, "tries", 3, "PIN tries, `N` from 1 to 15")
	f.IntVar(&a.CodeAt, "code-at", 5, "`N`, where the card verification value begins behind the service code of track 2")
	for _, name := range []string{"pan", "expiry", "account"} {
		_ = c.MarkFlagRequired(name) // fails only for a flag that does not exist
	}
	return c
}
