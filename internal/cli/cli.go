// Package cli holds the habits that the three programs' command lines share:
// the root command with --json, version and completion, exit codes that mean
// something, and errors that say what to do next.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tallystick.example/internal/version"
)

// Exit codes of every program.
const (
	ExitOK          = 0 // the command did what it was asked
	ExitFailed      = 1 // it was refused or declined, such as a declined payment
	ExitUsage       = 2 // wrong arguments or configuration
	ExitUnavailable = 3 // something it needs cannot be reached; trying again may help
	ExitIntegrity   = 4 // books, journal, audit chain or key state do not hold together
	ExitInternal    = 5 // a fault of the program itself
)

// A Failure is an error for a person: what happened, what to do next, and the
// exit code. Its texts never hold card data.
type Failure struct {
	Code int    // one of the Exit constants
	What string // what happened, one sentence without full stop
	Next string // what to do next; may be empty
	Err  error  // the cause, printed behind What; may be nil
}

// Error is what happened and why.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.What
	}
	return f.What + ": " + f.Err.Error()
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Fail makes a Failure.
func Fail(code int, what, next string, err error) error {
	return &Failure{Code: code, What: what, Next: next, Err: err}
}

// Root makes the root command of a program: subcommands are required, --json
// is understood everywhere, and version and completion are present.
func Root(name, short, long string) *cobra.Command {
	root := &cobra.Command{
		Use: name, Short: short, Long: long,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return Fail(ExitUsage, "no command was given", "see "+name+" --help", nil)
		},
	}
	root.PersistentFlags().Bool("json", false, "print machine-readable JSON instead of text")
	root.AddCommand(versionCommand(name))
	return root
}

// JSON reports whether --json was given to c.
func JSON(c *cobra.Command) bool {
	on, err := c.Flags().GetBool("json")
	return err == nil && on
}

// Print writes v as one line of JSON when --json was given, else text.
func Print(c *cobra.Command, v any, text string) error {
	if JSON(c) {
		return json.NewEncoder(c.OutOrStdout()).Encode(v)
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), text)
	return err
}

func versionCommand(name string) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this program", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			i := version.Of(name)
			return Print(c, i, i.String())
		},
	}
}

// Run executes root with args and returns the exit code. An error is printed to
// stderr as what happened and what to do next; with --json as one object with
// the keys error, next and exit.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		f = classify(c, err)
	}
	report(c, f, stderr)
	return f.Code
}

// classify turns an error that no command has classified into a Failure:
// cobra's own complaints are about usage.
func classify(c *cobra.Command, err error) *Failure {
	if errors.Is(err, context.Canceled) {
		return &Failure{Code: ExitFailed, What: "interrupted"}
	}
	return &Failure{Code: ExitUsage, What: err.Error(), Next: "see " + c.CommandPath() + " --help"}
}

// report prints a failure; a failing standard error leaves nobody to tell.
func report(c *cobra.Command, f *Failure, w io.Writer) {
	if JSON(c) {
		b, err := json.Marshal(map[string]any{"error": f.Error(), "next": f.Next, "exit": f.Code})
		if err == nil {
			fmt.Fprintf(w, "%s\n", b)
			return
		}
	}
	fmt.Fprintf(w, "%s: %s\n", c.Root().Name(), f.Error())
	if f.Next != "" {
		fmt.Fprintf(w, "  next: %s\n", f.Next)
	}
}
