package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/ledger"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
)

// txView is a transaction as `host tx --json` and the lab's trace show it.
type txView struct {
	STAN     string          `json:"stan"`
	RRN      string          `json:"rrn"`
	Terminal string          `json:"terminal"`
	Merchant string          `json:"merchant"`
	Attempt  string          `json:"attempt"`
	MTI      string          `json:"mti"`
	Amount   int64           `json:"amount"`
	Currency string          `json:"currency"`
	Token    string          `json:"token"`
	State    string          `json:"state"`
	RC       string          `json:"rc"`
	Filed    string          `json:"filed"`
	Why      string          `json:"why,omitempty"`
	AuthCode string          `json:"auth_code,omitempty"`
	MAC      string          `json:"mac"`
	PIN      string          `json:"pin"`
	ARQC     string          `json:"arqc"`
	CardCode string          `json:"card_code"`
	ARPC     string          `json:"arpc"`
	Score    int             `json:"score"`
	Action   string          `json:"action,omitempty"`
	Reasons  json.RawMessage `json:"reasons"`
	Features json.RawMessage `json:"features,omitempty"`
	Rules    string          `json:"rules_version"`
	Issuer   string          `json:"issuer"`
	UpSTAN   string          `json:"upstream_stan"`
	Postings []postingView   `json:"postings"`
	Received int64           `json:"received"`
	Decided  int64           `json:"decided"`
	Reversed int64           `json:"reversed"`
	Confirm  int64           `json:"confirmed"`
}

// postingView names a posting that the transaction led to.
type postingView struct {
	Template string `json:"template"`
	Amount   int64  `json:"amount"`
}

// view shows a record.
func view(r authorize.Record) txView {
	v := txView{STAN: r.STAN, RRN: r.RRN, Terminal: r.Terminal, Merchant: r.Merchant, Attempt: r.Attempt, MTI: r.MTI,
		Amount: r.Amount, Currency: fmt.Sprintf("%03d", r.Currency), Token: r.Token, State: r.Row.State.String(), RC: r.Row.Code,
		Filed: r.Filed, Why: r.Why, AuthCode: r.AuthCode, MAC: r.MAC, PIN: r.PIN, ARQC: r.Cryptogram, CardCode: r.CardCode,
		ARPC: r.ARPC, Score: r.Score, Rules: r.Rules, Issuer: r.Issuer, UpSTAN: r.UpSTAN, Postings: []postingView{},
		Received: r.Received, Decided: r.Decided, Reversed: r.Reversed, Confirm: r.Confirmed, Reasons: json.RawMessage("[]")}
	var d struct {
		Action   string          `json:"action"`
		Reasons  json.RawMessage `json:"reasons"`
		Features json.RawMessage `json:"features"`
	}
	if err := json.Unmarshal([]byte(r.Decision), &d); err == nil && d.Reasons != nil {
		v.Action, v.Reasons, v.Features = d.Action, d.Reasons, d.Features
	}
	// A posting stands exactly where an approval was, also one that was undone.
	if r.Row.State == authorize.Approved || r.Row.State == authorize.Reversed && r.Row.Code == authorize.CodeApproved {
		v.Postings = append(v.Postings, postingView{ledger.Sale, r.Amount})
		if r.Row.State == authorize.Reversed {
			v.Postings = append(v.Postings, postingView{"reversal", r.Amount})
		}
	}
	return v
}

func txCommand() *cobra.Command {
	var f authorize.Filter
	c := &cobra.Command{
		Use: "tx", Short: "Show transactions, newest first", Args: cobra.NoArgs,
		Long: `tx shows stored transactions, newest first. With --json one object per line: stan,
rrn, terminal, attempt, amount (minor units), state (undecided, approved,
declined, reversed), rc (DE 39), verdicts of MAC, PIN, cryptogram (arqc) and card
code, whether an ARPC was made, score with reasons and version of the rules, and
times in microseconds UTC. No card number is stored, so none is shown.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer n.closeReader()
			found, err := authorize.Find(cmd.Context(), n.books, f)
			if err != nil {
				return cli.Fail(cli.ExitUnavailable, "the transactions cannot be read", "", err)
			}
			if n.cfg.Mode == conf.Lab && !cli.JSON(cmd) {
				fmt.Fprintln(cmd.OutOrStdout(), "TEST: lab mode, test keys only")
			}
			for _, r := range found {
				if err := cli.Print(cmd, view(r), line(r)); err != nil {
					return err
				}
			}
			if len(found) == 0 && !cli.JSON(cmd) {
				return cli.Print(cmd, nil, "no transaction found")
			}
			return nil
		},
	}
	c.Flags().StringVar(&f.Terminal, "terminal", "", "only those of terminal `TID` (DE 41)")
	c.Flags().StringVar(&f.STAN, "stan", "", "only those with this `STAN` (DE 11, 6 digits)")
	c.Flags().StringVar(&f.RRN, "rrn", "", "only that with this `RRN` (DE 37)")
	c.Flags().IntVar(&f.Limit, "limit", 100, "at most `N`")
	return c
}

// line shows a record to people.
func line(r authorize.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  STAN %s  RRN %s  %9d.%02d %03d  %-9s", time.UnixMicro(r.Received).UTC().Format(time.DateTime),
		r.Terminal, r.STAN, r.RRN, r.Amount/100, r.Amount%100, r.Currency, r.Row.State)
	if r.Row.Code != "" {
		fmt.Fprintf(&b, "  %s", r.Row.Code)
	}
	fmt.Fprintf(&b, "  score %d", r.Score)
	if r.Why != "" {
		fmt.Fprintf(&b, "  (%s)", r.Why)
	}
	return b.String()
}
