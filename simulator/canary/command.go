package canary

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
)

// Command is `simulator canary`.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "canary",
		Short: "Look for card numbers, PINs and keys where none may be",
		Long: `Give a system card numbers, PINs and keys that exist nowhere else (canary new),
let it work and fail, and scan what it has left (canary scan): files, databases
with their logs, compressed files, and the memory of processes.`,
	}
	c.AddCommand(newCommand(), scanCommand(), dumpCommand())
	return c
}

func newCommand() *cobra.Command {
	var prefix string
	c := &cobra.Command{
		Use: "new FILE", Short: "Draw a PAN of 19 digits, a PIN of 12 and two keys", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			list, err := draw(rand.Reader, prefix)
			if err == nil {
				err = WriteSecrets(args[0], list)
			}
			if err != nil {
				return cli.Fail(cli.ExitFailed, "the secrets could not be made", "name a file that does not exist", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&prefix, "bin", "676280", "first `DIGITS` of the PAN")
	return c
}

// draw makes one canary of each kind.
func draw(random io.Reader, prefix string) ([]Secret, error) {
	if len(prefix) > 12 {
		return nil, fmt.Errorf("a BIN of %d digits leaves too little to chance", len(prefix))
	}
	pan, err1 := NewDigits(random, "pan", prefix, 19, true)
	pin, err2 := NewDigits(random, "pin", "", 12, false)
	imk, err3 := NewKey(random, "imk", 16)
	key, err4 := NewKey(random, "key", 32)
	return []Secret{pan, pin, imk, key}, errors.Join(err1, err2, err3, err4)
}

func scanCommand() *cobra.Command {
	var secrets string
	var skip []string
	var pids []int
	c := &cobra.Command{
		Use: "scan [--secrets FILE] PATH…", Short: "Scan files, folders and processes for secrets",
		Long: `Scans every PATH, folders with everything below them, and the memory of every
--pid, for the secrets in a file: a JSON array of {"name","kind","value"}, kind
"digits" (a PAN or PIN) or "key" (hexadecimal), mode 0600.

Each finding is a line with file, offset and form; the secret itself is never
printed. The exit code is 0 when nothing was found and everything could be read,
1 when something was found, 3 when a part could not be read.`,
		Example: "  simulator canary scan --secrets canaries.json --skip h/lmk-component1 h/ agent-data/",
		RunE: func(c *cobra.Command, paths []string) error {
			if len(paths)+len(pids) == 0 {
				return cli.Fail(cli.ExitUsage, "there is nothing to scan", "name files, folders or --pid", nil)
			}
			r, err := scanAll(c, secrets, paths, skip, pids)
			if err != nil {
				return err
			}
			return tell(c, r)
		},
	}
	c.Flags().StringVar(&secrets, "secrets", "", "`FILE` with the secrets")
	c.Flags().StringArrayVar(&skip, "skip", nil, "`PATH` to leave out; may be given again")
	c.Flags().IntSliceVar(&pids, "pid", nil, "process whose memory is scanned; as root")
	_ = c.MarkFlagRequired("secrets") // fails only for a flag that does not exist
	return c
}

func scanAll(c *cobra.Command, secrets string, paths, skip []string, pids []int) (Report, error) {
	list, err := ReadSecrets(secrets)
	if err != nil {
		return Report{}, cli.Fail(cli.ExitUsage, "the secrets cannot be read", "see simulator canary scan --help", err)
	}
	s, err := New(list...)
	if err != nil {
		return Report{}, cli.Fail(cli.ExitUsage, "these secrets cannot be looked for", "use longer ones", err)
	}
	r, err := s.Paths(c.Context(), paths, append(skip, secrets))
	if err != nil {
		return r, err
	}
	for _, pid := range pids {
		m, err := s.Process(c.Context(), pid)
		if err != nil {
			return r, cli.Fail(cli.ExitUnavailable, "the memory cannot be read", "run as root, while the process runs", err)
		}
		r.merge(m)
	}
	return r, nil
}

// merge adds the report of another scan.
func (r *Report) merge(o Report) {
	r.Findings = append(r.Findings, o.Findings...)
	r.Opaque = append(r.Opaque, o.Opaque...)
	r.Incomplete = append(r.Incomplete, o.Incomplete...)
	r.Omitted, r.Files, r.Bytes = r.Omitted+o.Omitted, r.Files+o.Files, r.Bytes+o.Bytes
}

// tell prints a report and gives the exit code.
func tell(c *cobra.Command, r Report) error {
	w := c.OutOrStdout()
	if cli.JSON(c) {
		if err := json.NewEncoder(w).Encode(r); err != nil {
			return err
		}
	} else {
		for _, f := range r.Findings {
			fmt.Fprintln(w, f)
		}
		for _, x := range append(r.Opaque, r.Incomplete...) {
			fmt.Fprintln(w, "not scanned: "+x)
		}
		fmt.Fprintf(w, "%d findings in %d files, %d bytes\n", len(r.Findings)+r.Omitted, r.Files, r.Bytes)
	}
	switch {
	case len(r.Findings) > 0:
		return cli.Fail(cli.ExitFailed, "secrets were found", "", nil)
	case !r.Clean():
		return cli.Fail(cli.ExitUnavailable, "not everything could be scanned", "see the lines that begin with \"not scanned\"", nil)
	}
	return nil
}

func dumpCommand() *cobra.Command {
	var out string
	var pid int
	c := &cobra.Command{
		Use: "dump", Short: "Write the memory of a process to a file, as root", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the file cannot be made", "name a file that does not exist", err)
			}
			n, err := Dump(c.Context(), pid, f)
			if err := errors.Join(err, f.Close()); err != nil {
				return cli.Fail(cli.ExitUnavailable, "the memory cannot be read", "run as root, while the process runs", err)
			}
			return cli.Print(c, map[string]any{"bytes": n}, fmt.Sprintf("%d bytes", n))
		},
	}
	c.Flags().StringVar(&out, "out", "", "`FILE` to make")
	c.Flags().IntVar(&pid, "pid", 0, "the process")
	_ = c.MarkFlagRequired("out") // these fail only for a flag that does not exist
	_ = c.MarkFlagRequired("pid")
	return c
}
