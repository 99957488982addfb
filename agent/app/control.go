package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/terminal"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
)

// Commands of the control socket.
const (
	commandPay         = "pay"
	commandAbort       = "abort"
	commandStatus      = "status"
	commandSale        = "sale"
	commandExport      = "journal.export"
	commandLines       = "journal.lines"
	commandCheckpoints = "journal.checkpoints"
	commandReversals   = "reversals.list"
	commandRetry       = "reversals.retry"
)

// payArgs are the arguments of pay; amounts are decimal text in the terminal's
// currency, and the cashback comes on top of the amount.
type payArgs struct {
	Sale     string `json:"sale"`
	Amount   string `json:"amount"` // decimal, such as 12.34
	Cashback string `json:"cashback,omitempty"`
	Trace    bool   `json:"trace,omitempty"` // tell of each step of the EMV kernel
}

type saleArgs struct {
	Sale string `json:"sale"`
}

type retryArgs struct {
	Attempt uint64 `json:"attempt"`
}

// handler serves the control socket.
func handler(t *terminal.Terminal, cfg *params.Config) control.Handler {
	return func(ctx context.Context, r control.Request, emit func(any) error) (any, error) {
		switch r.Command {
		case commandPay:
			return pay(ctx, t, cfg, r, emit)
		case commandAbort:
			return map[string]bool{"stopped": t.Abort()}, nil
		case commandStatus:
			return t.Status(), nil
		case commandSale:
			return sale(t, r)
		case commandExport:
			return nil, stream(emit, func(w io.Writer) error { return t.Export(w) })
		case commandLines:
			return nil, stream(emit, func(w io.Writer) error { return t.Lines(w) })
		case commandCheckpoints:
			return nil, stream(emit, func(w io.Writer) error { return t.Checkpoints(w) })
		case commandReversals:
			return t.Reversals(), nil
		case commandRetry:
			var a retryArgs
			if err := control.DecodeArgs(r, &a); err != nil {
				return nil, cli.Fail(cli.ExitUsage, "the request is not valid", "", err)
			}
			if err := t.RetryReversal(a.Attempt); err != nil {
				return nil, cli.Fail(cli.ExitFailed, err.Error(), "see \"agent reversals list\"", nil)
			}
			return nil, nil
		}
		return nil, cli.Fail(cli.ExitUsage, "the agent knows no command "+r.Command, "use the same version of program and agent", nil)
	}
}

func pay(ctx context.Context, t *terminal.Terminal, cfg *params.Config, r control.Request, emit func(any) error) (any, error) {
	var a payArgs
	if err := control.DecodeArgs(r, &a); err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the request is not valid", "", err)
	}
	digits := cfg.Currency().MinorUnits
	amount, err := parseAmount(a.Amount, digits)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the amount is not valid", "write it like 12.34", err)
	}
	var cashback int64
	if a.Cashback != "" {
		if cashback, err = parseAmount(a.Cashback, digits); err != nil {
			return nil, cli.Fail(cli.ExitUsage, "the cashback is not valid", "write it like 12.34", err)
		}
	}
	// A till that has gone misses events; its payment goes on (see Terminal.Pay).
	tell := func(e terminal.Event) { _ = emit(e) }
	result, err := t.Pay(ctx, terminal.PayRequest{Sale: a.Sale, Amount: amount + cashback, Cashback: cashback, Trace: a.Trace}, tell)
	switch {
	case errors.Is(err, terminal.ErrBusy):
		return nil, cli.Fail(cli.ExitUnavailable, err.Error(), "wait for it, or stop it with \"agent abort\"", nil)
	case errors.Is(err, terminal.ErrRequest):
		return nil, cli.Fail(cli.ExitUsage, err.Error(), "", nil)
	case err != nil:
		return nil, cli.Fail(cli.ExitUnavailable, "the outcome is not known yet", "start the agent again, then ask with \"agent status --sale "+a.Sale+"\"", err)
	}
	return result, nil
}

func sale(t *terminal.Terminal, r control.Request) (any, error) {
	var a saleArgs
	if err := control.DecodeArgs(r, &a); err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the request is not valid", "", err)
	}
	result, ok := t.Sale(a.Sale)
	if !ok {
		return nil, cli.Fail(cli.ExitFailed, "the terminal does not know this sale: nothing was begun for it, or it is too long ago", "look into \"agent journal export\"", nil)
	}
	return result, nil
}

// stream sends what write writes, line by line, as events.
func stream(emit func(any) error, write func(io.Writer) error) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := write(w)
		done <- errors.Join(err, w.Close())
	}()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		if err := emit(json.RawMessage(bytes.Clone(lines.Bytes()))); err != nil {
			_ = r.CloseWithError(err) // ends the writer
			<-done
			return err
		}
	}
	return errors.Join(lines.Err(), <-done)
}

// parseAmount reads a decimal amount without sign into minor units.
func parseAmount(s string, digits int) (int64, error) {
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || point && fraction == "" || len(fraction) > digits || len(whole) > 12 {
		return 0, fmt.Errorf("%q is no amount with up to %d decimals", s, digits)
	}
	var minor int64
	for _, c := range whole + fraction + strings.Repeat("0", digits-len(fraction)) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is no amount with up to %d decimals", s, digits)
		}
		minor = minor*10 + int64(c-'0')
	}
	return minor, nil
}
