package card

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/emv"
	"tallystick.example/internal/cli"
)

const long = `A chip card in software, with real keys.

CARD is the name of a built-in card (see "simulator card list") or a YAML file;
docs/simulated-cards.md describes its keys.`

// Command is "simulator card".
func Command() *cobra.Command {
	c := &cobra.Command{
		Use: "card", Short: "Play a chip card", Long: long, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return cli.Fail(cli.ExitUsage, "no command was given", "see simulator card --help", nil)
		},
	}
	c.AddCommand(serveCommand(), listCommand(), showCommand(), caKeysCommand())
	return c
}

func serveCommand() *cobra.Command {
	var name, socket, state, log string
	c := &cobra.Command{
		Use:   "serve --socket PATH --card NAME|FILE [--state FILE] [--log FILE]",
		Short: "Serve a card on a Unix socket until interrupted",
		Long: `Serve a card on a Unix socket until interrupted. A simulated reader uses it with
--card unix:PATH.

With --state, transaction counter, PIN tries and blocks survive a restart; the
file is made durable before the card answers. Without it every start is a fresh
card. --log appends one JSON line for each command, PIN data, PANs, tracks and
names hidden; "-" is standard output.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c, name, socket, state, log) },
	}
	c.Flags().StringVar(&name, "card", "visa-chip", "name of a built-in card or a YAML file")
	c.Flags().StringVar(&socket, "socket", "", "path of the Unix socket (required)")
	c.Flags().StringVar(&state, "state", "", "file that keeps the card's counters")
	c.Flags().StringVar(&log, "log", "", `file for the commands as JSON lines; "-" for standard output`)
	return c
}

func serve(c *cobra.Command, name, socket, state, logPath string) (err error) {
	if socket == "" {
		return cli.Fail(cli.ExitUsage, "--socket is missing", "name the Unix socket to serve the card at", nil)
	}
	w, closeLog, err := OpenLog(logPath, c.OutOrStdout())
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the log cannot be written", "check the path of --log", err)
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	card, err := Open(name, state, w)
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the card cannot be used", "see simulator card list", err)
	}
	defer card.Wipe()
	l, err := Listen(socket)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the card's socket cannot be made", "choose another --socket", err)
	}
	if err := cli.Print(c, map[string]string{"card": card.profile.Name, "socket": socket}, "card "+card.profile.Name+" is served at "+socket); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := Serve(c.Context(), l, NewSlot(card)); err != nil {
		return cli.Fail(cli.ExitFailed, "the card has stopped", "", err)
	}
	return nil
}

// Open makes the card that --card, --state and --log of a command line name. log
// may be nil.
func Open(nameOrFile, state string, log io.Writer) (*Card, error) {
	p, err := Load(nameOrFile)
	if err != nil {
		return nil, err
	}
	store, err := OpenStore(state, p)
	if err != nil {
		return nil, err
	}
	var l *Log
	if log != nil {
		l = NewLog(log, time.Now)
	}
	return New(p, store, rand.Reader, l)
}

// OpenLog opens a log for appending: nothing for an empty path, stdout for "-".
func OpenLog(path string, stdout io.Writer) (io.Writer, func() error, error) {
	switch path {
	case "":
		return nil, func() error { return nil }, nil
	case "-":
		return stdout, func() error { return nil }, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}

// summary is what may be shown of a card.
type summary struct {
	Name    string   `json:"name"`
	Comment string   `json:"comment"`
	Apps    []appRow `json:"applications"`
}

type appRow struct {
	AID     string `json:"aid"`
	Label   string `json:"label"`
	PAN     string `json:"pan"` // masked
	Expiry  string `json:"expiry"`
	Profile string `json:"cryptogram"`
	CVMList string `json:"cvm_list"`
	// ODA are the methods of offline data authentication.
	ODA []string `json:"oda,omitempty"`
}

func summarize(p *Profile) summary {
	s := summary{Name: p.Name, Comment: p.Comment}
	for _, a := range p.Apps {
		s.Apps = append(s.Apps, appRow{
			AID: a.AID, Label: a.Label, PAN: emv.MaskPAN(a.PAN), Expiry: a.Expiry, Profile: a.Keys.Profile, CVMList: a.CVMList, ODA: a.ODA.Methods,
		})
	}
	return s
}

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the built-in cards", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var (
				all  []summary
				text []string
			)
			for _, name := range Names() {
				p, err := Load(name)
				if err != nil {
					return err
				}
				all = append(all, summarize(p))
				text = append(text, fmt.Sprintf("%-16s %s", name, p.Comment))
			}
			return cli.Print(c, all, strings.Join(text, "\n"))
		},
	}
}

func showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show CARD", Short: "Show a card, without PIN, keys and whole PAN", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := Load(args[0])
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the card cannot be read", "see simulator card list", err)
			}
			s := summarize(p)
			text := []string{s.Name + ": " + s.Comment}
			for _, a := range s.Apps {
				methods := cmp.Or(strings.Join(a.ODA, ", "), "none")
				text = append(text, fmt.Sprintf("  %s %s\n    PAN %s, expires %s (YYMM), cryptogram %s, CVM list %s\n    offline data authentication: %s",
					a.AID, a.Label, a.PAN, a.Expiry, a.Profile, a.CVMList, methods))
			}
			return cli.Print(c, s, strings.Join(text, "\n"))
		},
	}
}

func caKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ca-keys CARD", Short: "Print the card's test CA keys for an agent's configuration", Args: cobra.ExactArgs(1),
		Long: `ca-keys prints the key ca_keys of an agent's configuration with the authority
that stands behind the card's certificates. The keys are marked as test keys: an
agent takes them in lab mode only, since everybody has their private halves.`,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := Load(args[0])
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the card cannot be read", "see simulator card list", err)
			}
			keys, err := p.CAKeys()
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the card's keys cannot be used", "", err)
			}
			text, err := p.CAKeysYAML()
			if err != nil {
				return cli.Fail(cli.ExitUsage, "the card's keys cannot be used", "", err)
			}
			rows := []map[string]string{}
			for _, k := range keys {
				rows = append(rows, map[string]string{"rid": fmt.Sprintf("%X", k.RID), "index": fmt.Sprintf("%02X", k.Index),
					"modulus": fmt.Sprintf("%X", k.Modulus), "exponent": fmt.Sprintf("%X", k.Exponent), "checksum": fmt.Sprintf("%X", k.Checksum)})
			}
			return cli.Print(c, rows, cmp.Or(strings.TrimSuffix(text, "\n"), "ca_keys: []"))
		},
	}
}
