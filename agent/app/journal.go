package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/params"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
)

func journalCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "journal", Short: "Print every record of the journal as JSON lines", Args: cobra.NoArgs,
		Long: `journal prints every record of the journal as it is, after checking its number and
its MAC: begin, key, intent, outcome, sent, closed and so on. It asks the running
agent, or reads the file when none runs. No record holds card data beyond the
last four digits.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return printJournal(c, commandLines, func(j *journal.Journal, _ *params.Config, w io.Writer) error { return j.Lines(w) })
		},
	}
	c.AddCommand(&cobra.Command{
		Use: "export", Short: "Print every attempt as JSON lines, for the tally", Args: cobra.NoArgs,
		Long: `export prints one JSON line for each attempt, with its end: approved, declined,
cancelled, reversed, or open while a reversal has not been acknowledged. "simulator
tally" compares it with the books of host and issuer.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return printJournal(c, commandExport, func(j *journal.Journal, cfg *params.Config, w io.Writer) error {
				return j.Export(w, cfg.Terminal.ID)
			})
		},
	})
	c.AddCommand(&cobra.Command{
		Use: "checkpoints", Short: "Print the host's signed audit checkpoints", Args: cobra.NoArgs,
		Long: `checkpoints prints the newest audit checkpoint of each host node that the terminal
has signed on to, as JSON lines. They are the half of the tally that the acquirer
does not hold: "host audit verify --external FILE" finds with them when its books
were cut, rewritten or set back.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return printJournal(c, commandCheckpoints, func(j *journal.Journal, _ *params.Config, w io.Writer) error { return j.Checkpoints(w) })
		},
	})
	return c
}

// printJournal asks the running agent, or opens the journal itself.
func printJournal(c *cobra.Command, command string, read func(*journal.Journal, *params.Config, io.Writer) error) error {
	cfg, err := load(c)
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	var broken error
	err = control.Call(c.Context(), cfg.Socket, command, nil, func(line json.RawMessage) {
		if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
			broken = err
		}
	}, nil)
	if !errors.Is(err, control.ErrNotRunning) {
		return errors.Join(err, broken)
	}
	f, err := openFiles(cfg)
	if err != nil {
		return classify("the journal cannot be read", err)
	}
	if err := errors.Join(read(f.journal, cfg, out), f.close()); err != nil {
		return cli.Fail(cli.ExitIntegrity, "the journal cannot be printed", "", err)
	}
	return nil
}
