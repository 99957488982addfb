package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/device"
	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/terminal"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
)

func checkConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check-config", Short: "Check the configuration and open nothing", Args: cobra.NoArgs,
		Long: `check-config reads the configuration with the environment's overrides and names
the first fault: an unknown or doubled key, a value out of its range, or what the
mode does not allow. It opens no other file and needs no running agent. Exit code
2 when there is a fault.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			if _, err := cfg.Kernel(); err != nil {
				return cli.Fail(cli.ExitUsage, "the EMV part of the configuration cannot be used", "", err)
			}
			return cli.Print(c, map[string]string{"configuration": "good", "mode": string(cfg.Mode)},
				fmt.Sprintf("the configuration of terminal %s is good (mode %s)", cfg.Terminal.ID, cfg.Mode))
		},
	}
}

// A finding is one line of the doctor.
type finding struct {
	Name string `json:"name"`
	Good bool   `json:"good"`
	Says string `json:"says"`
	Next string `json:"next,omitempty"`
}

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check keys, books, reader and host, and say what to do", Args: cobra.NoArgs,
		Long: `doctor looks at everything that a payment needs: configuration, files and their
permissions, journal, DUKPT key, certificate, host and card reader. While an agent
runs, doctor asks it; otherwise it opens the parts itself, one after the other,
and changes nothing. It ends with exit code 1 when something is wrong.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			findings := examine(c.Context(), cfg)
			var text strings.Builder
			bad := 0
			for _, f := range findings {
				mark := "ok  "
				if !f.Good {
					mark = "BAD "
					bad++
				}
				fmt.Fprintf(&text, "%s%-13s %s\n", mark, f.Name, f.Says)
				if f.Next != "" {
					fmt.Fprintf(&text, "    %-13s next: %s\n", "", f.Next)
				}
			}
			if err := cli.Print(c, findings, strings.TrimRight(text.String(), "\n")); err != nil {
				return err
			}
			if bad > 0 {
				return cli.Fail(cli.ExitFailed, fmt.Sprintf("%d of %d checks failed", bad, len(findings)), "see the lines marked BAD", nil)
			}
			return nil
		},
	}
}

// examine asks the running agent, or looks at the parts.
func examine(ctx context.Context, cfg *params.Config) []finding {
	var s terminal.Status
	err := control.Call(ctx, cfg.Socket, commandStatus, nil, nil, &s)
	if !errors.Is(err, control.ErrNotRunning) {
		return running(s, err)
	}
	return []finding{
		verdict("directory", "private", "chmod 700 the data directory", makeDataDir(cfg)),
		books(cfg), certificate(cfg), host(ctx, cfg), reader(ctx, cfg),
		{Name: "agent", Good: true, Says: "not running"},
	}
}

// running turns the status of a running agent into findings.
func running(s terminal.Status, err error) []finding {
	if err != nil {
		return []finding{verdict("agent", "", "restart the agent", err)}
	}
	out := []finding{
		{Name: "agent", Good: true, Says: "running, mode " + s.Mode},
		{Name: "host", Good: s.HostUp, Says: s.Host},
		{Name: "reader", Good: s.Reader != "", Says: s.Reader},
		{Name: "DUKPT key", Good: s.KeysLeft > 0, Says: fmt.Sprintf("set %s, %d transactions left", s.KeySet, s.KeysLeft)},
		{Name: "reversals", Good: s.Stuck == 0, Says: fmt.Sprintf("%d waiting, %d need an operator", s.Reversals, s.Stuck)},
		{Name: "sale", Good: s.SaleReady, Says: "ready"},
	}
	if !s.SaleReady {
		out[len(out)-1].Says = s.WhyNot
	}
	return out
}

func verdict(name, good, next string, err error) finding {
	if err == nil {
		return finding{Name: name, Good: true, Says: good}
	}
	f := finding{Name: name, Says: err.Error(), Next: next}
	if c, ok := errors.AsType[*cli.Failure](err); ok && c.Next != "" {
		f.Next = c.Next
	}
	return f
}

// books opens journal and registers.
func books(cfg *params.Config) finding {
	f, err := openFiles(cfg)
	if err != nil {
		return verdict("books", "", "", classify("they cannot be opened", err))
	}
	says, open := fmt.Sprintf("%d journal records are whole", f.journal.Len()), len(f.journal.Unfinished())
	if open > 0 {
		says += fmt.Sprintf(", %d attempts to settle at the next start", open)
	}
	hasKey := f.register != nil
	if hasKey {
		says += fmt.Sprintf("; DUKPT set %s, %d transactions left", f.register.Set(), f.register.KSN().Remaining())
	}
	if err := f.close(); err != nil {
		return verdict("books", "", "", err)
	}
	if !hasKey {
		return finding{Name: "books", Says: says + "; no DUKPT key is loaded", Next: "run \"agent key load\""}
	}
	return finding{Name: "books", Good: true, Says: says}
}

func certificate(cfg *params.Config) finding {
	_, err := clientTLS(cfg)
	return verdict("certificate", "belongs to this terminal and its key", "run \"agent enroll\" and have the request signed", err)
}

// host completes a TLS handshake and sends nothing.
func host(ctx context.Context, cfg *params.Config) finding {
	config, err := clientTLS(cfg)
	if err != nil {
		return finding{Name: "host", Says: "not tried without a certificate"}
	}
	conn, err := hostlink.DialTLS(cfg.Host.Address, config)(ctx)
	if err == nil {
		err = conn.Close()
	}
	return verdict("host", "answers at "+cfg.Host.Address+" and is "+cfg.Host.ServerName, "check host.address, host.ca and the network", err)
}

// readerWithin is how long the doctor waits for the reader's firmware text.
const readerWithin = 5 * time.Second

// reader opens the line and asks for the firmware.
func reader(ctx context.Context, cfg *params.Config) finding {
	log := logrus.New()
	log.SetOutput(io.Discard) // the finding says it
	r := device.NewReader(device.Line{Path: cfg.Reader.Path, Baud: cfg.Reader.Baud, TwoStops: true, LockDir: cfg.Reader.LockDir}, log)
	ctx, cancel := context.WithTimeout(ctx, readerWithin)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	name := r.WaitReady(ctx)
	cancel()
	if err := <-done; err != nil {
		return verdict("reader", "", "", err)
	}
	if name == "" {
		return finding{Name: "reader", Says: "no answer at " + cfg.Reader.Path, Next: "check reader.path, the cable, and that no other program uses it"}
	}
	return finding{Name: "reader", Good: true, Says: name}
}
