package app

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/ledger"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/hsm/api"
)

// noBoundary is a verifier for commands that verify nothing.
type noBoundary struct{}

// Verify is never available.
func (noBoundary) Verify(context.Context, api.VerifyRequest) (api.Verdict, error) {
	return api.Verdict{}, api.ErrUnavailable
}

// reading makes a command that reads the books.
func reading(use, short, long string, run func(cmd *cobra.Command, n *node) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer n.closeReader()
			return run(cmd, n)
		}}
}

func ledgerCommand() *cobra.Command {
	c := &cobra.Command{Use: "ledger", Short: "The acquirer's double-entry book"}
	c.AddCommand(reading("check", "Prove the ledger",
		`check walks every posting and entry and proves that each posting has exactly the
entries of its template, that nothing was reversed twice, and that the ledger
sums to zero in every currency. Exit code 4 when it does not.`,
		func(cmd *cobra.Command, n *node) error {
			r, err := ledger.Check(cmd.Context(), n.books)
			if err != nil {
				return cli.Fail(cli.ExitUnavailable, "the ledger cannot be read", "", err)
			}
			if len(r.Findings) > 0 {
				return integrity("the ledger does not hold", r.Findings)
			}
			return cli.Print(cmd, r, fmt.Sprintf("the ledger holds: %d postings, %d entries, zero in every currency", r.Postings, r.Entries))
		}), reading("export", "Write transactions and entries as JSON lines",
		`export writes every transaction and then every ledger entry as one JSON object
per line, for simulator tally and for other programs.`,
		func(cmd *cobra.Command, n *node) error {
			return flushed(cmd, func(w io.Writer) error {
				if err := authorize.Export(cmd.Context(), n.books, w); err != nil {
					return err
				}
				return ledger.Export(cmd.Context(), n.books, w)
			})
		}))
	return c
}

func issuerCommand() *cobra.Command {
	c := &cobra.Command{Use: "issuer", Short: "The built-in issuer's own book"}
	c.AddCommand(reading("export", "Write authorizations and entries as JSON lines",
		`export writes every authorization of the built-in issuer and then every entry of
its accounts as one JSON object per line. The issuer keeps a database of its own:
this is the other half of what host ledger export shows.`,
		func(cmd *cobra.Command, n *node) error {
			return flushed(cmd, func(w io.Writer) error { return n.onus.Export(cmd.Context(), w) })
		}), reading("check", "Prove the issuer's book",
		`check proves that entries sum to zero, that balances are the sums of their
entries, and that each approved authorization is debited exactly once. Exit code
4 when it does not hold.`,
		func(cmd *cobra.Command, n *node) error {
			found, err := n.onus.Check(cmd.Context())
			if err != nil {
				return cli.Fail(cli.ExitUnavailable, "the issuer's book cannot be read", "", err)
			}
			if len(found) > 0 {
				return integrity("the issuer's book does not hold", found)
			}
			return cli.Print(cmd, map[string]any{"findings": []string{}}, "the issuer's book holds")
		}))
	return c
}

// flushed runs an export into a buffered standard output.
func flushed(cmd *cobra.Command, export func(io.Writer) error) error {
	w := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
	if err := errors.Join(export(w), w.Flush()); err != nil {
		return cli.Fail(cli.ExitUnavailable, "the export ended early", "", err)
	}
	return nil
}

func auditCommand() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "The audit chain"}
	var external []string
	verify := reading("verify", "Prove the audit chains against their checkpoints",
		`verify walks the audit chain of every node and holds it against the checkpoints
that the HSM boundary signed: those in the database, those that the host wrote
beside it (checkpoints in the configuration), and those that --external names,
such as terminals' ones, as JSON lines. It finds truncation, changed entries,
forks and missing nodes. Exit code 4 when something was found.`,
		func(cmd *cobra.Command, n *node) error { return verifyAudit(cmd, n, external) })
	verify.Flags().StringArrayVar(&external, "external", nil, "`FILE` of checkpoints kept elsewhere; may be given again")
	c.AddCommand(verify)
	return c
}

func verifyAudit(cmd *cobra.Command, n *node, external []string) error {
	text, err := os.ReadFile(n.cfg.path(n.cfg.AuditKey))
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the key of the checkpoints cannot be read", "host init wrote it; audit_key names it", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return cli.Fail(cli.ExitUsage, "the key of the checkpoints is not 64 hexadecimal digits", "host init wrote it; audit_key names it", nil)
	}
	files := append([]string{}, external...)
	if _, err := os.Stat(n.cfg.path(n.cfg.Checkpoints)); err == nil {
		files = append(files, n.cfg.path(n.cfg.Checkpoints))
	}
	var kept []api.Checkpoint
	for _, f := range files {
		cps, err := readCheckpoints(f)
		if err != nil {
			return cli.Fail(cli.ExitUsage, "checkpoints cannot be read", "", err)
		}
		kept = append(kept, cps...)
	}
	r, err := audit.Verify(cmd.Context(), n.books, ed25519.PublicKey(key), kept)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the audit log cannot be read", "", err)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		return err
	}
	if !r.OK() && !cli.JSON(cmd) {
		return cli.Fail(cli.ExitIntegrity, strings.TrimSpace(b.String()), "", nil)
	}
	if err := cli.Print(cmd, r, strings.TrimSpace(b.String())); err != nil {
		return err
	}
	if !r.OK() {
		return cli.Fail(cli.ExitIntegrity, "the audit chains do not hold", "", nil)
	}
	return nil
}

// A keptCheckpoint is a line of the checkpoint file.
type keptCheckpoint struct {
	Node      string `json:"node"`
	Boot      uint64 `json:"boot"`
	Count     uint64 `json:"count"`
	Head      string `json:"head"`      // hex, 32 bytes
	Signature string `json:"signature"` // hex, 64 bytes
}

func keep(c api.Checkpoint) keptCheckpoint {
	return keptCheckpoint{c.Node, c.Boot, c.Count, hex.EncodeToString(c.Head[:]), hex.EncodeToString(c.Signature)}
}

// readCheckpoints reads JSON lines of keptCheckpoint. A last line that a crash
// cut off is ignored: its checkpoint is in the database.
func readCheckpoints(path string) ([]api.Checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []api.Checkpoint
	for in := bufio.NewReader(f); ; {
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var k keptCheckpoint
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c := api.Checkpoint{Node: k.Node, Boot: k.Boot, Count: k.Count}
		head, err1 := hex.DecodeString(k.Head)
		c.Signature, err = hex.DecodeString(k.Signature)
		if err1 != nil || err != nil || len(head) != len(c.Head) {
			return nil, fmt.Errorf("%s: a checkpoint is malformed", path)
		}
		copy(c.Head[:], head)
		out = append(out, c)
	}
}
