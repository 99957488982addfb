package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/xtls"
)

// addTerminalArgs are those of terminal.add.
type addTerminalArgs struct {
	ID       string `json:"id"`
	Merchant string `json:"merchant"`
	Request  string `json:"request"` // PEM
}

// addTerminalResult is the certificate in PEM, with the authority that the
// terminal trusts.
type addTerminalResult struct {
	Certificate string `json:"certificate"`
	Authority   string `json:"authority"`
}

// addTerminal signs the request of a terminal and registers it. A terminal that
// is registered gets a further certificate.
func addTerminal(ctx context.Context, n *node, a addTerminalArgs) (addTerminalResult, error) {
	ca, caPEM, err := n.authority()
	if err != nil {
		return addTerminalResult{}, err
	}
	certPEM, err := ca.SignTerminal([]byte(a.Request), xtls.Identity{Terminal: a.ID, Merchant: a.Merchant}, time.Now())
	if err != nil {
		return addTerminalResult{}, cli.Fail(cli.ExitUsage, "the certificate request cannot be signed",
			"its subject must have CN "+a.ID+" and O "+a.Merchant, err)
	}
	cert, err := xtls.ParseCertificate(certPEM)
	if err != nil {
		return addTerminalResult{}, err
	}
	print := sha256.Sum256(cert.Raw)
	err = n.books.Do(ctx, "app.terminal.add", func(tx *store.Tx) error {
		at := n.now()
		err := terminals.Register(tx, terminals.Terminal{ID: a.ID, Merchant: a.Merchant, Status: terminals.Active, Since: at})
		if errors.Is(err, terminals.ErrExists) {
			var t terminals.Terminal
			if t, err = terminals.Get(tx, a.ID); err == nil && (t.Merchant != a.Merchant || t.Status != terminals.Active) {
				return cli.Fail(cli.ExitFailed, "terminal "+a.ID+" is registered for another merchant or not active", "see host terminal list", nil)
			}
		}
		if err != nil {
			return err
		}
		if err := terminals.AddCertificate(tx, a.ID, print[:], cert.NotAfter.UnixMicro()); err != nil {
			return err
		}
		_, err = n.audit.Append(tx, audit.Entry{Kind: "terminal.add", Actor: actor(ctx), Object: a.ID,
			Detail: fmt.Sprintf("merchant %s, certificate %x", a.Merchant, print[:8]), At: at})
		return err
	})
	if err != nil {
		return addTerminalResult{}, classified("the terminal cannot be registered", err)
	}
	return addTerminalResult{Certificate: string(certPEM), Authority: string(caPEM)}, nil
}

// authority reads the CA of terminals.
func (n *node) authority() (*xtls.CA, []byte, error) {
	certPEM, err1 := os.ReadFile(n.cfg.path(n.cfg.TLS.ClientCA))
	keyPEM, err2 := os.ReadFile(n.cfg.path(n.cfg.TLS.ClientCAKey))
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, cli.Fail(cli.ExitUsage, "the authority of terminals cannot be read", "check tls.client_ca and tls.client_ca_key", err)
	}
	ca, err := xtls.LoadCA(certPEM, keyPEM)
	if err != nil {
		return nil, nil, cli.Fail(cli.ExitUsage, "the authority of terminals cannot be used", "check tls.client_ca and tls.client_ca_key", err)
	}
	if err := n.cfg.acceptTest(xtls.IsTest(ca.Cert), "the authority of terminals"); err != nil {
		return nil, nil, err
	}
	return ca, certPEM, nil
}

// acceptTest refuses test material in production and the reverse.
func (c *Config) acceptTest(test bool, what string) error {
	switch {
	case test && c.Mode != conf.Lab:
		return cli.Fail(cli.ExitUsage, what+" is for tests, and mode is production", "use one of your own, or mode: lab", nil)
	case !test && c.Mode == conf.Lab:
		return cli.Fail(cli.ExitUsage, what+" is real, and mode is lab", "a lab uses test keys only", nil)
	}
	return nil
}

// classified keeps a Failure and turns other errors into one.
func classified(what string, err error) error {
	if _, ok := errors.AsType[*cli.Failure](err); ok {
		return err
	}
	switch {
	case errors.Is(err, terminals.ErrNotFound):
		return cli.Fail(cli.ExitFailed, what, "see host terminal list", err)
	case errors.Is(err, terminals.ErrExists), errors.Is(err, terminals.ErrInput):
		return cli.Fail(cli.ExitFailed, what, "", err)
	}
	return cli.Fail(cli.ExitUnavailable, what, "", err)
}

// terminalArgs name a terminal.
type terminalArgs struct {
	ID string `json:"id"`
}

// terminalResult is a terminal's state.
type terminalResult struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// blockTerminal ends a terminal's access; its live connections are cut.
func blockTerminal(ctx context.Context, n *node, a terminalArgs) (terminalResult, error) {
	r, err := n.setTerminal(ctx, "terminal.block", a.ID, terminals.Blocked)
	if err != nil {
		return terminalResult{}, classified("the terminal cannot be blocked", err)
	}
	n.cut(ctx)
	return r, nil
}

// unblockTerminal lets a blocked terminal in again, with the certificates and
// keys that it had.
func unblockTerminal(ctx context.Context, n *node, a terminalArgs) (terminalResult, error) {
	r, err := n.setTerminal(ctx, "terminal.unblock", a.ID, terminals.Active)
	if err != nil {
		return terminalResult{}, classified("the terminal cannot be unblocked", err)
	}
	return r, nil
}

