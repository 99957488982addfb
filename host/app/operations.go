package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
	"tallystick.example/internal/xlog"
)

// An operation changes something. It runs in the host that serves, or in a node
// opened for it alone. Arguments and results travel as JSON; secrets do not:
// they are named by file.
type operation func(ctx context.Context, n *node, args json.RawMessage) (any, error)

// operations are what the control socket understands.
var operations = map[string]operation{
	"terminal.add":     on(addTerminal),
	"terminal.block":   on(blockTerminal),
	"terminal.unblock": on(unblockTerminal),
	"terminal.keys":    on(terminalKeys),
	"card.add":         on(addCard),
	"card.status":      on(cardStatus),
	"card.reset-pin":   on(resetPIN),
	"outbox.retry":     on(retryOutbox),
	"status":           on(status),
}

// on makes an operation of a function with typed arguments, which it reads
// strictly.
func on[A, R any](f func(context.Context, *node, A) (R, error)) operation {
	return func(ctx context.Context, n *node, raw json.RawMessage) (any, error) {
		var a A
		if err := control.DecodeArgs(control.Request{Command: "the command", Args: raw}, &a); err != nil {
			return nil, cli.Fail(cli.ExitUsage, "the arguments do not fit", "use the host command of the same version", err)
		}
		return f(ctx, n, a)
	}
}

// handler serves operations on the control socket of a running node.
func (n *node) handler(ctx context.Context, r control.Request, _ func(any) error) (any, error) {
	op, ok := operations[r.Command]
	if !ok {
		return nil, cli.Fail(cli.ExitUsage, "the host does not know "+r.Command, "use the host command of the same version", nil)
	}
	return op(ctx, n, r.Args)
}

// do runs an operation where it belongs: in the running host, or here. The
// result is decoded into result.
func do(cmd *cobra.Command, logs io.Writer, name string, args, result any) error {
	cfg, err := load(cmd)
	if err != nil {
		return err
	}
	err = control.Call(cmd.Context(), cfg.path(cfg.Control), name, args, nil, result)
	if e, ok := errors.AsType[*control.Error](err); ok {
		return cli.Fail(e.Exit, e.What, e.Next, nil)
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return err
	}
	return alone(cmd.Context(), cfg, logs, func(n *node) error {
		out, err := operations[name](cmd.Context(), n, raw)
		if err != nil {
			return err
		}
		b, err := json.Marshal(out)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, result)
	})
}

// alone opens a node for one command, under the lock that a running host holds.
func alone(ctx context.Context, cfg *Config, logs io.Writer, f func(*node) error) error {
	lock, err := takeLock(cfg.path(cfg.Control) + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	log, err := xlog.New(logs, "error")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out, err := boundaryLog(cfg)
	if err != nil {
		return err
	}
	defer out.Close()
	n := &node{cfg: cfg, log: log, fatal: cancel, cut: func(context.Context) {}}
	err = n.openBoundary(ctx, out)
	if err == nil {
		err = n.openBooks(ctx)
	}
	if err == nil {
		err = n.newEngine()
	}
	if err == nil {
		err = f(n)
	}
	return errors.Join(err, n.close())
}

// boundaryLog is where a boundary that runs for one command only writes its log,
// which is also the record of acts of administration.
func boundaryLog(cfg *Config) (*os.File, error) {
	f, err := appendTo(filepath.Join(filepath.Dir(cfg.path(cfg.Control)), "boundary.log"))
	if err != nil {
		return nil, cli.Fail(cli.ExitUnavailable, "the boundary's log cannot be written", "", err)
	}
	return f, nil
}

// takeLock holds the file that control.Listen locks, so that a host cannot start
// meanwhile.
func takeLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("taking the lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		return nil, cli.Fail(cli.ExitUnavailable, "another host command is working on these books", "try again when it is done", err)
	}
	return f, nil
}
