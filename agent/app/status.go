package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/receipt"
	"tallystick.example/agent/internal/terminal"
	"tallystick.example/internal/cli"
)

func statusCommand() *cobra.Command {
	var a saleArgs
	c := &cobra.Command{
		Use: "status", Short: "Tell how the terminal, or one sale, is", Args: cobra.NoArgs,
		Long: `status tells whether the terminal can take a payment, and why not. With --sale it
tells what became of one sale, with the receipts, and ends with the exit code
that "agent pay" would have had: this is how a till that lost its answer learns
the truth.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			if a.Sale != "" {
				var r terminal.Result
				if err := call(c, cfg, commandSale, a, nil, &r); err != nil {
					return err
				}
				if err := cli.Print(c, r, describe(r)+"\n\n"+r.Merchant); err != nil {
					return err
				}
				return exitOf(r)
			}
			var s terminal.Status
			if err := call(c, cfg, commandStatus, nil, nil, &s); err != nil {
				return err
			}
			return cli.Print(c, s, statusText(s))
		},
	}
	c.Flags().StringVar(&a.Sale, "sale", "", "`REFERENCE` of a sale")
	return c
}

func statusText(s terminal.Status) string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-12s %s\n", name, value) }
	line("terminal", s.Terminal+" of merchant "+s.Merchant+", mode "+s.Mode)
	line("host", s.Host)
	reader := s.Reader
	if reader == "" {
		reader = "not connected"
	}
	line("reader", reader)
	line("PIN pad", map[bool]string{true: "yes", false: "none"}[s.PINPad])
	key := "none loaded"
	if s.KeySet != "" {
		key = fmt.Sprintf("set %s, counter %d, %d transactions left", s.KeySet, s.Counter, s.KeysLeft)
	}
	line("DUKPT key", key)
	line("reversals", fmt.Sprintf("%d waiting, %d need an operator", s.Reversals, s.Stuck))
	line("journal", fmt.Sprintf("%d records", s.Records))
	ready := "yes"
	if !s.SaleReady {
		ready = "no: " + s.WhyNot
	}
	line("can sell", ready)
	return strings.TrimRight(b.String(), "\n")
}

func reversalsCommand() *cobra.Command {
	c := &cobra.Command{Use: "reversals", Short: "See and push the reversals that are owed to the host"}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List the reversals that the host has not acknowledged", Args: cobra.NoArgs,
		Long: `list shows each reversal with the number of its attempt, STAN, amount, reason, how
often it was sent, and whether it is stuck: sent reversals.stuck_after times, or
refused by the host. A stuck one is an operator's item at both ends.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			var list []terminal.Owed
			if err := call(c, cfg, commandReversals, nil, nil, &list); err != nil {
				return err
			}
			cur := cfg.Currency()
			text := fmt.Sprintf("%d reversals are owed", len(list))
			for _, o := range list {
				text += fmt.Sprintf("\nattempt %d  %s  STAN %s  %s  sent %d times  %s", o.Attempt, time.UnixMicro(o.Since).Format(time.DateTime),
					o.STAN, receipt.Money(o.Amount, cur.MinorUnits, cur.Alphabetic), o.Tries, o.Reason)
				if o.Stuck != "" {
					text += "  NEEDS AN OPERATOR: " + o.Stuck
				}
			}
			return cli.Print(c, list, text)
		},
	}, retryCommand())
	return c
}

func retryCommand() *cobra.Command {
	var a retryArgs
	c := &cobra.Command{
		Use: "retry", Short: "Send a reversal again that the host has refused", Args: cobra.NoArgs,
		Long: `retry sends a reversal again at once, also one that the host has refused for good.
Do this after the host's operators have cleared the reason.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			if err := call(c, cfg, commandRetry, a, nil, nil); err != nil {
				return err
			}
			return cli.Print(c, a, fmt.Sprintf("the reversal of attempt %d is being sent", a.Attempt))
		},
	}
	c.Flags().Uint64Var(&a.Attempt, "attempt", 0, "`NUMBER` from \"agent reversals list\"")
	_ = c.MarkFlagRequired("attempt") // fails only for a flag that does not exist
	return c
}
