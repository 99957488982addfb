package app

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/iso8583"
	"tallystick.example/iso8583/spec"
)

func specCommand() *cobra.Command {
	c := &cobra.Command{Use: "spec", Args: cobra.NoArgs, Short: "Print the message specification in moov's JSON form",
		Long: `spec prints the layout of the terminal interface as a message specification of
github.com/moov-io/iso8583 in JSON, for other programs that use that library.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := iso8583.SpecJSON()
			if err != nil {
				return cli.Fail(cli.ExitInternal, "the specification cannot be written", "", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", b)
			return err
		}}
	c.AddCommand(specImportCommand(), specCheckCommand())
	return c
}

func specImportCommand() *cobra.Command {
	return &cobra.Command{Use: "import FILE", Args: cobra.ExactArgs(1), Short: "Turn a packager of jPOS (XML) into a message specification (JSON)",
		Long: `import reads a GenericPackager of jPOS (isopackager, isofield, isofieldpackager)
and prints the message specification that writes the same bytes, in the JSON form
of github.com/moov-io/iso8583. simulator msg takes either file.

A field whose class has no equal is refused by its number and the reason, all of
them at once. What the XML says beside the fields, such as a header before each
message or validators, is told on standard error and left out.`,
		Example: "  host spec import acquirer.xml > acquirer.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readSpec(args[0])
			if err != nil {
				return err
			}
			s, notes, err := spec.LoadJPOS(raw)
			if err != nil {
				return cli.Fail(cli.ExitFailed, "the packager cannot be turned into a specification", "change these fields, or write the JSON by hand", err)
			}
			b, err := s.JSON()
			if err != nil {
				return cli.Fail(cli.ExitInternal, "the specification cannot be written", "", err)
			}
			for _, n := range notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "note: "+n)
			}
			_, err = cmd.OutOrStdout().Write(b)
			return err
		}}
}

func specCheckCommand() *cobra.Command {
	return &cobra.Command{Use: "check FILE", Args: cobra.ExactArgs(1), Short: "Check a message specification in JSON",
		Long: `check reads a message specification in the JSON form of github.com/moov-io/iso8583
strictly: misspelt and duplicate keys, unknown types, encodings and prefixes, and
lengths that cannot be are errors that name the field.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readSpec(args[0])
			if err != nil {
				return err
			}
			s, err := spec.Load(raw)
			if err != nil {
				return cli.Fail(cli.ExitFailed, "the file is no specification", "change that field", err)
			}
			return cli.Print(cmd, map[string]any{"name": s.Name, "elements": len(s.Fields)},
				fmt.Sprintf("%s: %d elements", s.Name, len(s.Fields)))
		}}
}

// readSpec reads a file of bounded size.
func readSpec(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the file cannot be read", "name a file", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, spec.MaxSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the file cannot be read", "name a file", err)
	}
	return raw, nil
}
