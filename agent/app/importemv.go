package app

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/params"
	"tallystick.example/internal/cli"
)

func importEMVCommand() *cobra.Command {
	var expires string
	var test bool
	c := &cobra.Command{
		Use: "import-emv FILE --expires DATE", Short: "Turn an EMV XML file of emv-utils into configuration", Args: cobra.ExactArgs(1),
		Long: `import-emv reads applications, CA keys and terminal data in the EMV XML form of
emv-utils and prints them as keys of this configuration, to be pasted there. What
has no place is listed as a comment.

The form has no terminal action codes: they come out as zeros, and those of your
schemes must be set. It says neither how long a CA key may be used (--expires) nor
whether it is a test key (--test). Keys with a wrong check sum are refused.`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			f, err := os.Open(args[0])
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the EMV XML cannot be opened", "check the path", err)
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			im, err := params.ImportEMV(f, expires, test)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the EMV XML cannot be imported", "correct the file; nothing was printed", err)
			}
			if _, err := fmt.Fprint(c.OutOrStdout(), im.YAML()); err != nil {
				return cli.Fail(cli.ExitFailed, "the configuration cannot be printed", "", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&expires, "expires", "", "last day on which the CA keys are used, such as 2031-12-31 (required)")
	c.Flags().BoolVar(&test, "test", false, "mark the CA keys as test keys, for lab mode")
	return c
}
