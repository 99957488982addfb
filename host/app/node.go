package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/boundary/client"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/ledger"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/rrn"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/host/internal/token"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/control"
)

// rrnBlock is how many retrieval reference numbers a node leases at a time.
const rrnBlock = 1000

// unsafeNoSync is a mistake that a crash test plants, to prove that it finds it:
// the books are not synced. It counts in lab mode only.
const unsafeNoSync = "TALLYSTICK_UNSAFE_NOSYNC"

// A node is the host's parts, put together: for serving, or for one command
// while no host runs.
type node struct {
	cfg   *Config
	log   logrus.FieldLogger
	fatal context.CancelCauseFunc // called when a store may not go on

	books  *store.Store // transactions, ledger, terminals, tokens, audit
	issuer *store.Store // the on-us issuer's own
	hsm    *client.Client
	child  *child // nil when the boundary runs by itself or is not needed
	audit  *audit.Log
	onus   *issuer.OnUs
	engine *authorize.Engine
	trace  *trace
	cut    func(context.Context) // has live connections of blocked terminals closed
}

// sets are the migrations of the host's main database, in order.
func sets() []store.Set {
	return []store.Set{terminals.Migrations(), token.Migrations(), ledger.Migrations(), audit.Migrations(),
		rrn.Migrations(), score.Migrations(), authorize.Migrations()}
}

// now is the clock of the program.
func (n *node) now() int64 { return time.Now().UnixMicro() }

// openBoundary starts the boundary as a child or connects to one that runs.
func (n *node) openBoundary(ctx context.Context, logs io.Writer) error {
	socket, admin := n.cfg.path(n.cfg.HSM.Socket), n.cfg.path(n.cfg.HSM.AdminSocket)
	if socket == "" {
		c, err := startChild(ctx, n.cfg, logs, n.log)
		if err != nil {
			return err
		}
		n.child, socket, admin = c, c.socket, c.admin
	}
	var err error
	if n.hsm, err = client.New(client.Options{Socket: socket, AdminSocket: admin, Log: n.log}); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if n.child != nil {
		// A child that ends at once, such as for a wrong passphrase, is not waited for.
		stop := context.AfterFunc(n.child.gone, cancel)
		defer stop()
	}
	if err := n.hsm.Wait(wait); err != nil {
		return cli.Fail(cli.ExitUnavailable, "the HSM boundary cannot be reached", "look into its log (run/boundary.log beside the configuration, or the host's own); start it with host hsm serve", err)
	}
	return nil
}

// openBooks opens both databases and makes the parts that live in them.
func (n *node) openBooks(ctx context.Context) error {
	var err error
	if n.books, err = n.open(ctx, n.cfg.Database, sets(), false); err != nil {
		return err
	}
	if n.issuer, err = n.open(ctx, n.cfg.IssuerDatabase, []store.Set{issuer.Migrations()}, false); err != nil {
		return err
	}
	if n.audit, err = audit.Open(ctx, n.books, n.now()); err != nil {
		return fmt.Errorf("opening the audit log: %w", err)
	}
	n.onus, err = issuer.NewOnUs(n.issuer, n.hsm, rand.Reader)
	return err
}

// open opens one database.
func (n *node) open(ctx context.Context, d Database, sets []store.Set, readOnly bool) (*store.Store, error) {
	c := store.Config{Path: n.cfg.path(d.Path), Node: n.cfg.Node, Sets: sets, ReadOnly: readOnly, Lab: n.cfg.Mode == conf.Lab,
		UnsafeNoSync: n.cfg.Mode == conf.Lab && os.Getenv(unsafeNoSync) == "1",
		Fatal:        func(err error) { n.fatal(fmt.Errorf("a database failed: %w", err)) }}
	if d.DSNFile != "" {
		dsn, err := secretText(n.cfg.path(d.DSNFile))
		if err != nil {
			return nil, err
		}
		c.Path, c.DSN = "", dsn
	}
	st, err := store.Open(ctx, c)
	if err != nil {
		return nil, cli.Fail(cli.ExitUnavailable, "a database cannot be opened", "check database and issuer_database in the configuration, and that host init has been run", err)
	}
	return st, nil
}

// newEngine makes the engine of a node with books.
func (n *node) newEngine() error {
	text, err := os.ReadFile(n.cfg.path(n.cfg.Rules))
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the rules cannot be read", "check rules in the configuration", err)
	}
	rules, err := score.ParseRules(text)
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the rules do not hold", "correct "+n.cfg.path(n.cfg.Rules), err)
	}
	decided := func(authorize.Record) {}
	if n.trace != nil {
		decided = n.trace.decided
	}
	n.engine, err = authorize.NewEngine(authorize.Config{
		Store: n.books, Node: n.cfg.Node, Audit: n.audit, Issuer: n.onus, Rules: rules, Numbers: rrn.New(n.books, rrnBlock),
		Now: time.Now, Log: n.log, IssuerWithin: n.cfg.Timing.Issuer, AnswerWithin: n.cfg.Timing.Answer,
		OutboxTries: n.cfg.OutboxTries, Decided: decided,
	})
	return err
}

// close ends what was opened, in reverse order.
func (n *node) close() error {
	var errs []error
	for _, s := range []*store.Store{n.issuer, n.books} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if n.hsm != nil {
		n.hsm.Close()
	}
	if n.child != nil {
		errs = append(errs, n.child.stop())
	}
	if n.trace != nil {
		errs = append(errs, n.trace.close())
	}
	return errors.Join(errs...)
}

// note audits an act of an operator in a commit of its own, before it is done.
func (n *node) note(ctx context.Context, kind, object, detail string) error {
	return n.books.Do(ctx, "app.note", func(tx *store.Tx) error {
		_, err := n.audit.Append(tx, audit.Entry{Kind: kind, Actor: actor(ctx), Object: object, Detail: detail, At: n.now()})
		return err
	})
}

// actor is the operator of a command: the user at the other end of the control
// socket, or the user of the process when the command works on the books itself.
func actor(ctx context.Context) string {
	uid, ok := control.Peer(ctx)
	if !ok {
		uid = os.Getuid()
	}
	return fmt.Sprintf("operator:uid-%d", uid)
}
