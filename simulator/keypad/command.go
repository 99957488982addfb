package keypad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/pure/secret"
	files "tallystick.example/internal/secret"
	"tallystick.example/simulator/internal/serialline"
)

// maxPause bounds the time between two keys.
const maxPause = 10 * time.Second

// Command is "simulator keypad".
func Command() *cobra.Command {
	var link, file string
	var pause time.Duration
	c := &cobra.Command{
		Use: "keypad --link PATH --pin-file FILE", Short: "Play a PIN keypad on a serial line", Args: cobra.NoArgs,
		Long: `Plays a PIN keypad on a serial line until interrupted, for lab mode. PATH becomes
a link to the terminal's end of the line. Each time the terminal asks for a PIN,
the keys in FILE are typed, and the enter key after them.

FILE has mode 0600 and is read anew at each prompt, so that the next PIN can be
another one: digits, and BS (08) or DEL (7F) to take one back, or ESC (1B) to
cancel. An empty file types the enter key alone, which is a PIN bypass.`,
		Example: "  printf 1234 > pin && chmod 600 pin\n  simulator keypad --link /tmp/keypad --pin-file pin",
		RunE:    func(c *cobra.Command, _ []string) error { return run(c, link, file, pause) },
	}
	c.Flags().StringVar(&link, "link", "", "path of the serial line (required)")
	c.Flags().StringVar(&file, "pin-file", "", "`FILE` with the keys to type (required)")
	c.Flags().DurationVar(&pause, "pause", 0, "time between two keys, up to 10s")
	// These flags exist, so that marking cannot fail.
	if err := errors.Join(c.MarkFlagRequired("link"), c.MarkFlagRequired("pin-file")); err != nil {
		panic(err)
	}
	return c
}

func run(c *cobra.Command, link, file string, pause time.Duration) error {
	if pause < 0 || pause > maxPause {
		return cli.Fail(cli.ExitUsage, fmt.Sprintf("--pause is %v, want 0 to %v", pause, maxPause), "", nil)
	}
	keys := func() (secret.Secret, error) {
		s, err := files.ReadFile(file)
		if err != nil {
			return secret.Secret{}, err
		}
		if err := check(s.Expose()); err != nil {
			s.Wipe()
			return secret.Secret{}, err
		}
		return s, nil
	}
	first, err := keys()
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the PIN file cannot be used", "write digits into a file with mode 0600", err)
	}
	first.Wipe()
	line, err := serialline.Open(link)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the line cannot be made", "choose another --link", err)
	}
	stop := context.AfterFunc(c.Context(), func() { line.Close() })
	defer stop()
	n, err := Cardholder{Keys: keys, Pause: pause}.Serve(c.Context(), line)
	if err != nil {
		return errors.Join(cli.Fail(cli.ExitFailed, "the keypad stopped", "", err), line.Close())
	}
	return cli.Print(c, map[string]int{"prompts": n}, fmt.Sprintf("%d prompts answered", n))
}
