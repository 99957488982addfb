// Command agent runs a card terminal: it talks to the card reader over a serial
// line, runs the EMV flow, keeps a crash-safe journal and sends ISO 8583 messages
// to the host. Its commands are in docs/agent.md, its configuration in
// agent/sample.yaml.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tallystick.example/agent/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
