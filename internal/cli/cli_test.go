package cli_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
)

func program() *cobra.Command {
	root := cli.Root("demo", "a program", "A program for the test.")
	root.AddCommand(&cobra.Command{Use: "refuse", RunE: func(*cobra.Command, []string) error {
		return cli.Fail(cli.ExitUnavailable, "the host did not answer", "start it", errors.New("connection refused"))
	}})
	return root
}

func run(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = cli.Run(context.Background(), program(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestExitCodesAndMessages(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
		want string // in stdout or stderr
	}{
		{[]string{"version"}, cli.ExitOK, "demo 0."},
		{[]string{"--json", "version"}, cli.ExitOK, `"program":"demo"`},
		{[]string{"refuse"}, cli.ExitUnavailable, "the host did not answer: connection refused\n  next: start it"},
		{[]string{"refuse", "--json"}, cli.ExitUnavailable, `"next":"start it"`},
		{[]string{"refsue"}, cli.ExitUsage, "refuse"}, // a typo is answered with the nearest command
		{[]string{"refuse", "--nope"}, cli.ExitUsage, "demo refuse --help"},
		{nil, cli.ExitUsage, "demo --help"},
		{[]string{"completion", "bash"}, cli.ExitOK, "bash completion"},
	} {
		code, out, errs := run(tc.args...)
		if code != tc.code || !strings.Contains(out+errs, tc.want) {
			t.Errorf("%v: exit %d, want %d; output %q lacks %q", tc.args, code, tc.code, out+errs, tc.want)
		}
	}
}
