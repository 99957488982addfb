package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/device"
	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/terminal"
	"tallystick.example/agent/internal/trace"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/control"
	"tallystick.example/internal/secret"
	"tallystick.example/internal/version"
	"tallystick.example/internal/xlog"
	"tallystick.example/internal/xtls"
)

func serveCommand(logs io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the terminal", Args: cobra.NoArgs,
		Long: `serve runs the terminal until it is told to end (SIGINT, SIGTERM). It first
settles what the last run left behind: an attempt whose request may have left is
reversed before the next sale. Logs go to standard error as JSON lines; one line
on standard output says that the control socket is open.

It ends by itself with exit code 3 when a write to the disk has failed, since
nobody knows then what is durable; start it again and it finds out.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			log, err := xlog.New(logs, cfg.LogLevel)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "log_level cannot be used", "", err)
			}
			return serve(c.Context(), cfg, log.WithField(xlog.KeyTerminal, cfg.Terminal.ID), c.OutOrStdout())
		},
	}
}

// serve opens everything, runs, and closes it again.
func serve(ctx context.Context, cfg *params.Config, log logrus.FieldLogger, out io.Writer) (err error) {
	if err := makeDataDir(cfg); err != nil {
		return cli.Fail(cli.ExitUsage, "the data directory cannot be used", "", err)
	}
	f, err := openFiles(cfg)
	if err != nil {
		return classify("the terminal's books cannot be opened, so it sells nothing", err)
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if f.skipped {
		log.Warn("the DUKPT registers were behind the journal or damaged: they were moved forward")
	}
	if noSync(cfg) {
		log.Warn(unsafeNoSync + " is set: nothing survives a power loss")
	}
	if planted(cfg, unsafeSendFirst) {
		log.Warn(unsafeSendFirst + " is set: payments are lost when the agent is killed")
	}
	if err := f.noteKeySet(); err != nil {
		return classify("the journal cannot be written", err)
	}
	if removed, err := f.journal.Prune(uint64(cfg.Journal.Keep)); err != nil {
		return classify("the journal cannot be pruned", err)
	} else if removed > 0 {
		log.WithField("records", removed).Info("old records were removed from the journal")
	}
	t, done, err := build(cfg, f, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	return run(ctx, cfg, t, log, out)
}

// build makes the terminal of its parts.
func build(cfg *params.Config, f *files, log logrus.FieldLogger) (*terminal.Terminal, func() error, error) {
	tlsConfig, err := clientTLS(cfg)
	if err != nil {
		return nil, nil, cli.Fail(cli.ExitUsage, "the terminal cannot prove who it is to the host", "run \"agent enroll\" and have the request signed", err)
	}
	var traces *trace.Trace
	if cfg.Lab.TraceDir != "" {
		if traces, err = trace.Open(cfg.Lab.TraceDir, cfg.Lab.RawWire, time.Now, log); err != nil {
			return nil, nil, cli.Fail(cli.ExitUsage, "the traces cannot be written", "check lab.trace_dir", err)
		}
	}
	o := terminal.Options{
		Config: cfg, SendFirst: planted(cfg, unsafeSendFirst), Journal: f.journal, Register: f.register, Trace: traces, Random: rand.Reader, Now: time.Now, Log: log,
		Reader: terminal.SerialReader{Reader: device.NewReader(device.Line{
			Path: cfg.Reader.Path, Baud: cfg.Reader.Baud, TwoStops: true, LockDir: cfg.Reader.LockDir,
		}, log)},
		Dial: hostlink.Options{Dial: hostlink.DialTLS(cfg.Host.Address, tlsConfig)},
	}
	if cfg.Keypad.Path != "" {
		line := device.Line{Path: cfg.Keypad.Path, Baud: cfg.Keypad.Baud, LockDir: cfg.Reader.LockDir}
		pad, err := device.NewKeypad(line, cfg.Mode == conf.Lab, cfg.Keypad.PINWithin)
		if err != nil {
			return nil, nil, cli.Fail(cli.ExitUsage, "the PIN keypad cannot be used", "", errors.Join(err, traces.Close()))
		}
		o.PINPad = pad
	}
	t, err := terminal.New(o)
	if err != nil {
		return nil, nil, classify("the terminal cannot start", errors.Join(err, traces.Close()))
	}
	return t, traces.Close, nil
}

// clientTLS reads certificate, key and authority.
func clientTLS(cfg *params.Config) (*tls.Config, error) {
	ca, err := os.ReadFile(cfg.Host.CA)
	if err != nil {
		return nil, err
	}
	cert, err := os.ReadFile(cfg.Host.Certificate)
	if err != nil {
		return nil, err
	}
	leaf, err := xtls.ParseCertificate(cert)
	if err != nil {
		return nil, err
	}
	id, err := xtls.IdentityOf(leaf)
	if err != nil {
		return nil, err
	}
	if id.Terminal != cfg.Terminal.ID || id.Merchant != cfg.Terminal.Merchant {
		return nil, fmt.Errorf("the certificate is for terminal %s of merchant %s, the configuration says %s of %s",
			id.Terminal, id.Merchant, cfg.Terminal.ID, cfg.Terminal.Merchant)
	}
	authority, err := xtls.ParseCertificate(ca)
	if err != nil {
		return nil, err
	}
	if cfg.Mode != conf.Lab && xtls.IsTest(authority) {
		return nil, errors.New("host.ca is a test authority, which only mode lab accepts")
	}
	key, err := secret.ReadFile(cfg.Host.Key)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return xtls.Client(cert, key.Expose(), ca, cfg.Host.ServerName)
}

// run serves the control socket beside the terminal until either ends.
func run(ctx context.Context, cfg *params.Config, t *terminal.Terminal, log logrus.FieldLogger, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sock, err := control.Listen(cfg.Socket, handler(t, cfg), log)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the control socket cannot be opened", "is another agent running with this configuration?", err)
	}
	sockets := make(chan error, 1)
	go func() {
		defer xlog.Recover(log, "control socket", func() { sockets <- errors.New("the control socket died"); cancel() })
		err := sock.Serve(ctx)
		if err != nil {
			cancel()
		}
		sockets <- err
	}()
	log.WithField("version", version.Number).Info("the agent is running")
	if cfg.Mode == conf.Lab {
		log.Warn("MODE LAB: this is a TEST terminal")
	}
	if _, err := fmt.Fprintf(out, "agent %s of merchant %s: control socket %s%s\n", cfg.Terminal.ID, cfg.Terminal.Merchant, cfg.Socket, labNote(cfg)); err != nil {
		log.WithError(err).Warn("standard output cannot be written")
	}
	err = t.Run(ctx)
	cancel()
	if err != nil {
		err = classify("the agent ended because it may not go on", err)
	}
	if sockErr := <-sockets; sockErr != nil {
		err = errors.Join(err, cli.Fail(cli.ExitInternal, "the control socket failed", "", sockErr))
	}
	log.Info("the agent has ended")
	return err
}

func labNote(cfg *params.Config) string {
	if cfg.Mode == conf.Lab {
		return " (mode lab: TEST)"
	}
	return ""
}
