// Package app is the agent's command line: agent/main.go and the end-to-end
// tests both call Main.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/keyfile"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/register"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/harden"
)

// defaultConfig is read when --config is not given.
const defaultConfig = "/etc/tallystick/agent.yaml"

// Main runs the agent with the arguments after the program's name and returns
// the exit code. Nothing in it ends the process or reads flags of its own.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		// The value of a panic may hold anything: only its type is shown. Nobody is left
		// to tell if that cannot be written.
		if v := recover(); v != nil {
			_, _ = fmt.Fprintf(stderr, "agent: an internal fault (%T)\n", v)
			code = cli.ExitInternal
		}
	}()
	if err := harden.Process(); err != nil {
		_, _ = fmt.Fprintln(stderr, "agent:", err) // nobody is left to tell if this fails
		return cli.ExitInternal
	}
	return cli.Run(ctx, Root(stderr), args, stdout, stderr)
}

// Root is the command tree of the agent. Logs go to logs.
func Root(logs io.Writer) *cobra.Command {
	c := cli.Root("agent", "Run a card terminal", `agent runs a card terminal: card reader on a serial line, EMV, DUKPT, a journal
that survives power loss, and ISO 8583 over mutual TLS to the host.

To set a terminal up:
  agent enroll               make device key, TLS key and certificate request
  agent key load …           load the initial DUKPT key that the host has made
  agent doctor               check everything
  agent serve                run

Then, from the till:
  agent pay --amount 12.34   take a payment
  agent status               see how the terminal is

A payment is never lost and never doubled: what "agent pay" could not tell,
"agent status --sale REFERENCE" tells later.

Exit codes: 0 done, or approved; 1 refused, declined or not possible; 2 wrong
arguments or configuration; 3 not known here, or something needed cannot be
reached; 4 journal or registers do not hold together; 5 a fault of the program.`)
	c.PersistentFlags().String("config", defaultConfig, "configuration `FILE`; agent/sample.yaml documents every key")
	c.AddCommand(serveCommand(logs), payCommand(), abortCommand(), statusCommand(), journalCommand(), reversalsCommand(),
		keyCommand(), enrollCommand(), checkConfigCommand(), importEMVCommand(), doctorCommand())
	return c
}

// load reads the configuration that the command line names.
func load(c *cobra.Command) (*params.Config, error) {
	path, err := c.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	cfg, err := params.Load(path, os.Environ())
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the configuration cannot be used", "correct it; agent/sample.yaml documents every key", err)
	}
	return cfg, nil
}

// Mistakes that a crash test plants, to prove that it finds them. They count in
// lab mode only: the first switches fsync off, the second sends a request before
// its intent is durable.
const (
	unsafeNoSync    = "TALLYSTICK_UNSAFE_NOSYNC"
	unsafeSendFirst = "TALLYSTICK_UNSAFE_SEND_FIRST"
)

func planted(cfg *params.Config, name string) bool {
	return cfg.Mode == conf.Lab && os.Getenv(name) == "1"
}

func noSync(cfg *params.Config) bool { return planted(cfg, unsafeNoSync) }

// classify maps errors of the parts to exit codes and next steps.
func classify(what string, err error) error {
	switch {
	case errors.Is(err, journal.ErrCorrupt), errors.Is(err, register.ErrDamaged):
		return cli.Fail(cli.ExitIntegrity, what, "take the terminal out of service, keep its data directory as evidence, and give it a new key", err)
	case errors.Is(err, journal.ErrUnknown), errors.Is(err, register.ErrUnknown):
		return cli.Fail(cli.ExitUnavailable, what, "check the disk and start the agent again: it finds out what is durable", err)
	case errors.Is(err, journal.ErrLocked):
		return cli.Fail(cli.ExitUnavailable, what, "stop the running agent first", err)
	case errors.Is(err, register.ErrNoKey):
		return cli.Fail(cli.ExitFailed, what, "have the host make a key set, then run \"agent key load\"", err)
	case errors.Is(err, register.ErrSameKey):
		return cli.Fail(cli.ExitFailed, what, "have the host make a new key set for this terminal", err)
	case errors.Is(err, os.ErrNotExist), errors.Is(err, keyfile.ErrPermissions), errors.Is(err, os.ErrPermission):
		return cli.Fail(cli.ExitUsage, what, "run \"agent doctor\"", err)
	}
	return cli.Fail(cli.ExitInternal, what, "", err)
}
