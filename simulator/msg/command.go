package msg

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/iso8583"
	"tallystick.example/iso8583/spec"
)

// Command is `simulator msg`.
func Command() *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use:   "msg",
		Short: "Show, compare, pack, redact and send ISO 8583 messages",
		Long: `Works on single messages of any dialect: the terminal interface (the default),
ISO 8583:1987 in ASCII and binary, 1993, 2003, or your own from a file: a message
specification in JSON, or a packager of jPOS in XML.

A message comes from a file or standard input (-), in hexadecimal or binary, with
or without the length before it (--frame).

PANs, tracks, PIN blocks, keys, sensitive tags and what may be a card number in
free text are masked, in every output, unless --unsafe says otherwise.`,
		Example: `  echo 0800822000000000000004000000000000001219112510000001 0301 | simulator msg explain --spec 87binary
  simulator msg explain --spec acquirer.xml --frame binary2 trace.bin
  simulator msg diff request.hex repeat.hex
  simulator msg pack echo.yaml | simulator msg send --to 127.0.0.1:8583 -`,
	}
	f := c.PersistentFlags()
	f.StringVar(&o.spec, "spec", terminalName, "dialect: terminal, "+strings.Join(spec.Dialects(), ", ")+", or a `FILE` in JSON or XML")
	f.StringVar(&o.frame, "frame", "", "length before the message: none, "+strings.Join(iso8583.LengthHeaderNames(), ", ")+" (default none; send: binary2)")
	f.StringVar(&o.form, "input", formAuto, "form of the input: auto, hex or binary")
	f.BoolVar(&o.unsafe, "unsafe", false, "show card data in clear: test cards only")
	c.AddCommand(o.explainCommand(), o.diffCommand(), o.packCommand(), o.redactCommand(), o.sendCommand())
	return c
}

type options struct {
	spec, frame, form string
	unsafe            bool
}

// open finds the dialect and says aloud what is unsafe.
func (o *options) open(c *cobra.Command) (*Dialect, error) {
	if o.unsafe {
		fmt.Fprintln(c.ErrOrStderr(), "UNSAFE: card data are shown in clear. Use test cards only, and keep this output from logs and tickets.")
	}
	d, err := Open(o.spec)
	if err == nil {
		for _, n := range d.notes {
			fmt.Fprintln(c.ErrOrStderr(), "note: "+n)
		}
		d.notes = nil
	}
	return d, err
}

// message reads one message and takes it out of its frame.
func (o *options) message(c *cobra.Command, d *Dialect, path string) (raw []byte, frame *Frame, err error) {
	var in []byte
	if path == "-" {
		in, err = readAll(c.InOrStdin(), maxInput)
	} else {
		in, err = readFile(path, maxInput)
	}
	if err != nil {
		return nil, nil, err
	}
	raw, err = d.decodeInput(in, o.form)
	if err != nil {
		return nil, nil, err
	}
	name := o.frame
	if name == "" {
		name = "none"
	}
	g, framed, err := framingOf(name)
	if err != nil || !framed {
		return raw, nil, err
	}
	return unframe(g, raw)
}

// unframe takes a message out of its frame.
func unframe(g iso8583.Framing, raw []byte) ([]byte, *Frame, error) {
	if len(raw) < g.Header.Size() {
		return nil, nil, cli.Fail(cli.ExitFailed, fmt.Sprintf("broken at byte 0: the %s length has %d bytes, and there are %d", g.Header, g.Header.Size(), len(raw)), "", nil)
	}
	n, err := g.Size(raw)
	if err != nil {
		return nil, nil, cli.Fail(cli.ExitFailed, "broken at byte 0: field length", "try another --frame", err)
	}
	if n != len(raw) {
		return nil, nil, cli.Fail(cli.ExitFailed, fmt.Sprintf("broken at byte 0: field length says that %d bytes follow it, and there are %d", n-g.Header.Size(), len(raw)-g.Header.Size()), "try another --frame", nil)
	}
	f, err := g.Read(strings.NewReader(string(raw)), nil)
	if err != nil {
		return nil, nil, cli.Fail(cli.ExitFailed, "broken in the frame", "try another --frame", err)
	}
	frame := &Frame{Header: g.Header.String(), Length: n - g.Header.Size()}
	if !f.TPDU.IsZero() {
		frame.TPDU = hexOf(f.TPDU[:])
	}
	return f.Body, frame, nil
}

