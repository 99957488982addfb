package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/ledger"
	"tallystick.example/host/internal/score"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
	"tallystick.example/internal/xtls"
)

func checkConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check-config", Short: "Check the configuration without starting anything", Args: cobra.NoArgs,
		Long: `check-config reads the configuration, the boundary's, the rules and the
certificates, and names every fault. Exit code 2 when there is one.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			if faults := cfg.faults(); len(faults) > 0 {
				return cli.Fail(cli.ExitUsage, "the configuration has faults:\n  "+strings.Join(faults, "\n  "), "", nil)
			}
			return cli.Print(cmd, map[string]any{"faults": []string{}}, "the configuration holds")
		},
	}
}

// faults are what the files that the configuration names have wrong.
func (c *Config) faults() []string {
	var out []string
	add := func(err error) {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	if text, err := os.ReadFile(c.path(c.Rules)); err != nil {
		add(fmt.Errorf("rules: %w", err))
	} else {
		_, err := score.ParseRules(text)
		add(err)
	}
	if c.HSM.Config != "" {
		hc, err := readBoundaryConfig(c.path(c.HSM.Config))
		add(err)
		if err == nil && hc.Mode != c.Mode {
			add(errors.New("hsm: the boundary's configuration has mode " + string(hc.Mode)))
		}
	}
	for key, p := range map[string]string{"tls.certificate": c.TLS.Certificate, "tls.client_ca": c.TLS.ClientCA} {
		add(c.certificate(key, p))
	}
	return out
}

// certificate checks one certificate of the configuration.
func (c *Config) certificate(key, path string) error {
	text, err := os.ReadFile(c.path(path))
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	cert, err := xtls.ParseCertificate(text)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if time.Now().After(cert.NotAfter) {
		return fmt.Errorf("%s: the certificate expired on %s", key, cert.NotAfter.Format(time.DateOnly))
	}
	if err := c.acceptTest(xtls.IsTest(cert), key); err != nil {
		return err
	}
	return nil
}

// A finding is a line of doctor.
type finding struct {
	What  string `json:"what"`
	State string `json:"state"` // ok, warning, fault
	Text  string `json:"text"`
}

// soon is how long before its end a certificate is warned of.
const soon = 30 * 24 * time.Hour

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Examine this host and say what needs care", Args: cobra.NoArgs,
		Long: `doctor looks at configuration, certificates, books, running host, undecided and
unconfirmed transactions and reversals that wait for operators. Exit code 1 when
something is at fault; warnings do not change it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			found := examine(cmd, cfg)
			bad := 0
			for _, f := range found {
				if f.State == "fault" {
					bad++
				}
				if err := cli.Print(cmd, f, fmt.Sprintf("%-8s %-14s %s", f.State, f.What, f.Text)); err != nil {
					return err
				}
			}
			if bad > 0 {
				return cli.Fail(cli.ExitFailed, fmt.Sprintf("%d faults were found", bad), "see the lines above", nil)
			}
			return nil
		},
	}
}

// examine makes the findings of doctor.
func examine(cmd *cobra.Command, cfg *Config) []finding {
	var out []finding
	add := func(what, state, text string) { out = append(out, finding{what, state, text}) }
	if faults := cfg.faults(); len(faults) > 0 {
		add("configuration", "fault", strings.Join(faults, "; "))
	} else {
		add("configuration", "ok", "mode "+string(cfg.Mode)+", node "+cfg.Node)
	}
	for what, p := range map[string]string{"certificate": cfg.TLS.Certificate, "authority": cfg.TLS.ClientCA} {
		if text, err := os.ReadFile(cfg.path(p)); err == nil {
			if c, err := xtls.ParseCertificate(text); err == nil && time.Until(c.NotAfter) < soon {
				add(what, "warning", "ends on "+c.NotAfter.Format(time.DateOnly))
			}
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
	defer cancel()
	var s statusResult
	switch err := control.Call(ctx, cfg.path(cfg.Control), "status", noArgs{}, nil, &s); {
	case err == nil:
		add("host", "ok", fmt.Sprintf("running, pid %d, version %s", s.PID, s.Version))
	case errors.Is(err, control.ErrNotRunning):
		add("host", "warning", "not running")
	default:
		add("host", "fault", err.Error())
	}
	n, err := openReader(cmd)
	if err != nil {
		add("books", "fault", err.Error())
		return out
	}
	defer n.closeReader()
	return append(out, n.examineBooks(cmd.Context())...)
}

// examineBooks looks into the books.
func (n *node) examineBooks(ctx context.Context) []finding {
	var out []finding
	add := func(what, state, text string) { out = append(out, finding{what, state, text}) }
	switch r, err := ledger.Check(ctx, n.books); {
	case err != nil:
		add("ledger", "fault", err.Error())
	case len(r.Findings) > 0:
		add("ledger", "fault", strings.Join(r.Findings, "; "))
	default:
		add("ledger", "ok", fmt.Sprintf("%d postings, zero in every currency", r.Postings))
	}
	switch found, err := n.onus.Check(ctx); {
	case err != nil:
		add("issuer", "fault", err.Error())
	case len(found) > 0:
		add("issuer", "fault", strings.Join(found, "; "))
	default:
		add("issuer", "ok", "the issuer's book holds")
	}
	h, err := authorize.Look(ctx, n.books)
	if err != nil {
		add("transactions", "fault", err.Error())
		return out
	}
	state := "ok"
	if h.Manual > 0 {
		state = "fault"
	}
	add("outbox", state, fmt.Sprintf("%d reversals on their way, %d wait for operators (host outbox retry)", h.Waiting, h.Manual))
	text := fmt.Sprintf("%d undecided, %d approved and not confirmed by their terminal", h.Undecided, h.Unconfirmed)
	if h.Unconfirmed > 0 {
		text += ", the oldest since " + time.UnixMicro(h.OldestAt).UTC().Format(time.DateTime)
	}
	add("transactions", "ok", text)
	return out
}
