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
)

// cardStatusArgs are those of card.status.
type cardStatusArgs struct {
	Token  string `json:"token"`
	Status string `json:"status"`
}

// cardArgs name a card of the built-in issuer.
type cardArgs struct {
	Token string `json:"token"`
}

// cardStatus blocks a card or makes it active again.
func cardStatus(ctx context.Context, n *node, a cardStatusArgs) (cardStatusArgs, error) {
	if !issuer.IsStatus(a.Status) {
		return cardStatusArgs{}, cli.Fail(cli.ExitUsage, "a card cannot be "+a.Status, "active, blocked, lost or stolen", nil)
	}
	if err := n.note(ctx, "card.status", a.Token, a.Status); err != nil {
		return cardStatusArgs{}, classified("the status cannot be written down", err)
	}
	if err := n.onus.SetStatus(ctx, a.Token, a.Status); err != nil {
		return cardStatusArgs{}, cardFailure("the status cannot be changed", err)
	}
	return a, nil
}

// resetPIN gives a card its PIN tries back, and lets the boundary's brake go.
func resetPIN(ctx context.Context, n *node, a cardArgs) (cardArgs, error) {
	var lookup [32]byte
	err := n.books.Do(ctx, "app.card.reset-pin", func(tx *store.Tx) error {
		var err error
		if lookup, err = token.Lookup(tx, a.Token); err != nil {
			return err
		}
		_, err = n.audit.Append(tx, audit.Entry{Kind: "card.reset-pin", Actor: actor(ctx), Object: a.Token, At: n.now()})
		return err
	})
	if err != nil {
		return cardArgs{}, cardFailure("the PIN tries cannot be reset", err)
	}
	if err := n.hsm.ClearPINBrake(ctx, lookup); err != nil {
		return cardArgs{}, boundaryFailure(err)
	}
	if err := n.onus.ResetPIN(ctx, a.Token); err != nil {
		return cardArgs{}, cardFailure("the PIN tries cannot be reset", err)
	}
	return a, nil
}

func cardFailure(what string, err error) error {
	if errors.Is(err, issuer.ErrNotFound) || errors.Is(err, token.ErrNotFound) {
		return cli.Fail(cli.ExitFailed, what+": no card has this token", "see host card list", nil)
	}
	return classified(what, err)
}

func cardStatusCommand(logs io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "status TOKEN active|blocked|lost|stolen", Short: "Block a card or make it active again", Args: cobra.ExactArgs(2),
		Long: `status changes what the built-in issuer answers to the next payment of a card:
blocked gives 62, lost 41, stolen 43, active lets it pay. TOKEN stands for the
card number: host card list and host tx show it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var r cardStatusArgs
			if err := do(cmd, logs, "card.status", cardStatusArgs{args[0], args[1]}, &r); err != nil {
				return err
			}
			return cli.Print(cmd, r, "card "+r.Token+" is "+r.Status)
		},
	}
}

func cardResetPINCommand(logs io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "reset-pin TOKEN", Short: "Give a card all its PIN tries back", Args: cobra.ExactArgs(1),
		Long: `reset-pin gives a card that answers 75 all its PIN tries back, and sets the count
of wrong PINs that the HSM boundary keeps on its own to zero. The PIN stays as it
is. TOKEN stands for the card number: host card list and host tx show it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var r cardArgs
			if err := do(cmd, logs, "card.reset-pin", cardArgs{args[0]}, &r); err != nil {
				return err
			}
			return cli.Print(cmd, r, "card "+r.Token+" has all its PIN tries again")
		},
	}
}

// listedCard is a line of card list.
type listedCard struct {
	issuer.Listed
	BIN      string `json:"bin"`
	LastFour string `json:"last_four"`
}

func cardListCommand() *cobra.Command {
	return reading("list", "Show the cards of the built-in issuer", `list shows each card with its token, BIN and last four digits, account, expiry,
status and the PIN tries that are left.`,
		func(cmd *cobra.Command, n *node) error {
			cards, err := n.onus.Cards(cmd.Context())
			if err != nil {
				return classified("the cards cannot be read", err)
			}
			return n.books.Read(cmd.Context(), func(q store.Querier) error {
				for _, c := range cards {
					t, err := token.Get(q, c.Token)
					if err != nil && !errors.Is(err, token.ErrNotFound) {
						return err
					}
					l := listedCard{c, t.BIN, t.LastFour}
					if err := cli.Print(cmd, l, fmt.Sprintf("%s  %s…%s  %s  expires %s  %-7s  %d of %d PIN tries",
						l.Token, l.BIN, l.LastFour, l.Account, l.Expiry, l.Status, l.PINLeft, l.PINLimit)); err != nil {
						return err
					}
				}
				return nil
			})
		})
}