// setTerminal changes the status of a terminal and audits it, in one commit.
func (n *node) setTerminal(ctx context.Context, kind, id string, s terminals.Status) (terminalResult, error) {
	err := n.books.Do(ctx, "app."+kind, func(tx *store.Tx) error {
		at := n.now()
		if err := terminals.SetStatus(tx, id, s, at); err != nil {
			return err
		}
		_, err := n.audit.Append(tx, audit.Entry{Kind: kind, Actor: actor(ctx), Object: id, At: at})
		return err
	})
	return terminalResult{id, string(s)}, err
}

func terminalCommand(logs io.Writer) *cobra.Command {
	c := &cobra.Command{Use: "terminal", Short: "Register, block and key terminals"}
	c.AddCommand(terminalAddCommand(logs), terminalBlockCommand(logs), terminalUnblockCommand(logs), terminalKeysCommand(logs), terminalListCommand())
	return c
}

func terminalAddCommand(logs io.Writer) *cobra.Command {
	var merchant, csr, out string
	c := &cobra.Command{
		Use: "add TID", Short: "Register a terminal and sign its certificate", Args: cobra.ExactArgs(1),
		Long: `add signs the certificate request that a terminal made for its own key, and
registers terminal and certificate. The subject must have the terminal (DE 41, 8
capital letters and digits) as CN and the merchant (DE 42, 15) as O. Beside the
certificate FILE the authority that the terminal must trust is written to
FILE.ca. A registered terminal gets a further certificate, such as before the
first one expires.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := os.ReadFile(csr)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the certificate request cannot be read", "make one on the terminal", err)
			}
			var r addTerminalResult
			if err := do(cmd, logs, "terminal.add", addTerminalArgs{args[0], merchant, string(request)}, &r); err != nil {
				return err
			}
			for path, text := range map[string]string{out: r.Certificate, out + ".ca": r.Authority} {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					return cli.Fail(cli.ExitFailed, "the certificate cannot be written", "the terminal is registered; run the command again for another certificate", err)
				}
			}
			return cli.Print(cmd, map[string]string{"id": args[0], "certificate": out, "authority": out + ".ca"},
				fmt.Sprintf("terminal %s of %s registered; certificate in %s, authority in %s.ca", args[0], merchant, out, out))
		},
	}
	c.Flags().StringVar(&merchant, "merchant", "", "merchant `MID` (DE 42), 15 capital letters and digits")
	c.Flags().StringVar(&csr, "csr", "", "certificate request `FILE` (PEM)")
	c.Flags().StringVar(&out, "out", "", "`FILE` for the certificate (PEM)")
	for _, f := range []string{"merchant", "csr", "out"} {
		_ = c.MarkFlagRequired(f) // fails only for a flag that does not exist
	}
	return c
}

func terminalBlockCommand(logs io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "block TID", Short: "End a terminal's access within a second", Args: cobra.ExactArgs(1),
		Long: `block ends a terminal's access: live connections are cut within a second, and no
message of it is believed any more. What it still owes stays on its journal.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var r terminalResult
			if err := do(cmd, logs, "terminal.block", terminalArgs{args[0]}, &r); err != nil {
				return err
			}
			return cli.Print(cmd, r, "terminal "+r.ID+" is blocked")
		},
	}
}

func terminalUnblockCommand(logs io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "unblock TID", Short: "Let a blocked terminal in again", Args: cobra.ExactArgs(1),
		Long: `unblock lets a blocked terminal in again, with the certificates and the key sets
that it had. A terminal that was out of sight gets new ones first: host terminal
add and host terminal keys --retire.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var r terminalResult
			if err := do(cmd, logs, "terminal.unblock", terminalArgs{args[0]}, &r); err != nil {
				return err
			}
			return cli.Print(cmd, r, "terminal "+r.ID+" is active")
		},
	}
}

// listedTerminal is a line of terminal list.
type listedTerminal struct {
	ID       string      `json:"id"`
	Merchant string      `json:"merchant"`
	Status   string      `json:"status"`
	Since    int64       `json:"since"`
	KeySets  []listedSet `json:"key_sets"`
}

type listedSet struct {
	ID      string `json:"id"` // hex
	Scheme  string `json:"scheme"`
	Status  string `json:"status"`
	Highest int64  `json:"highest"` // counter, -1 before the first
}

func terminalListCommand() *cobra.Command {
	return reading("list", "Show terminals and their key sets", `list shows each registered terminal with its key sets and the highest counter that
the host has accepted under each.`,
		func(cmd *cobra.Command, n *node) error {
			var out []listedTerminal
			err := n.books.Read(cmd.Context(), func(q store.Querier) error {
				all, err := terminals.All(q)
				if err != nil {
					return err
				}
				out = make([]listedTerminal, 0, len(all))
				for _, t := range all {
					l := listedTerminal{t.ID, t.Merchant, string(t.Status), t.Since, []listedSet{}}
					sets, err := terminals.KeySets(q, t.ID)
					if err != nil {
						return err
					}
					for _, s := range sets {
						l.KeySets = append(l.KeySets, listedSet{fmt.Sprintf("%X", s.ID), string(s.Scheme), string(s.Status), s.Highest})
					}
					out = append(out, l)
				}
				return nil
			})
			if err != nil {
				return classified("the terminals cannot be read", err)
			}
			for _, l := range out {
				var sets []string
				for _, s := range l.KeySets {
					sets = append(sets, fmt.Sprintf("%s %s %s at %d", s.Scheme, s.ID, s.Status, s.Highest))
				}
				text := fmt.Sprintf("%s  %s  %-8s %s", l.ID, l.Merchant, l.Status, strings.Join(sets, ", "))
				if err := cli.Print(cmd, l, text); err != nil {
					return err
				}
			}
			return nil
		})
}

// absolute makes a path that the running host, with another working directory,
// finds too.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