// input is the file that a command was given, or standard input.
func input(args []string) string {
	if len(args) == 0 {
		return "-"
	}
	return args[0]
}

func (o *options) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain [FILE]", Short: "Say what a message holds, and where it breaks", Args: cobra.MaximumNArgs(1),
		Long: `Prints every field with its offset, name, raw content, value and meaning. Of a
broken message it prints the fields before the fault, then byte, field and reason.

Exit codes: 0 the message is whole, 1 it is broken, 2 wrong arguments or input.`,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.open(c)
			if err != nil {
				return err
			}
			raw, frame, err := o.message(c, d, input(args))
			if err != nil {
				return err
			}
			r := d.Explain(raw, o.unsafe)
			r.Frame = frame
			return tell(c, r)
		},
	}
}

// tell prints a report; a broken message is a failure.
func tell(c *cobra.Command, r *Report) error {
	var err error
	if cli.JSON(c) {
		err = json.NewEncoder(c.OutOrStdout()).Encode(r)
	} else {
		err = r.WriteText(c.OutOrStdout())
	}
	if err == nil && r.Broken != nil {
		err = cli.Fail(cli.ExitFailed, r.Broken.String(), "", nil)
	}
	return err
}

func (o *options) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use: "diff FILE FILE", Short: "Compare two messages field by field", Args: cobra.ExactArgs(2),
		Long: `Prints the fields in which two messages differ. Masked values are compared as they
are, so that a difference in a PAN is told without the PAN.

Exit codes: 0 no difference, 1 they differ or one is broken, 2 wrong arguments.`,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.open(c)
			if err != nil {
				return err
			}
			var reports [2]*Report
			for i, path := range args {
				raw, _, err := o.message(c, d, path)
				if err != nil {
					return err
				}
				reports[i] = d.Explain(raw, o.unsafe)
				if b := reports[i].Broken; b != nil {
					return cli.Fail(cli.ExitFailed, path+" is "+b.String(), "see simulator msg explain", nil)
				}
			}
			list := Compare(reports[0], reports[1])
			if cli.JSON(c) {
				err = json.NewEncoder(c.OutOrStdout()).Encode(list)
			} else {
				err = writeDifferences(c.OutOrStdout(), list)
			}
			if err == nil && len(list) > 0 {
				err = cli.Fail(cli.ExitFailed, fmt.Sprintf("%d fields differ", len(list)), "", nil)
			}
			return err
		},
	}
}

func (o *options) packCommand() *cobra.Command {
	var binary bool
	c := &cobra.Command{
		Use: "pack [FILE]", Short: "Make a message from YAML or JSON", Args: cobra.MaximumNArgs(1),
		Long: `Reads a map from elements to values and prints the message in hexadecimal, in a
frame with --frame. Values are texts in quotes, binary ones in hexadecimal; an
element with subfields takes a map of them, DE 55 a map of tags:

  mti: "0200"
  3: "000000"
  4: "000000001234"
  11: "001234"
  55: {"9F02": "000000001234", "5F2A": "0840"}

The output is the message itself, with all that you put in. No MAC is computed.`,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.open(c)
			if err != nil {
				return err
			}
			var in []byte
			if input(args) == "-" {
				in, err = readAll(c.InOrStdin(), maxInput)
			} else {
				in, err = readFile(args[0], maxInput)
			}
			if err != nil {
				return err
			}
			raw, err := d.Pack(in)
			if err != nil {
				return err
			}
			return o.give(c, raw, binary)
		},
	}
	c.Flags().BoolVar(&binary, "binary", false, "print bytes, not hexadecimal")
	return c
}

