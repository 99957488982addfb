package reader

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
	"tallystick.example/simulator/card"
	"tallystick.example/simulator/internal/serialline"
)

// Command is "simulator reader".
func Command() *cobra.Command {
	c := &cobra.Command{
		Use: "reader", Short: "Play a card reader on a serial line", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return cli.Fail(cli.ExitUsage, "no command was given", "see simulator reader --help", nil)
		},
	}
	c.AddCommand(ccidCommand())
	for _, v := range []struct{ name, short string }{
		{"insert", "Insert the card into a running reader"},
		{"remove", "Pull the card from a running reader"},
		{"status", "Tell whether a card is in a running reader"},
	} {
		c.AddCommand(controlCommand(v.name, v.short))
	}
	return c
}

// flags of "simulator reader ccid".
type flags struct {
	link, card, protocol, state, log, control string
	absent, noEcho                            bool
	waits                                     int
}

func ccidCommand() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "ccid --link PATH --card NAME|FILE|unix:SOCKET",
		Short: "Play a GemPC Twin (CCID over serial) until interrupted",
		Long: `Play a GemPC Twin, a card reader with CCID over serial, until interrupted.

PATH becomes a link to the host's end of the line: an agent opens it like a
serial port, and so does pcscd with a reader.conf of

  FRIENDLYNAME "Simulated GemPC Twin"
  DEVICENAME   PATH:GemPCTwin
  LIBPATH      /usr/lib/pcsc/drivers/serial/libccidtwin.so

--card is a built-in card, a YAML file, or unix:SOCKET for a card that
"simulator card serve" serves; the reader waits up to five seconds for that
socket. The signals USR1 and USR2 insert and pull the card; so do "simulator
reader insert" and "remove" through --control.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runCCID(c, f) },
	}
	fs := c.Flags()
	fs.StringVar(&f.link, "link", "", "path of the serial line (required)")
	fs.StringVar(&f.card, "card", "visa-chip", "card: built-in name, YAML file or unix:SOCKET")
	fs.StringVar(&f.protocol, "protocol", "t0", "protocol that the card offers: t0 or t1")
	fs.StringVar(&f.state, "state", "", "file that keeps the card's counters; not with unix:SOCKET")
	fs.StringVar(&f.log, "log", "", `file for the frames as JSON lines; "-" for standard output`)
	fs.StringVar(&f.control, "control", "", "socket for insert, remove and status")
	fs.BoolVar(&f.absent, "absent", false, "start without a card in the reader")
	fs.BoolVar(&f.noEcho, "no-echo", false, "do not send commands back, as GemCore POS Pro readers do")
	fs.IntVar(&f.waits, "waits", 0, "requests for more time before each answer of a T=0 card, 0 to 100")
	return c
}

func (f *flags) check() error {
	switch {
	case f.link == "":
		return cli.Fail(cli.ExitUsage, "--link is missing", "name the path where the serial line shall appear", nil)
	case f.protocol != "t0" && f.protocol != "t1":
		return cli.Fail(cli.ExitUsage, "--protocol is neither t0 nor t1", "", nil)
	case f.waits < 0 || f.waits > maxWaits:
		return cli.Fail(cli.ExitUsage, "--waits is outside 0 to 100", "", nil)
	}
	return nil
}

func runCCID(c *cobra.Command, f flags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	protocol := card.T0
	if f.protocol == "t1" {
		protocol = card.T1
	}
	source, err := newSource(f.card, f.state)
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the card cannot be used", "see simulator card list", err)
	}
	defer func() { err = errors.Join(err, source.close()) }()
	w, closeLog, err := card.OpenLog(f.log, c.OutOrStdout())
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the log cannot be written", "check the path of --log", err)
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	machine := NewMachine(Options{Protocol: protocol, Waits: f.waits})
	if !f.absent {
		contacts, err := source.contacts(ctx)
		if err != nil {
			return cli.Fail(cli.ExitUnavailable, "the card cannot be reached", "start simulator card serve first", err)
		}
		machine.Insert(contacts) // before the line exists: no one to tell
	}
	line, err := serialline.Open(f.link)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the serial line cannot be made", "choose another --link", err)
	}
	service := NewService(machine, line, !f.noEcho, logOf(w, protocol))
	operator := &operator{service: service, source: source}
	return operate(ctx, cancel, c, f, line, operator)
}

func logOf(w io.Writer, protocol byte) *Log {
	if w == nil {
		return nil
	}
	return NewLog(w, time.Now, protocol)
}

// operate runs the service, its signals and its control socket until ctx ends or
// one of them fails.
func operate(ctx context.Context, cancel context.CancelFunc, c *cobra.Command, f flags, line *serialline.Line, o *operator) error {
	defer cancel()
	served := make(chan error, 1)
	go func() {
		err := o.service.Serve(ctx)
		cancel()
		served <- err
	}()
	stopSignals := o.watchSignals(ctx, c.ErrOrStderr())
	controlled, err := o.serveControl(ctx, cancel, f.control, c.ErrOrStderr())
	if err == nil {
		err = cli.Print(c, map[string]string{"line": f.link, "card": f.card, "protocol": f.protocol}, "reader is ready at "+f.link)
	}
	if err != nil {
		cancel()
	}
	<-ctx.Done()
	err = errors.Join(err, line.Close(), <-served, <-controlled)
	stopSignals()
	if err != nil {
		return cli.Fail(cli.ExitFailed, "the reader has stopped", "", err)
	}
	return nil
}

func controlCommand(name, short string) *cobra.Command {
	var socket string
	c := &cobra.Command{
		Use: name + " --control SOCKET", Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var state json.RawMessage
			if err := control.Call(c.Context(), socket, name, nil, nil, &state); err != nil {
				return cli.Fail(cli.ExitUnavailable, "the reader did not obey", "start simulator reader ccid with --control "+socket, err)
			}
			return cli.Print(c, state, string(state))
		},
	}
	c.Flags().StringVar(&socket, "control", "", "the reader's control socket (required)")
	return c
}
