package vectors

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
)

const long = `Run test vectors against the libraries of this project.

Each PATH is a file of the schema tallystick-vectors/1 (testvectors/README.md) or
a folder, of which all .json files are run. Without PATH, the vectors that are
built in are run.

A case passes when every key of its "out" is equal, or when it says "reject" and
the operation ends with an error. A file that cannot be read or breaks the
schema is a failure. A case of an unknown operation is skipped. The last line
reads "N passed, N failed, N skipped"; the exit code is 0 only when nothing
failed and nothing was skipped.

With --answers, cases that state neither "out" nor "reject" are computed and
written to the file OUT as JSON lines: {"id":…,"out":{…}} or
{"id":…,"reject":true}. Without it they are skipped. OUT "-" is standard output,
where the report then goes to standard error.`

// Command is "simulator vectors".
func Command() *cobra.Command {
	var answers string
	c := &cobra.Command{
		Use:   "vectors [--json] [--answers OUT] [PATH…]",
		Short: "Run test vectors",
		Long:  long,
		Example: `  simulator vectors
  simulator vectors testvectors/mac.json
  simulator vectors --answers answers.jsonl questions/`,
		RunE: func(c *cobra.Command, paths []string) error { return command(c, paths, answers) },
	}
	c.Flags().StringVar(&answers, "answers", "", "write the results of cases that state none to this file")
	return c
}

func command(c *cobra.Command, paths []string, answers string) error {
	report, err := runTo(c, paths, answers)
	if err != nil {
		return cli.Fail(cli.ExitFailed, "the vectors did not run to the end", "", err)
	}
	out := c.OutOrStdout()
	if answers == "-" {
		out = c.ErrOrStderr()
	}
	if cli.JSON(c) {
		err = json.NewEncoder(out).Encode(report)
	} else {
		err = report.WriteText(out)
	}
	if err != nil {
		return cli.Fail(cli.ExitFailed, "the report could not be written", "", err)
	}
	if !report.OK() {
		return cli.Fail(cli.ExitFailed, "not all vectors passed: "+report.Summary(), "", nil)
	}
	return nil
}

// runTo runs the vectors with the answers going to the file named answers, which
// is complete on the disk when it returns without an error.
func runTo(c *cobra.Command, paths []string, answers string) (Report, error) {
	switch answers {
	case "":
		return Run(c.Context(), paths, Options{})
	case "-":
		return runBuffered(c, paths, c.OutOrStdout())
	}
	f, err := os.Create(answers)
	if err != nil {
		return Report{}, err
	}
	report, err := runBuffered(c, paths, f)
	return report, errors.Join(err, f.Sync(), f.Close())
}

func runBuffered(c *cobra.Command, paths []string, w io.Writer) (Report, error) {
	b := bufio.NewWriter(w)
	report, err := Run(c.Context(), paths, Options{Answers: b})
	return report, errors.Join(err, b.Flush())
}