// give prints a message, in its frame where one is named.
func (o *options) give(c *cobra.Command, raw []byte, binary bool) error {
	if o.frame != "" && o.frame != "none" {
		g, _, err := framingOf(o.frame)
		if err == nil {
			raw, err = g.Append(nil, iso8583.Frame{Body: raw})
		}
		if err != nil {
			return usage("the message does not go into this frame", "name another --frame", err)
		}
	}
	if binary {
		_, err := c.OutOrStdout().Write(raw)
		return err
	}
	return cli.Print(c, map[string]any{"message": hexOf(raw), "bytes": len(raw)}, hexOf(raw))
}

func (o *options) redactCommand() *cobra.Command {
	var binary bool
	c := &cobra.Command{
		Use: "redact [FILE]", Short: "Take the card data out of a message", Args: cobra.MaximumNArgs(1),
		Long: `Prints the message with PANs cut to their first six and last four digits, and with
tracks, PIN blocks, keys, sensitive tags and what may be a card number in free text
overwritten. Every field keeps its place and length; a MAC is then wrong. A message
that cannot be read is refused: nobody knows where its card data are.`,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.open(c)
			if err != nil {
				return err
			}
			raw, _, err := o.message(c, d, input(args))
			if err == nil {
				raw, err = d.Redact(raw)
			}
			if err != nil {
				return err
			}
			return o.give(c, raw, binary)
		},
	}
	c.Flags().BoolVar(&binary, "binary", false, "print bytes, not hexadecimal")
	return c
}

func (o *options) sendCommand() *cobra.Command {
	var t Target
	var files tlsFiles
	var tpdu string
	c := &cobra.Command{
		Use: "send --to HOST:PORT [FILE]", Short: "Send one message to a host and show its answer", Args: cobra.MaximumNArgs(1),
		Long: `Sends one message, without its frame in the input, in the frame that --frame names
(binary2 when none is), and explains the first answer. TLS is used with --tls or
when a CA or certificate is named.

Exit codes: 0 an answer came, 1 it is broken, 2 wrong arguments, 3 none came.`,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.open(c)
			if err != nil {
				return err
			}
			frame := o.frame
			if frame == "" {
				frame = "binary2"
			}
			var framed bool
			if t.Framing, framed, err = framingOf(frame); err == nil && !framed {
				err = usage("an answer cannot be found without a frame", "name another --frame", nil)
			}
			if err != nil {
				return err
			}
			if t.TPDU, err = tpduOf(tpdu); err != nil {
				return err
			}
			if t.TLS, err = files.config(t.Address); err != nil {
				return err
			}
			bare := *o
			bare.frame = "none"
			raw, _, err := bare.message(c, d, input(args))
			if err != nil {
				return err
			}
			return answer(c, d, t, raw, o.unsafe)
		},
	}
	f := c.Flags()
	f.StringVar(&t.Address, "to", "", "`HOST:PORT` of the host")
	f.DurationVar(&t.Timeout, "timeout", 30*time.Second, "for connection, message and answer together")
	f.StringVar(&tpdu, "tpdu", "", "TPDU before the message, 5 bytes in `HEX`")
	f.BoolVar(&files.on, "tls", false, "use TLS and trust the system's authorities")
	f.StringVar(&files.ca, "ca", "", "`FILE` with the authority of the host's certificate, PEM")
	f.StringVar(&files.cert, "cert", "", "`FILE` with the client certificate, PEM")
	f.StringVar(&files.key, "key", "", "`FILE` with its key, PEM")
	f.StringVar(&files.name, "server-name", "", "name in the host's certificate; default that of --to")
	_ = c.MarkFlagRequired("to") // fails only for a flag that does not exist
	return c
}

// answer sends a message and prints what comes back.
func answer(c *cobra.Command, d *Dialect, t Target, raw []byte, unsafe bool) error {
	f, err := t.Send(c.Context(), raw)
	if err != nil {
		return err
	}
	r := d.Explain(f.Body, unsafe)
	r.Frame = &Frame{Header: t.Framing.Header.String(), Length: len(f.Body)}
	if !f.TPDU.IsZero() {
		r.Frame.TPDU = hexOf(f.TPDU[:])
		r.Frame.Length += len(f.TPDU)
	}
	return tell(c, r)
}
