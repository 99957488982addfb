// Command host is the acquirer's side of Tallystick. Its commands, its
// configuration and its files are described in docs/host.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tallystick.example/host/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code) // the only Exit of the program
}
