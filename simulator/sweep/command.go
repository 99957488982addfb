package sweep

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
)

// Command is `simulator sweep`.
func Command() *cobra.Command {
	o := Options{Image: -1}
	var target, what, edge, plant string
	var keep bool
	c := &cobra.Command{
		Use:   "sweep",
		Short: "Kill, cut the power and fail the disk at every event of a sale",
		Long: `Takes sales on a lab of the real programs and does something to one of them at
every durable write, sync, send and receive:

  kill   SIGKILL before and after the operation
  power  the machine stops: the disk keeps what was synced, and of later writes
         a random part, torn; --images of them, at random events
  error  the disk refuses the operation, with EIO and with ENOSPC

After each the program must come back by itself, the sale must have one end, the
till must not have been told another one, and sales must go on. At the end no
STAN and no KSN was used twice, and journal, ledger and issuer's book match.

It needs Linux with /dev/fuse and the right to mount. Exit code 4 when anything
was found or an event was not visited.`,
		Example: `  simulator sweep --bin bin --target agent --what kill
  simulator sweep --bin bin --target host --what power --images 1000 --seed 7`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Target, o.What, o.Plant = Target(target), What(what), Plant(plant)
			if edge != "both" {
				o.Edge = Edge(edge)
			}
			return command(c, o, keep)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Bin, "bin", "bin", "`FOLDER` with agent, host and simulator")
	f.StringVar(&o.Dir, "dir", "", "`FOLDER` to work in, with a short path; default: a new one in memory or in the temporary folder")
	f.StringVar(&target, "target", "agent", "program to stop: agent, host or boundary")
	f.StringVar(&what, "what", "kill", "what happens: kill, power or error")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of everything random")
	f.IntVar(&o.Images, "images", 100, "power cuts")
	f.StringVar(&edge, "edge", "both", "side of the operation: before, after, both, or either of them by the seed")
	f.StringVar(&o.Event, "event", "", "only this event, named as in the table")
	f.IntVar(&o.Image, "image", -1, "with --event: the image of this power cut")
	f.BoolVar(&o.Twice, "twice", false, "stop the program again while it recovers")
	f.StringVar(&plant, "plant", "", "put a mistake in, which must be found: nosync or send-before-write")
	f.BoolVar(&keep, "keep", false, "keep the folder")
	return c
}

func command(c *cobra.Command, o Options, keep bool) (err error) {
	if o.Dir == "" {
		parent, err := os.MkdirTemp(memory(), "sweep")
		if err != nil {
			return cli.Fail(cli.ExitUnavailable, "no folder can be made", "name one with --dir", err)
		}
		if !keep {
			defer os.RemoveAll(parent)
		}
		o.Dir = filepath.Join(parent, "l")
	}
	if err := o.check(); err != nil {
		return cli.Fail(cli.ExitUsage, err.Error(), "see simulator sweep --help", nil)
	}
	o.Progress = func(text string) { fmt.Fprintln(c.ErrOrStderr(), text) }
	r, err := Run(c.Context(), o)
	if err != nil {
		return cli.Fail(cli.ExitUnavailable, "the sweep could not be done", "it needs /dev/fuse, the right to mount, and the programs in --bin; --keep keeps the logs", err)
	}
	if cli.JSON(c) {
		err = json.NewEncoder(c.OutOrStdout()).Encode(r)
	} else {
		err = r.Print(c.OutOrStdout())
	}
	if err == nil && !r.OK {
		err = cli.Fail(cli.ExitIntegrity, fmt.Sprintf("the sweep found %d faults and missed %d events", len(r.Findings), len(r.Unvisited)), "do one again with its command above", nil)
	}
	return err
}

// memory is where a sweep is fastest: the disks of a sweep are bad by design, so
// a real one adds nothing but time.
func memory() string {
	const shm = "/dev/shm"
	if i, err := os.Stat(shm); err == nil && i.IsDir() {
		return shm
	}
	return os.TempDir()
}
