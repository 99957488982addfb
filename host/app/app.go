// Package app is the host as a program: commands, configuration, and the
// assembly of its parts. main and tests call [Main].
package app

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/harden"
	"tallystick.example/internal/xlog"
)

const longHelp = `host is the acquirer's side of a card payment system: it ends the terminals'
TLS, checks identity and MAC of every message, has PINs and cryptograms verified
inside an HSM boundary, scores and authorizes payments, and keeps a double-entry
ledger and an audit chain.

A first session, in a directory of its own and with test keys only:

  host init --dir h --lab
  host serve --config h/host.yaml

and in another window:

  host terminal add TERM0001 --merchant MERCHANT0000001 --csr t.csr --out t.crt --config h/host.yaml
  host terminal keys TERM0001 --out keys --config h/host.yaml
  host tx --json --config h/host.yaml

Commands that change something ask the running host over its control socket;
when none runs, they open the databases themselves, under a lock. Commands that
only read do not need a running host.

Exit codes: 0 done; 1 refused; 2 wrong arguments or configuration; 3 something
needed cannot be reached; 4 books, chain or keys do not hold together; 5 a fault
of the program.`

// Main runs the program with its arguments (without its name) and returns the
// exit code. It may be called by tests, several times and at once.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	log, err := xlog.New(stderr, "error")
	if err != nil {
		return cli.ExitInternal
	}
	// A panic is told by its kind and place only: its value may hold card data.
	defer xlog.Recover(log, "main", func() { code = cli.ExitInternal })
	if err := harden.Process(); err != nil {
		_, _ = io.WriteString(stderr, "host: the process cannot be kept from writing core files: "+err.Error()+"\n")
		return cli.ExitInternal
	}
	return cli.Run(ctx, Root(stderr), args, stdout, stderr)
}

// Root is the command tree; logs go to logs.
func Root(logs io.Writer) *cobra.Command {
	root := cli.Root("host", "Acquirer host for card terminals", longHelp)
	root.PersistentFlags().String("config", "host.yaml", "configuration `FILE`; relative paths in it are relative to it")
	root.AddCommand(initCommand(logs), serveCommand(logs), hsmCommand(logs), terminalCommand(logs), cardCommand(logs),
		txCommand(), ledgerCommand(), issuerCommand(), auditCommand(), outboxCommand(logs), specCommand(),
		checkConfigCommand(), doctorCommand())
	return root
}
