package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/gateway"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/control"
	"tallystick.example/internal/xlog"
	"tallystick.example/internal/xtls"
)

func serveCommand(logs io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the host", Args: cobra.NoArgs,
		Long: `serve runs the host until it is told to end (SIGINT, SIGTERM). It starts the HSM
boundary as a child unless hsm.socket names one that runs, opens the books,
settles every intent that an earlier end left without outcome, and only then
accepts terminals. One line on standard output says where it listens. At the end
it answers what it has read, and stops.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			log, err := xlog.New(logs, cfg.LogLevel)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "log_level is wrong", "error, warn, info or debug", err)
			}
			return serve(cmd, cfg, logs, log.WithField("node", cfg.Node))
		},
	}
}

// serve runs a node until the context of cmd ends or it may not go on.
func serve(cmd *cobra.Command, cfg *Config, logs io.Writer, log logrus.FieldLogger) error {
	ctx, fatal := context.WithCancelCause(cmd.Context())
	defer fatal(nil)
	n := &node{cfg: cfg, log: log, fatal: fatal}
	// Taken first: the lock of the socket keeps a second host away.
	if err := os.MkdirAll(filepath.Dir(cfg.path(cfg.Control)), 0o700); err != nil {
		return cli.Fail(cli.ExitUnavailable, "the directory of the control socket cannot be made", "", err)
	}
	sock, err := control.Listen(cfg.path(cfg.Control), n.handler, log)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the control socket cannot be opened", "is another host running with this configuration?", err)
	}
	// Nobody is served on the socket before the node is whole: Serve runs last.
	if err := n.start(ctx, logs); err != nil {
		return errors.Join(err, n.close(), abandonSocket(sock))
	}
	err = n.run(ctx, cmd, sock)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cli.Fail(cli.ExitInternal, "the host ended because it may not go on", "start it again: it recovers first", cause)
	}
	return errors.Join(err, n.close())
}

// abandonSocket gives up a control socket that never served.
func abandonSocket(s *control.Server) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Serve(ctx)
}

// start opens everything and recovers.
func (n *node) start(ctx context.Context, logs io.Writer) error {
	if dir := n.cfg.path(n.cfg.Lab.TraceDir); dir != "" {
		t, err := newTrace(dir, n.log)
		if err != nil {
			return cli.Fail(cli.ExitUsage, "the trace cannot be opened", "check lab.trace_dir", err)
		}
		n.trace = t
	}
	if err := n.openBoundary(ctx, logs); err != nil {
		return err
	}
	if err := n.openBooks(ctx); err != nil {
		return err
	}
	if err := n.newEngine(); err != nil {
		return err
	}
	interrupted, err := n.onus.Settle(ctx, n.cfg.Node, n.now())
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the issuer's book cannot be settled", "", err)
	}
	settled, err := n.engine.Settle(ctx)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the intents without outcome cannot be settled", "", err)
	}
	n.log.WithFields(logrus.Fields{"intents": settled, "authorizations": interrupted}).Info("recovered")
	return nil
}

// run serves terminals and operators until ctx ends, then ends in order.
func (n *node) run(ctx context.Context, cmd *cobra.Command, sock *control.Server) error {
	g, err := n.newGateway()
	if err != nil {
		return errors.Join(err, abandonSocket(sock))
	}
	n.cut = g.Cut
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", n.cfg.Listen)
	if err != nil {
		return errors.Join(cli.Fail(cli.ExitUnavailable, "the host cannot listen on "+n.cfg.Listen, "check listen", err), abandonSocket(sock))
	}
	// Background work outlives the gateway, so that what it leaves is still done.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	tasks := []func(){
		func() { n.engine.Deliver(work) },
		func() { n.every(work, audit.Interval, n.checkpoint) },
		func() { n.every(work, 30*time.Second, n.sweep) },
		func() { n.every(work, time.Hour, n.prune) },
	}
	done := make(chan struct{}, len(tasks))
	for _, f := range tasks {
		xlog.Go(n.log, "background", func() { defer func() { done <- struct{}{} }(); f() }, func() { n.fatal(errors.New("a background task panicked")) })
	}
	control := make(chan error, 1)
	xlog.Go(n.log, "control", func() { control <- sock.Serve(ctx) }, func() { control <- errors.New("the control socket panicked") })
	n.watchChild(ctx)
	n.ready(cmd, l.Addr().String())
	err = g.Serve(ctx, l)
	err = errors.Join(err, <-control)
	stopWork()
	for range tasks {
		<-done
	}
	return errors.Join(err, n.finish())
}

// ready tells a person or a script where the host listens.
func (n *node) ready(cmd *cobra.Command, addr string) {
	text := fmt.Sprintf("host %s listens on %s", n.cfg.Node, addr)
	if n.cfg.Mode == conf.Lab {
		text += " (TEST: lab mode, test keys only)"
	}
	if err := cli.Print(cmd, map[string]any{"node": n.cfg.Node, "listen": addr, "mode": n.cfg.Mode}, text); err != nil {
		n.log.WithError(err).Warn("standard output cannot be written")
	}
	n.log.WithField("listen", addr).Info("serving")
}

// newGateway makes the gateway from the files of the configuration.
func (n *node) newGateway() (*gateway.Gateway, error) {
	var pem [3][]byte
	for i, p := range []string{n.cfg.TLS.Certificate, n.cfg.TLS.Key, n.cfg.TLS.ClientCA} {
		var err error
		if pem[i], err = os.ReadFile(n.cfg.path(p)); err != nil {
			return nil, cli.Fail(cli.ExitUsage, "a TLS file cannot be read", "check tls in the configuration", err)
		}
	}
	ca, err := xtls.ParseCertificate(pem[2])
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the authority of terminals cannot be read", "check tls.client_ca", err)
	}
	if err := n.cfg.acceptTest(xtls.IsTest(ca), "the authority of terminals"); err != nil {
		return nil, err
	}
	c := gateway.Config{CertPEM: pem[0], KeyPEM: pem[1], ClientCA: pem[2], Store: n.books, Boundary: n.hsm, Engine: n.engine,
		Checkpoint: n.audit.Newest, Now: time.Now, Log: n.log, Limits: n.cfg.Limits.gateway()}
	if n.trace != nil {
		c.Wire = n.trace.wired
	}
	g, err := gateway.New(c)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the gateway cannot be made", "check tls and limits in the configuration", err)
	}
	return g, nil
}

// every calls f until ctx ends. f logs its own failures.
func (n *node) every(ctx context.Context, d time.Duration, f func(context.Context)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f(ctx)
		}
	}
}

// checkpoint has the audit head signed, and writes a new one to the file of
// checkpoints, which is copied away from this machine.
func (n *node) checkpoint(ctx context.Context) {
	before, _ := n.audit.Newest()
	cp, err := n.audit.Checkpoint(ctx, n.hsm.SignCheckpoint, n.now())
	if errors.Is(err, audit.ErrFenced) {
		n.fatal(err)
	}
	if err != nil {
		if ctx.Err() == nil {
			n.log.WithError(err).Warn("no audit checkpoint was made")
		}
		return
	}
	if cp.Count == before.Count && cp.Boot == before.Boot {
		return
	}
	f, err := appendTo(n.cfg.path(n.cfg.Checkpoints))
	if err != nil {
		n.log.WithError(err).Warn("the file of checkpoints cannot be written")
		return
	}
	if err := errors.Join(json.NewEncoder(f).Encode(keep(cp)), f.Sync(), f.Close()); err != nil {
		n.log.WithError(err).Warn("the file of checkpoints cannot be written")
	}
}

func (n *node) sweep(ctx context.Context) {
	settled, err := n.engine.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		n.log.WithError(err).Warn("intents without outcome cannot be settled")
	}
	if settled > 0 {
		n.log.WithField("intents", settled).Warn("intents without outcome were settled")
	}
}

// pruneBatch is how many idle velocity counters one commit forgets.
const pruneBatch = 1000

func (n *node) prune(ctx context.Context) {
	before := n.now() - (26 * time.Hour).Microseconds()
	err := n.books.Do(ctx, "app.prune", func(tx *store.Tx) error {
		_, err := score.Prune(tx, before, pruneBatch)
		return err
	})
	if err != nil && ctx.Err() == nil {
		n.log.WithError(err).Warn("idle velocity counters cannot be pruned")
	}
}

// watchChild ends the host when its boundary ends by itself: without it no
// message can be opened, and a supervisor starts both again.
func (n *node) watchChild(ctx context.Context) {
	if n.child == nil {
		return
	}
	xlog.Go(n.log, "boundary", func() {
		select {
		case <-ctx.Done():
		case <-n.child.gone.Done():
			n.fatal(errors.New("the HSM boundary ended"))
		}
	}, nil)
}

// finish is the end in order: what is owed to issuers now, and a last
// checkpoint.
func (n *node) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := n.engine.DeliverDue(ctx); err != nil {
		n.log.WithError(err).Warn("reversals to issuers wait for the next start")
	}
	n.checkpoint(ctx)
	return nil
}
