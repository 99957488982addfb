// Command simulator plays everything around a payment system that a test has no
// hardware for: card, reader, PIN pad, bad network. It runs test vectors, the
// demo, and the tally that proves that all books match.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tallystick.example/simulator/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
