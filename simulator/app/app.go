// Package app is the command line of the simulator.
package app

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/adversary"
	"tallystick.example/simulator/canary"
	"tallystick.example/simulator/card"
	"tallystick.example/simulator/demo"
	"tallystick.example/simulator/fault"
	"tallystick.example/simulator/keypad"
	"tallystick.example/simulator/msg"
	"tallystick.example/simulator/reader"
	"tallystick.example/simulator/sweep"
	"tallystick.example/simulator/tally"
	"tallystick.example/simulator/vectors"
)

const long = `Plays everything around a payment system that a test has no hardware for: chip
card, card reader on a serial line, PIN keypad, bad network. It runs test vectors
and the demo, and proves that the books of terminal, acquirer and issuer match.

Begin with "simulator demo": one chip-and-PIN payment through every part.

Exit codes: 0 done, 1 refused or failed, 2 wrong arguments, 3 something it needs
cannot be reached, 4 books or vectors do not hold together, 5 a fault of its own.`

// Main runs the simulator with args, without the program's name, and returns its
// exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return cli.Run(ctx, Root(), args, stdout, stderr)
}

// Root is the command tree of the simulator.
func Root() *cobra.Command {
	root := cli.Root("simulator", "Play card, reader, keypad and network; run vectors, demo and tally", long)
	root.AddCommand(demo.Command(), card.Command(), reader.Command(), keypad.Command(), fault.Command(), vectors.Command(), sweep.Command(), tally.Command(), canary.Command(), adversary.Command(), msg.Command())
	return root
}
