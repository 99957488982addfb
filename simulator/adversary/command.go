package adversary

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/terminal"
)

// Command is `simulator adversary`.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "adversary",
		Short: "Attack a running host as bad terminals would",
		Long: `Attacks a running host from the side of the terminals and reports as JSON what it
answered. Use it against a host of the lab only: it spends money, PIN tries and
keys of the terminals and cards that it is given.

A --terminal is a JSON file that names what "host terminal add" and "host
terminal keys" have made: terminal, merchant, certificate, key, ca, server_name,
address, block, components. A --card names files and values of a card with chip:
pan, pin, imk, expiry, psn, profile (visa_cvn10 or visa_cvn18). Paths are relative
to the JSON file. A terminal's counters begin anew each time, so give each run
fresh key sets.

The exit code is 0 when the host gave every documented answer, 4 when it did not.`,
	}
	c.AddCommand(raceCommand(), crowdCommand(), inputCommand(), effectsCommand())
	return c
}

// loaded are terminals and cards of the command line.
type loaded struct {
	terminals, cards []string
}

func (l *loaded) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&l.terminals, "terminal", nil, "`FILE` of a terminal; given again for more")
	c.Flags().StringArrayVar(&l.cards, "card", nil, "`FILE` of a card; given again for more")
}

// load reads at least so many of both.
func (l *loaded) load(terminals, cards int) (ts []*terminal.Terminal, cs []*terminal.Card, err error) {
	if len(l.terminals) < terminals || len(l.cards) < cards {
		return nil, nil, cli.Fail(cli.ExitUsage, fmt.Sprintf("this needs %d --terminal and %d --card", terminals, cards), "", nil)
	}
	for _, path := range l.terminals {
		t, err := terminal.Load(path)
		if err != nil {
			return nil, nil, cli.Fail(cli.ExitUsage, "a terminal cannot be used", "see simulator adversary --help", err)
		}
		ts = append(ts, t)
	}
	for _, path := range l.cards {
		c, err := terminal.LoadCard(path)
		if err != nil {
			return nil, nil, cli.Fail(cli.ExitUsage, "a card cannot be used", "see simulator adversary --help", err)
		}
		cs = append(cs, c)
	}
	return ts, cs, nil
}

// report prints a report and gives the exit code.
func report(c *cobra.Command, r any, faults int, err error) error {
	if err := json.NewEncoder(c.OutOrStdout()).Encode(r); err != nil {
		return err
	}
	switch {
	case err != nil:
		return cli.Fail(cli.ExitUnavailable, "the attack did not come to its end", "is the host running, and are the key sets fresh?", err)
	case faults > 0:
		return cli.Fail(cli.ExitIntegrity, fmt.Sprintf("the host failed %d times", faults), "see the report", nil)
	}
	return nil
}

func raceCommand() *cobra.Command {
	var l loaded
	var o RaceOptions
	c := &cobra.Command{
		Use: "race", Short: "Send original, repeats and reversals of each sale at once", Args: cobra.NoArgs,
		Long: `Sends original, repeats and reversals of each sale at once over several
connections. Afterwards hold the report against the books with "simulator
adversary effects".`,
		RunE: func(c *cobra.Command, _ []string) error {
			ts, cs, err := l.load(1, 1)
			if err != nil {
				return err
			}
			o.PIN = string(cs[0].PIN.Expose())
			r, err := Race(c.Context(), ts[0], cs[0], o)
			return report(c, r, len(r.Violations), err)
		},
	}
	l.flags(c)
	c.Flags().IntVar(&o.Rounds, "rounds", 100, "sales")
	c.Flags().IntVar(&o.Links, "links", 4, "connections for each sale, 2 to 8")
	c.Flags().IntVar(&o.Workers, "workers", 2, "sales at once")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "of the order of messages")
	return c
}

func crowdCommand() *cobra.Command {
	var l loaded
	var minor int64
	var tries int
	var wrong bool
	c := &cobra.Command{
		Use: "crowd", Short: "Hold one card at many terminals at once", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ts, cs, err := l.load(2, 1)
			if err != nil {
				return err
			}
			s := terminal.Sale{Card: cs[0], Minor: minor, PIN: string(cs[0].PIN.Expose())}
			if wrong {
				s.PIN = otherPIN(s.PIN)
				r, err := WrongPINs(c.Context(), ts, s, tries)
				return report(c, r, len(r.Violations), err)
			}
			r, err := Crowd(c.Context(), ts, s)
			return report(c, r, len(r.Violations), err)
		},
	}
	l.flags(c)
	c.Flags().Int64Var(&minor, "minor", 100, "amount of each sale, minor units; the account holds it once")
	c.Flags().BoolVar(&wrong, "wrong-pin", false, "type a wrong PIN everywhere")
	c.Flags().IntVar(&tries, "tries", 3, "PIN tries of the card")
	return c
}

// otherPIN is a PIN of the same length that differs in its first digit.
func otherPIN(pin string) string {
	if pin == "" {
		return "0000"
	}
	return string('0'+(pin[0]-'0'+1)%10) + pin[1:]
}

func inputCommand() *cobra.Command {
	var l loaded
	var b Bench
	c := &cobra.Command{
		Use: "input", Short: "Send every kind of bad input, while a good terminal pays", Args: cobra.NoArgs,
		Long: `Sends every kind of bad input from the first --terminal with the first --card,
while the second pays with the second.`,
		RunE: func(c *cobra.Command, _ []string) error {
			ts, cs, err := l.load(2, 2)
			if err != nil {
				return err
			}
			b.Bad, b.Good, b.BadCard, b.GoodCard = ts[0], ts[1], cs[0], cs[1]
			b.BadPIN, b.GoodPIN = string(cs[0].PIN.Expose()), string(cs[1].PIN.Expose())
			r, err := b.Run(c.Context())
			return report(c, r, len(r.Failed()), err)
		},
	}
	l.flags(c)
	c.Flags().DurationVar(&b.Patience, "patience", 0, "how long the end of a connection is waited for (default 30s)")
	return c
}

func effectsCommand() *cobra.Command {
	var raced string
	c := &cobra.Command{
		Use: "effects --race FILE EXPORT…", Short: "Hold raced sales against the exports of ledger and issuer", Args: cobra.MinimumNArgs(1),
		Example: "  host ledger export > ledger.jsonl; host issuer export > issuer.jsonl\n  simulator adversary effects --race race.json ledger.jsonl issuer.jsonl",
		RunE: func(c *cobra.Command, paths []string) error {
			b, err := os.ReadFile(raced)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the race cannot be read", "give --race a report of simulator adversary race", err)
			}
			var r RaceReport
			if err := json.Unmarshal(b, &r); err != nil || len(r.Attempts) == 0 {
				return cli.Fail(cli.ExitUsage, "the race cannot be read", "give --race a report of simulator adversary race", err)
			}
			faults, err := checkFiles(r.Attempts, paths)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "an export cannot be read", "make them with host ledger export and host issuer export", err)
			}
			return report(c, map[string]any{"attempts": len(r.Attempts), "faults": append([]string{}, faults...)}, len(faults), nil)
		},
	}
	c.Flags().StringVar(&raced, "race", "", "`FILE` with the report of a race")
	_ = c.MarkFlagRequired("race") // fails only for a flag that does not exist
	return c
}

func checkFiles(attempts []Attempt, paths []string) (faults []string, err error) {
	var in []io.Reader
	for _, path := range paths {
		f, openErr := os.Open(path)
		if openErr != nil {
			return nil, openErr
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = append(in, f)
	}
	return CheckEffects(attempts, in...)
}
