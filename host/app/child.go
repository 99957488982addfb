package app

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/boundary/client"
	"tallystick.example/host/internal/boundary/server"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/xlog"
)

// child is a boundary that this process started.
type child struct {
	proc          *client.Child
	socket, admin string
	gone          context.Context // ends with the process
}

// startChild starts `host hsm serve` as a child. The program is started anew
// from its own file, so both are of one version.
func startChild(ctx context.Context, cfg *Config, logs io.Writer, log logrus.FieldLogger) (*child, error) {
	hc, err := readBoundaryConfig(cfg.path(cfg.HSM.Config))
	if err != nil {
		return nil, err
	}
	if hc.Mode != cfg.Mode {
		return nil, cli.Fail(cli.ExitUsage, "the host and its HSM boundary have different modes", "set mode alike in both configurations", nil)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// The child ends when its standard input does: it outlives ctx, so that what
	// is under way at the end can still be finished.
	proc, err := client.SpawnChild(context.WithoutCancel(ctx), exe,
		[]string{"hsm", "serve", "--child", "--config", cfg.path(cfg.HSM.Config)}, logs)
	if err != nil {
		return nil, cli.Fail(cli.ExitUnavailable, "the HSM boundary cannot be started", "", err)
	}
	gone, end := context.WithCancel(context.WithoutCancel(ctx))
	xlog.Go(log, "boundary watch", func() { <-proc.Done(); end() }, end)
	return &child{proc: proc, socket: hc.SocketPath(), admin: hc.AdminSocketPath(), gone: gone}, nil
}

// stop ends the child in order.
func (c *child) stop() error { return c.proc.Stop() }

// readBoundaryConfig reads the boundary's configuration; relative paths in it
// are relative to the file.
func readBoundaryConfig(path string) (*server.Config, error) {
	c := server.Defaults()
	if err := conf.Load(path, &c, "TALLYSTICK_HSM_", os.Environ()); err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the configuration of the HSM boundary cannot be used", "correct it, or make one with host init", err)
	}
	dir := filepath.Dir(path)
	for _, p := range []*string{&c.Directory, &c.Socket, &c.AdminSocket, &c.LMKPassphraseFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i, p := range c.LMKComponents {
		if !filepath.IsAbs(p) {
			c.LMKComponents[i] = filepath.Join(dir, p)
		}
	}
	return &c, nil
}
