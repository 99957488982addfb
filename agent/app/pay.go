package app

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/terminal"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
)

func payCommand() *cobra.Command {
	var a payArgs
	var noReceipt bool
	c := &cobra.Command{
		Use: "pay", Short: "Take a payment", Args: cobra.NoArgs,
		Long: `pay asks the running agent to take a payment and shows each step: insert the
card, enter the PIN, wait, outcome. The last lines are the two receipts.

Exit codes: 0 approved; 1 declined, cancelled, reversed or refused; 3 the outcome
is not known here: ask with "agent status --sale REFERENCE" before doing
anything else. A reference is paid once: the same one again gives its outcome
again and never takes money twice.

With --json every step and the outcome are one JSON object each.`,
		Example: "  agent pay --amount 12.34 --sale till1-000417\n  agent pay --amount 20 --cashback 50",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			if a.Sale == "" {
				if a.Sale, err = newReference(); err != nil {
					return cli.Fail(cli.ExitInternal, "no reference could be drawn", "", err)
				}
			}
			return runPay(c, cfg, a, noReceipt)
		},
	}
	c.Flags().StringVar(&a.Amount, "amount", "", "`AMOUNT` of the goods, such as 12.34, in the terminal's currency")
	c.Flags().StringVar(&a.Cashback, "cashback", "", "`AMOUNT` of cash to pay out on top, such as 50")
	c.Flags().StringVar(&a.Sale, "sale", "", "the till's `REFERENCE` of the sale, up to 64 characters (default: a random one)")
	c.Flags().BoolVar(&a.Trace, "trace", false, "show each step of the EMV kernel with its clause")
	c.Flags().BoolVar(&noReceipt, "no-receipt", false, "do not print the receipts")
	_ = c.MarkFlagRequired("amount") // fails only for a flag that does not exist
	return c
}

// newReference draws a sale reference.
func newReference() (string, error) {
	var b [10]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return "sale-" + strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil
}

func runPay(c *cobra.Command, cfg *params.Config, a payArgs, noReceipt bool) error {
	out := c.OutOrStdout()
	// A broken output does not stop a payment.
	show := func(raw json.RawMessage) {
		if cli.JSON(c) {
			_, _ = fmt.Fprintf(out, "%s\n", raw)
			return
		}
		var e terminal.Event
		if err := json.Unmarshal(raw, &e); err != nil {
			return
		}
		text := e.Text
		if e.Progress == terminal.PINDigits {
			text += " " + strings.Repeat("*", e.Digits)
		}
		_, _ = fmt.Fprintln(out, "> "+text)
	}
	var r terminal.Result
	if err := call(c, cfg, commandPay, a, show, &r); err != nil {
		return lostPayment(err, a.Sale)
	}
	text := describe(r)
	if !noReceipt && r.Merchant != "" {
		text += "\n\n" + r.Merchant + "\n" + strings.Repeat("- ", 20) + "\n\n" + r.Customer
	}
	if err := cli.Print(c, r, text); err != nil {
		return err
	}
	return exitOf(r)
}

// lostPayment tells a refusal from a connection that broke while the payment was
// under way.
func lostPayment(err error, sale string) error {
	if _, classified := errors.AsType[*cli.Failure](err); classified {
		return err
	}
	return cli.Fail(cli.ExitUnavailable, "the outcome is not known here", "ask with \"agent status --sale "+sale+"\" before doing anything else", err)
}

// exitOf is the exit code of an outcome.
func exitOf(r terminal.Result) error {
	switch r.Outcome {
	case "approved":
		return nil
	case "open":
		return cli.Fail(cli.ExitUnavailable, "the payment is not decided yet", "ask again in a moment", nil)
	}
	why := r.Reason
	if why == "" {
		why = r.Outcome
	}
	return cli.Fail(cli.ExitFailed, "not approved: "+why, "", nil)
}

// describe is an outcome in one line.
func describe(r terminal.Result) string {
	s := strings.ToUpper(r.Outcome)
	if r.Test {
		s = "TEST " + s
	}
	if r.Card != "" {
		s += fmt.Sprintf(", card **** %s", r.Card)
	}
	for _, p := range [][2]string{{"STAN", r.STAN}, {"RRN", r.RRN}, {"authorization", r.Auth}, {"response code", r.RC}} {
		if p[1] != "" {
			s += ", " + p[0] + " " + p[1]
		}
	}
	if r.Reason != "" && r.Outcome != "approved" {
		s += ": " + r.Reason
	}
	return s + " (sale " + r.Sale + ")"
}

func abortCommand() *cobra.Command {
	return &cobra.Command{
		Use: "abort", Short: "Stop the payment under way", Args: cobra.NoArgs,
		Long: `abort stops the payment that the agent is serving. One whose request has left
for the host is reversed; "agent pay" then says so.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			var r struct {
				Stopped bool `json:"stopped"`
			}
			if err := call(c, cfg, commandAbort, nil, nil, &r); err != nil {
				return err
			}
			text := "no payment is under way"
			if r.Stopped {
				text = "the payment is being stopped"
			}
			return cli.Print(c, r, text)
		},
	}
}

// call asks the running agent and classifies what goes wrong.
func call(c *cobra.Command, cfg *params.Config, command string, args any, onEvent func(json.RawMessage), result any) error {
	err := control.Call(c.Context(), cfg.Socket, command, args, onEvent, result)
	if e, refused := errors.AsType[*control.Error](err); refused {
		return cli.Fail(e.Exit, e.What, e.Next, nil)
	}
	if errors.Is(err, control.ErrNotRunning) {
		return cli.Fail(cli.ExitUnavailable, "the agent is not running", "start it with \"agent serve\"", err)
	}
	return err
}
