package app

import (
	"context"
	"crypto/rand"
	"io"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/issuer"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/xlog"
)

// openReader opens both databases for reading only; a running host is not
// disturbed, and none is needed.
func openReader(cmd *cobra.Command) (*node, error) {
	cfg, err := load(cmd)
	if err != nil {
		return nil, err
	}
	log, err := xlog.New(io.Discard, "error")
	if err != nil {
		return nil, err
	}
	_, cancel := context.WithCancelCause(cmd.Context())
	n := &node{cfg: cfg, log: log, fatal: cancel}
	if n.books, err = n.open(cmd.Context(), cfg.Database, nil, true); err != nil {
		return nil, err
	}
	if n.issuer, err = n.open(cmd.Context(), cfg.IssuerDatabase, nil, true); err != nil {
		n.closeReader()
		return nil, err
	}
	// The reader never verifies: the issuer's book is all it needs.
	n.onus, err = issuer.NewOnUs(n.issuer, noBoundary{}, rand.Reader)
	if err != nil {
		n.closeReader()
		return nil, err
	}
	return n, nil
}

// closeReader closes what was only read; nothing can be lost.
func (n *node) closeReader() { _ = n.close() }

// integrity makes the failure of a check of the books.
func integrity(what string, findings []string) error {
	text := what
	for _, f := range findings {
		text += "\n  " + f
	}
	return cli.Fail(cli.ExitIntegrity, text, "keep the database as it is and call for help before anything is changed", nil)
}
