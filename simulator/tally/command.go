package tally

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
)

// Command is `simulator tally`.
func Command() *cobra.Command {
	var wires []string
	c := &cobra.Command{
		Use:   "tally FILE...",
		Short: "Prove that journal, ledger and issuer's book match to the cent",
		Long: `Reads the exports of terminals, acquirer and issuer, in any number of files and
any order, and proves that they match: every attempt has one end and the same
everywhere, amounts are equal, each approval moved its amount exactly once in
both books, everything else moved nothing, and the ledger sums to zero. With
--wire it also reads recorded messages: no KSN twice, no request twice, nothing
sent that was not written first.

It ends with exit code 0 when everything matches and 4 when anything does not.`,
		Example: `  agent journal export --config agent.yaml > agent.jsonl
  host ledger export --config host.yaml > host.jsonl
  host issuer export --config host.yaml > issuer.jsonl
  simulator tally agent.jsonl host.jsonl issuer.jsonl`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			var b Books
			for _, f := range files {
				if err := with(f, func(r io.Reader) error { return b.Add(f, r) }); err != nil {
					return cli.Fail(cli.ExitUsage, "an export cannot be read", "export it again", err)
				}
			}
			for _, f := range wires {
				if err := with(f, func(r io.Reader) error { return b.AddWire(f, r) }); err != nil {
					return cli.Fail(cli.ExitUsage, "a recorded wire cannot be read", "", err)
				}
			}
			return show(c, Check(b))
		},
	}
	c.Flags().StringArrayVar(&wires, "wire", nil, "recorded wire, JSON lines with dir and raw; may be given more than once")
	return c
}

func with(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return read(f)
}

func show(c *cobra.Command, r Report) error {
	w := c.OutOrStdout()
	if cli.JSON(c) {
		if err := json.NewEncoder(w).Encode(r); err != nil {
			return err
		}
	} else {
		for _, f := range r.Findings {
			fmt.Fprintf(w, "%-24s terminal %s attempt %s: %s\n", f.Rule, f.Terminal, f.Attempt, f.Text)
		}
		fmt.Fprintf(w, "%d attempts %v, %d transactions, ledger sum %v\n", r.Attempts, r.Ends, r.Transactions, r.LedgerSum)
	}
	if !r.Match {
		return cli.Fail(cli.ExitIntegrity, fmt.Sprintf("the books differ in %d places", len(r.Findings)),
			"look up each attempt with host tx and agent journal", nil)
	}
	if !cli.JSON(c) {
		fmt.Fprintln(w, "the tallies match")
	}
	return nil
}
