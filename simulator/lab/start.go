package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"tallystick.example/internal/control"
	"tallystick.example/simulator/fault"
)

// agentYAML is the configuration of the lab's terminal.
func (l *Lab) agentYAML() (string, error) {
	a := l.profile.Apps[0]
	caKeys, err := l.profile.CAKeysYAML()
	if err != nil {
		return "", fmt.Errorf("the card: %w", err)
	}
	var apps strings.Builder
	for _, app := range l.profile.Apps {
		fmt.Fprintf(&apps, "  - aid: %s\n    partial: true\n    version: \"0096\"\n    tac_denial: \"0010000000\"\n"+
			"    tac_online: D84004F800\n    tac_default: D84000A800\n", app.AID)
	}
	return fmt.Sprintf(`mode: lab
log_level: info
data_dir: %s
terminal:
  id: %s
  merchant: %s
  name: Corner Shop
  address: [1 High Street, Exampletown]
  currency: %s
  country: %s
host:
  address: %s
  server_name: localhost
  ca: agent.crt.ca
  certificate: agent.crt
  answer_within: %s
reader:
  path: reader
  lock_dir: %s
keypad:
  path: keypad
reversals:
  first: 200ms
  max: 2s
applications:
%s%slab:
  trace_dir: trace/agent
  raw_wire: %v
`, l.agentData(), Terminal, Merchant, currencyLetters(a.Currency), strings.TrimLeft(a.Country, "0"),
		l.target(), l.o.AnswerWithin, l.dir, apps.String(), caKeys, l.o.RawWire), nil
}

// currencyLetters are the codes that cards of the lab use.
func currencyLetters(numeric string) string {
	switch strings.TrimLeft(numeric, "0") {
	case "840":
		return "USD"
	case "826":
		return "GBP"
	}
	return "EUR"
}

// target is where the agent finds the host: the network, once it listens.
func (l *Lab) target() string {
	if l.proxy == "" {
		return "127.0.0.1:1"
	}
	return l.proxy
}

func (l *Lab) bin(program string) string { return filepath.Join(l.o.Bin, program) }

// arguments of each process, and what shows that it is ready: a path that
// appears, or the first line on standard output.
func (l *Lab) command(name string) (program string, args []string, appears string) {
	switch name {
	case Host:
		return "host", []string{"serve", "--json", "--config", l.HostConfig()}, ""
	case Boundary:
		return "host", []string{"hsm", "serve", "--config", filepath.Join(l.hostDir(), "hsm.yaml")}, filepath.Join(l.hostDir(), "run", "boundary.sock")
	case Network:
		return "simulator", []string{"fault", "tcp", "--listen", l.listenOn(), "--target", l.address, "--control", l.Path("network.sock")}, ""
	case Card:
		return "simulator", []string{"card", "serve", "--socket", l.Path("card.sock"), "--card", l.o.CardFile,
			"--state", l.Path("card.state"), "--log", l.Path("trace", "card.jsonl")}, l.Path("card.sock")
	case Reader:
		return "simulator", []string{"reader", "ccid", "--link", l.Path("reader"), "--card", "unix:" + l.Path("card.sock"),
			"--log", l.Path("trace", "reader.jsonl")}, l.Path("reader")
	case Keypad:
		return "simulator", []string{"keypad", "--link", l.Path("keypad"), "--pin-file", l.Path("secrets", "typed")}, l.Path("keypad")
	case Agent:
		return "agent", []string{"serve", "--config", l.AgentConfig()}, ""
	}
	panic("lab: no process is called " + name)
}

// listenOn keeps the network's address over a restart.
func (l *Lab) listenOn() string {
	if l.proxy == "" {
		return "127.0.0.1:0"
	}
	return l.proxy
}

// TypePIN sets the PIN that the cardholder types from the next start of the
// keypad on.
func (l *Lab) TypePIN(pin string) error {
	return os.WriteFile(l.Path("secrets", "typed"), []byte(pin), 0o600)
}

func (l *Lab) start(ctx context.Context, name string) error {
	if name == Keypad {
		if _, err := os.Stat(l.Path("secrets", "typed")); err != nil {
			pin := l.o.PIN
			if pin == "" {
				pin = l.profile.PIN
			}
			if err := l.TypePIN(pin); err != nil {
				return err
			}
		}
	}
	program, args, appears := l.command(name)
	if appears != "" {
		if err := os.Remove(appears); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	p, err := launch(name, l.Path("logs"), l.bin(program), l.env(program), args...)
	if err != nil {
		return err
	}
	l.setProcess(name, p)
	var check func() bool
	if appears != "" {
		check = func() bool { _, err := os.Stat(appears); return err == nil }
	}
	text, err := p.await(ctx, check)
	if err != nil {
		return err
	}
	return l.ready(name, text)
}

// env turns the lab's traces on.
func (l *Lab) env(program string) []string {
	env := l.o.Env
	switch program {
	case "host":
		env = append([]string{"TALLYSTICK_HOST_LAB_TRACE_DIR=" + l.Path("trace", "host")}, env...)
	case "agent":
		env = append([]string{"TALLYSTICK_AGENT_HOST_ADDRESS=" + l.target()}, env...)
	}
	return env
}

// ready reads what a process says when it is ready.
func (l *Lab) ready(name, text string) error {
	var said struct {
		Listen    string `json:"listen"`
		Listening string `json:"listening"`
	}
	switch name {
	case Host:
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			return fmt.Errorf("its first line: %w", err)
		}
		if _, _, err := net.SplitHostPort(said.Listen); err != nil {
			return fmt.Errorf("its address: %w", err)
		}
		l.address = said.Listen
	case Network:
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			return fmt.Errorf("its first line: %w", err)
		}
		l.proxy = said.Listening
	}
	return nil
}

// SetNetwork changes what the network between agent and host does.
func (l *Lab) SetNetwork(ctx context.Context, d fault.Direction, p fault.Policy) error {
	return control.Call(ctx, l.Path("network.sock"), "set", map[string]any{"direction": d, "policy": p}, nil, nil)
}

// HostAddress is where the host itself listens, past the network.
func (l *Lab) HostAddress() string { return l.address }
