package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tallystick.example/internal/control"
	"tallystick.example/simulator/tally"
)

// commandWithin bounds a command that ends by itself.
const commandWithin = 2 * time.Minute

// Run runs a command of host or agent with the lab's configuration and --json
// and returns its standard output. An exit code other than 0 is an *ExitError.
func (l *Lab) Run(ctx context.Context, program string, args ...string) ([]byte, error) {
	config := l.HostConfig()
	if program == Agent {
		config = l.AgentConfig()
	}
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	var out, errs bytes.Buffer
	args = append(append([]string{}, args...), "--json")
	if !(program == Host && args[0] == "init") {
		args = append(args, "--config", config)
	}
	c := exec.CommandContext(ctx, l.bin(program), args...)
	c.Stdout, c.Stderr = &out, &errs
	c.Env = append(os.Environ(), l.env(program)...)
	if err := c.Run(); err != nil {
		code := -1
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			code = e.ExitCode()
		}
		return out.Bytes(), &ExitError{Command: program + " " + strings.Join(args[:min(2, len(args))], " "), Code: code, Text: strings.TrimSpace(errs.String())}
	}
	return out.Bytes(), nil
}

// An ExitError is the end of a command with an exit code other than 0.
type ExitError struct {
	Command string
	Code    int    // -1 when it did not end by itself
	Text    string // what it wrote to standard error
}

// Error names the command, the code and what it said.
func (e *ExitError) Error() string {
	return fmt.Sprintf("%s ended with %d: %s", e.Command, e.Code, e.Text)
}

// AwaitReady waits until the agent says that it can take a sale.
func (l *Lab) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		var s struct {
			Ready  bool   `json:"sale_ready"`
			Reader string `json:"reader"`
			WhyNot string `json:"why_not"`
		}
		err := control.Call(ctx, l.agentSocket(), "status", nil, nil, &s)
		if err == nil && s.Ready && s.Reader != "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the agent is not ready: %s (%w)", s.WhyNot, errors.Join(err, context.Cause(ctx)))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (l *Lab) agentSocket() string { return filepath.Join(l.agentData(), "agent.sock") }

// A Payment is what the agent says of one sale.
type Payment struct {
	Code   int               // exit code: 0 approved, 1 not, 3 not known
	Events []json.RawMessage // progress, in order
	Last   json.RawMessage   // the outcome
}

// Pay asks the agent for a sale of amount, such as "12.34", and waits for its
// outcome. Exit codes 0, 1 and 3 are outcomes; others are errors.
func (l *Lab) Pay(ctx context.Context, amount string, args ...string) (Payment, error) {
	out, err := l.Run(ctx, Agent, append([]string{"pay", "--amount", amount}, args...)...)
	var p Payment
	if e, ok := errors.AsType[*ExitError](err); ok {
		if e.Code != 1 && e.Code != 3 {
			return p, err
		}
		p.Code = e.Code
	} else if err != nil {
		return p, err
	}
	for line := range bytes.Lines(out) {
		p.Events = append(p.Events, bytes.Clone(bytes.TrimSpace(line)))
	}
	if n := len(p.Events); n > 0 {
		p.Last, p.Events = p.Events[n-1], p.Events[:n-1]
	}
	return p, nil
}

// Exports writes the books of all three parties into the folder exports and
// returns the paths.
func (l *Lab) Exports(ctx context.Context) ([]string, error) {
	if err := os.MkdirAll(l.Path("exports"), 0o700); err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range []struct {
		name, program string
		args          []string
	}{
		{"agent", Agent, []string{"journal", "export"}},
		{"host", Host, []string{"ledger", "export"}},
		{"issuer", Host, []string{"issuer", "export"}},
	} {
		out, err := l.Run(ctx, e.program, e.args...)
		if err != nil {
			return nil, err
		}
		path := l.Path("exports", e.name+".jsonl")
		if err := os.WriteFile(path, out, 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// Tally compares the books of the three parties and the agent's recorded wire.
func (l *Lab) Tally(ctx context.Context) (tally.Report, error) {
	paths, err := l.Exports(ctx)
	if err != nil {
		return tally.Report{}, err
	}
	var b tally.Books
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return tally.Report{}, err
		}
		if err := errors.Join(b.Add(path, f), f.Close()); err != nil {
			return tally.Report{}, err
		}
	}
	wire, err := os.Open(l.Path("trace", "agent", "wire.jsonl"))
	if err == nil {
		if err := errors.Join(b.AddWire("wire", wire), wire.Close()); err != nil {
			return tally.Report{}, err
		}
	} else if !os.IsNotExist(err) {
		return tally.Report{}, err
	}
	return tally.Check(b), nil
}
