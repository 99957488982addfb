// Package demo shows the main job of the system with nothing faked: a chip card
// in a reader on a serial line, a typed PIN, and an acquirer that approves the
// payment; then the ways it can go wrong. Every value it states is read from the
// program that decided it.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
)

// options of the command.
type options struct {
	dukpt, card, pin, amount, broken, evidence, dir, bin string
}

// defaultCard is the card of the demo.
const defaultCard = "visa-chip"

const long = `Runs one chip-and-PIN payment through separate processes: card, reader on a
pseudo-terminal, keypad, agent, network, host with its HSM boundary, issuer. It
shows reader frames, APDUs with decoded tags, the messages field by field, the
boundary's verdicts, the score, the postings, the card's last word and the
receipt. Then, in the same run: a wrong PIN, a decline by rule, and an answer
that never comes.

With --json it prints one object, whose values are taken from the program that
decided each: approved and stan and rrn from the agent, pin_verified and
arqc_verified and score from host tx, arpc_verified and cryptogram_final from the
card's log, ledger_sum and tallies_match from the exported books. The key
"sources" says so.

--break turns one verdict, and shows that nothing else does:

  pin          a wrong PIN is typed                  DE 39 = 55
  issuer-key   card and issuer hold different keys   DE 39 = 82
  arpc         the card refuses the issuer's answer  approved, then reversed
  mac          a message with a wrong MAC            DE 39 = 63
  ksn-replay   a second message under a used KSN     DE 39 = 63
  certificate  a terminal speaks for another one     no answer, connection ends
  ledger       one cent is changed in the ledger     the tally finds it
  reversal     no answer and no acknowledgement      the reversal stays pending`

// Command is "simulator demo".
func Command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use: "demo", Short: "Show one payment through every part, and how it can go wrong", Long: long, Args: cobra.NoArgs,
		Example: "  simulator demo\n  simulator demo --json --dukpt tdes\n  simulator demo --json --break pin",
		RunE:    func(c *cobra.Command, _ []string) error { return run(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.dukpt, "dukpt", "aes", "DUKPT scheme of the terminal: aes or tdes")
	f.StringVar(&o.card, "card", defaultCard, "card: built-in name or YAML `FILE` (see simulator card show)")
	f.StringVar(&o.pin, "pin", "", "`PIN` that the cardholder types (default: the card's)")
	f.StringVar(&o.amount, "amount", "12.34", "`AMOUNT` of the sale")
	f.StringVar(&o.broken, "break", "", "what to break: "+strings.Join(breakNames(), ", "))
	f.StringVar(&o.evidence, "evidence", "", "`DIR` for raw messages, APDUs and the test keys, so that others can recompute everything")
	f.StringVar(&o.dir, "dir", "", "`DIR` to build the system in and to keep (default: a temporary one, removed)")
	f.StringVar(&o.bin, "bin", "", "`DIR` with the programs agent and host (default: beside this program)")
	return c
}

func run(c *cobra.Command, o options) (err error) {
	if o.dukpt != "aes" && o.dukpt != "tdes" {
		return cli.Fail(cli.ExitUsage, fmt.Sprintf("--dukpt is %q, want aes or tdes", o.dukpt), "", nil)
	}
	if _, known := breaks[o.broken]; o.broken != "" && !known {
		return cli.Fail(cli.ExitUsage, fmt.Sprintf("--break is %q, want one of %s", o.broken, strings.Join(breakNames(), ", ")), "", nil)
	}
	if err := o.find(); err != nil {
		return err
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "tally")
		if err != nil {
			return cli.Fail(cli.ExitUnavailable, "no temporary folder", "set TMPDIR or use --dir", err)
		}
		defer func() {
			if rmErr := os.RemoveAll(dir); err == nil && rmErr != nil {
				err = rmErr
			}
		}()
		o.dir = filepath.Join(dir, "lab")
	}
	d := &demo{o: o, out: c.OutOrStdout(), quiet: cli.JSON(c)}
	result, err := d.run(c.Context())
	if err != nil {
		return fail(err)
	}
	if cli.JSON(c) {
		if err := json.NewEncoder(c.OutOrStdout()).Encode(result); err != nil {
			return err
		}
	}
	return d.judge(result)
}

// find sets the folder of agent and host.
func (o *options) find() error {
	if o.bin == "" {
		self, err := os.Executable()
		if err != nil {
			return cli.Fail(cli.ExitUnavailable, "this program's folder is not known", "use --bin", err)
		}
		o.bin = filepath.Dir(self)
	}
	for _, p := range []string{"agent", "host", "simulator"} {
		if _, err := os.Stat(filepath.Join(o.bin, p)); err != nil {
			return cli.Fail(cli.ExitUnavailable, "the program "+p+" is not in "+o.bin, "run make build, or use --bin", nil)
		}
	}
	return nil
}

func fail(err error) error {
	if errors.Is(err, context.Canceled) {
		return cli.Fail(cli.ExitFailed, "interrupted", "", nil)
	}
	if f, ok := errors.AsType[*cli.Failure](err); ok {
		return f
	}
	return cli.Fail(cli.ExitFailed, "the demo stopped", "use --dir DIR to keep the logs, then read DIR/logs", err)
}
