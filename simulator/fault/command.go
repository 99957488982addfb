package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
	"tallystick.example/internal/xlog"
)

// A line is what the command runs: a network proxy or a serial one.
type line interface {
	Set(Direction, Policy) error
	Status() Status
	Serve(context.Context) error
}

// Command is `simulator fault`.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "fault",
		Short: "Put a bad network or a bad serial line between two programs",
		Long: `Puts a proxy between two programs, which passes, delays, drops, stalls or cuts
what goes through it, byte for byte and in each direction by itself.

Start one with "simulator fault tcp" or "simulator fault serial", and change it
while it runs with "simulator fault set".`,
	}
	c.AddCommand(tcpCommand(), serialCommand(), setCommand(), statusCommand())
	return c
}

func tcpCommand() *cobra.Command {
	var listen, target, socket string
	c := &cobra.Command{
		Use: "tcp", Short: "Stand between the clients and the server of a TCP stream", Args: cobra.NoArgs,
		Example: "  simulator fault tcp --listen 127.0.0.1:9583 --target 127.0.0.1:8583 --control /tmp/f.sock",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := NewProxy(listen, target, nil)
			if err != nil {
				return cli.Fail(cli.ExitUnavailable, "the proxy cannot start", "choose a free loopback address", err)
			}
			return run(c, p, socket, map[string]string{"listening": p.Addr()})
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "loopback address to listen on; port 0 takes a free one")
	c.Flags().StringVar(&target, "target", "", "address of the real server")
	c.Flags().StringVar(&socket, "control", "", "path of the control socket")
	require(c, "target", "control")
	return c
}

func serialCommand() *cobra.Command {
	var link, target, socket string
	c := &cobra.Command{
		Use: "serial", Short: "Stand on a serial line", Args: cobra.NoArgs,
		Example: "  simulator fault serial --link /tmp/bad-reader --target /tmp/reader --control /tmp/f.sock",
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := NewSerial(link, target, nil)
			if err != nil {
				return cli.Fail(cli.ExitUnavailable, "the line cannot be opened", "start the device first", err)
			}
			return run(c, l, socket, map[string]string{"link": link})
		},
	}
	c.Flags().StringVar(&link, "link", "", "symbolic link to make for the client to open")
	c.Flags().StringVar(&target, "target", "", "device behind")
	c.Flags().StringVar(&socket, "control", "", "path of the control socket")
	require(c, "link", "target", "control")
	return c
}

// change is the argument of the command "set" on the control socket.
type change struct {
	Direction Direction `json:"direction"`
	Policy    Policy    `json:"policy"`
}

func run(c *cobra.Command, l line, socket string, ready any) error {
	log, err := xlog.New(c.ErrOrStderr(), "warn")
	if err != nil {
		return err
	}
	s, err := control.Listen(socket, handler(l), log)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the control socket cannot be opened", "stop the program that holds it", err)
	}
	if err := json.NewEncoder(c.OutOrStdout()).Encode(ready); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	ended := make(chan error, 1)
	xlog.Go(log.WithFields(logrus.Fields{}), "control", func() { ended <- s.Serve(ctx) }, func() { ended <- nil })
	err = l.Serve(ctx)
	cancel()
	if cErr := <-ended; err == nil {
		err = cErr
	}
	return err
}

func handler(l line) control.Handler {
	return func(_ context.Context, r control.Request, _ func(any) error) (any, error) {
		switch r.Command {
		case "status":
			return l.Status(), nil
		case "set":
			var a change
			if err := control.DecodeArgs(r, &a); err != nil {
				return nil, cli.Fail(cli.ExitUsage, "the change cannot be read", "", err)
			}
			if err := l.Set(a.Direction, a.Policy); err != nil {
				return nil, cli.Fail(cli.ExitUsage, "the change was refused", "see simulator fault set --help", err)
			}
			return l.Status(), nil
		}
		return nil, cli.Fail(cli.ExitUsage, fmt.Sprintf("command %q is unknown", r.Command), "use set or status", nil)
	}
}

func setCommand() *cobra.Command {
	var socket, direction, mode string
	var after int64
	var delay time.Duration
	c := &cobra.Command{
		Use: "set", Short: "Change what a running proxy does", Args: cobra.NoArgs,
		Example: "  simulator fault set --control /tmp/f.sock --direction down --mode drop   # answers never come",
		RunE: func(c *cobra.Command, _ []string) error {
			a := change{Direction(direction), Policy{Mode: Mode(mode), After: after, Delay: delay}}
			return call(c, socket, "set", a)
		},
	}
	c.Flags().StringVar(&socket, "control", "", "control socket of the proxy")
	c.Flags().StringVar(&direction, "direction", "down", "up (towards the server or device) or down")
	c.Flags().StringVar(&mode, "mode", "pass", "pass, drop, stall or cut")
	c.Flags().Int64Var(&after, "after", 0, "bytes that still pass before the mode begins")
	c.Flags().DurationVar(&delay, "delay", 0, "hold every chunk back for this long, up to 1m")
	require(c, "control")
	return c
}

func statusCommand() *cobra.Command {
	var socket string
	c := &cobra.Command{
		Use: "status", Short: "Show what a running proxy has seen", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return call(c, socket, "status", nil) },
	}
	c.Flags().StringVar(&socket, "control", "", "control socket of the proxy")
	require(c, "control")
	return c
}

func call(c *cobra.Command, socket, command string, args any) error {
	var st Status
	if err := control.Call(c.Context(), socket, command, args, nil, &st); err != nil {
		return cli.Fail(cli.ExitUnavailable, "the proxy did not do it", "check that it runs and the --control path", err)
	}
	return json.NewEncoder(c.OutOrStdout()).Encode(st)
}

// require marks flags; cobra answers a missing one as a usage error. The flags
// exist, so that marking cannot fail.
func require(c *cobra.Command, names ...string) {
	for _, n := range names {
		if err := c.MarkFlagRequired(n); err != nil {
			panic(err)
		}
	}
}
