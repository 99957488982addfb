// Package lab builds a whole payment system out of the real programs, in one
// folder and on loopback: host with its boundary, card, reader, keypad, network
// and agent, each its own process. The demo, the crash sweep and the tests of
// whole programs stand on it.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"

	"tallystick.example/simulator/card"
)

// Names of the processes.
const (
	Host    = "host"
	Card    = "card"
	Reader  = "reader"
	Keypad  = "keypad"
	Network = "network"
	Agent   = "agent"
	// Boundary is the HSM boundary as a process of its own. StartAll leaves it to
	// the host, which starts one as its child; a test that starts it by itself
	// tells the host of its socket by SetEnv, and stops it after the host.
	Boundary = "boundary"
)

// order is the order of starting; stopping is the reverse.
var order = []string{Host, Network, Card, Reader, Keypad, Agent}

// Identity of the lab's terminal.
const (
	Terminal = "TERM0001"
	Merchant = "MERCHANT0000001"
)

// Options say what lab to build. Only Bin and Dir are needed.
type Options struct {
	Bin string // folder with agent, host and simulator
	Dir string // folder for everything; must be empty or absent, its path short
	// Scheme of the terminal's DUKPT key: aes (default) or tdes.
	Scheme string
	// CardFile is a card profile: a built-in name (default visa-chip) or a file.
	CardFile string
	// PIN that the cardholder types; empty takes the profile's.
	PIN string
	// Balance of the cardholder's account in minor units; 0 means 100000.
	Balance int64
	// IMK replaces the issuer master key that the issuer is given, as
	// hexadecimal text, so that card and issuer disagree.
	IMK string
	// AnswerWithin is how long the agent waits for an answer; 0 means 25 s.
	AnswerWithin time.Duration
	// AgentData and HostData move data folders, such as onto a bad disk.
	AgentData, HostData string
	// Rules is YAML that is added to the host's rules of scoring.
	Rules string
	// Faults are added to the card.
	Faults card.Faults
	// RawWire lets the agent record messages with PIN block and card data as
	// they are sent, so that others can recompute them. Test cards only.
	RawWire bool
	// Env is added to the environment of every program.
	Env []string
}

// A Lab is a payment system in a folder. Its methods are not safe for
// concurrent use, except Pay, Run, PID and Exited.
type Lab struct {
	o       Options
	dir     string
	profile *card.Profile
	mu      sync.Mutex // guards procs
	procs   map[string]*process
	address string // where the host listens
	proxy   string // where the network listens
}

// New makes the folder and everything durable in it: the host's keys and books,
// the card's account, the terminal's certificate and key. Nothing runs when it
// returns.
func New(ctx context.Context, o Options) (*Lab, error) {
	if o.Scheme == "" {
		o.Scheme = "aes"
	}
	if o.CardFile == "" {
		o.CardFile = "visa-chip"
	}
	if o.Balance == 0 {
		o.Balance = 100_000
	}
	if o.AnswerWithin == 0 {
		o.AnswerWithin = 25 * time.Second
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	p, err := card.Load(o.CardFile)
	if err != nil {
		return nil, fmt.Errorf("the card: %w", err)
	}
	l := &Lab{o: o, dir: dir, profile: p, procs: map[string]*process{}}
	if err := l.folders(); err != nil {
		return nil, err
	}
	if !reflect.ValueOf(o.Faults).IsZero() {
		if err := l.faultyCard(); err != nil {
			return nil, err
		}
	}
	for _, step := range []func(context.Context) error{l.initHost, l.initCard, l.initAgent} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Path is the path of a file in the lab's folder.
func (l *Lab) Path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// SetEnv replaces Options.Env for what is started from now on.
func (l *Lab) SetEnv(env []string) { l.o.Env = env }

// Profile is the card of the lab.
func (l *Lab) Profile() *card.Profile { return l.profile }

func (l *Lab) folders() error {
	if entries, err := os.ReadDir(l.dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("the folder %s is not empty", l.dir)
	}
	for _, d := range []string{"logs", "secrets", "trace/agent", "trace/host"} {
		if err := os.MkdirAll(l.Path(d), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// hostDir holds the host's configuration, keys and books.
func (l *Lab) hostDir() string {
	if l.o.HostData != "" {
		return l.o.HostData
	}
	return l.Path("host")
}

func (l *Lab) agentData() string {
	if l.o.AgentData != "" {
		return l.o.AgentData
	}
	return l.Path("agent")
}

// HostConfig and AgentConfig are the paths of the configurations.
func (l *Lab) HostConfig() string { return filepath.Join(l.hostDir(), "host.yaml") }

// AgentConfig is the path of the agent's configuration.
func (l *Lab) AgentConfig() string { return l.Path("agent.yaml") }

func (l *Lab) initHost(ctx context.Context) error {
	if l.o.HostData == "" {
		if err := os.Mkdir(l.hostDir(), 0o700); err != nil {
			return err
		}
	}
	if _, err := l.Run(ctx, Host, "init", "--dir", l.hostDir(), "--lab", "--listen", "127.0.0.1:0"); err != nil {
		return err
	}
	if l.o.Rules == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(l.hostDir(), "rules.yaml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(l.o.Rules)
	return errors.Join(err, f.Close())
}

// faultyCard writes the card with its faults into the lab and uses that one.
func (l *Lab) faultyCard() error {
	p := *l.profile
	p.Faults = l.o.Faults
	b, err := yaml.Marshal(p)
	if err != nil {
		return fmt.Errorf("the card: %w", err)
	}
	l.o.CardFile = l.Path("secrets", "card.yaml")
	if err := os.WriteFile(l.o.CardFile, b, 0o600); err != nil {
		return err
	}
	l.profile, err = card.Load(l.o.CardFile)
	return err
}

// HostDatabase is the file of the acquirer's books.
func (l *Lab) HostDatabase() string { return filepath.Join(l.hostDir(), "db", "host.db") }

// initCard opens the cardholder's account and issues the card.
func (l *Lab) initCard(ctx context.Context) error {
	a := l.profile.Apps[0]
	imk := a.Keys.IMKAC
	if l.o.IMK != "" {
		imk = l.o.IMK
	}
	files := map[string]string{"pan": a.PAN, "imk": imk}
	if l.profile.PIN != "" {
		files["pin"] = l.profile.PIN
	}
	args := []string{
		"card", "add", "--expiry", a.Expiry, "--psn", a.PSN, "--profile", a.Keys.Profile,
		"--account", "cardholder-1", "--balance", fmt.Sprint(l.o.Balance), "--currency", strings.TrimLeft(a.Currency, "0"),
	}
	for name, text := range files {
		path := l.Path("secrets", name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		args = append(args, "--"+name, path)
	}
	_, err := l.Run(ctx, Host, args...)
	return err
}

// initAgent makes the terminal's key, has it certified, and loads its DUKPT key.
func (l *Lab) initAgent(ctx context.Context) error {
	config, err := l.agentYAML()
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.AgentConfig(), []byte(config), 0o600); err != nil {
		return err
	}
	csr, cert, keys := l.Path("agent.csr"), l.Path("agent.crt"), l.Path("keys")
	if _, err := l.Run(ctx, Agent, "enroll", "--out", csr); err != nil {
		return err
	}
	if _, err := l.Run(ctx, Host, "terminal", "add", Terminal, "--merchant", Merchant, "--csr", csr, "--out", cert); err != nil {
		return err
	}
	if _, err := l.Run(ctx, Host, "terminal", "keys", Terminal, "--scheme", l.o.Scheme, "--out", keys); err != nil {
		return err
	}
	return l.loadKey(ctx, keys)
}

func (l *Lab) loadKey(ctx context.Context, keys string) error {
	blocks, err := filepath.Glob(filepath.Join(keys, "*.tr31"))
	if err != nil || len(blocks) != 1 {
		return fmt.Errorf("want one key block in %s, found %d (%w)", keys, len(blocks), err)
	}
	base := strings.TrimSuffix(blocks[0], ".tr31")
	_, err = l.Run(ctx, Agent, "key", "load", "--block", blocks[0], "--transport", base+".component1", "--transport", base+".component2")
	return err
}

// StartAll starts every process and waits until the agent can take a sale.
func (l *Lab) StartAll(ctx context.Context) error {
	for _, name := range order {
		if err := l.Start(ctx, name); err != nil {
			return err
		}
	}
	return l.AwaitReady(ctx)
}

// Start starts one process and waits until it is ready.
func (l *Lab) Start(ctx context.Context, name string) error {
	if p := l.process(name); p != nil {
		select {
		case <-p.done:
		default:
			return fmt.Errorf("%s is running", name)
		}
	}
	if err := l.start(ctx, name); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	return nil
}

// Stop asks a process to end and waits for it.
func (l *Lab) Stop(name string) error { return l.end(name, syscall.SIGTERM) }

// Kill kills a process with SIGKILL and waits for its end.
func (l *Lab) Kill(name string) error { return l.end(name, syscall.SIGKILL) }

func (l *Lab) end(name string, sig os.Signal) error {
	p := l.process(name)
	if p == nil {
		return nil
	}
	l.setProcess(name, nil)
	if err := p.stop(sig); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	return nil
}

// Exited returns a channel that closes when the process has ended by itself or
// by a signal; nil when it was never started.
func (l *Lab) Exited(name string) <-chan struct{} {
	if p := l.process(name); p != nil {
		return p.done
	}
	return nil
}

// PID is the process id, 0 when it does not run.
func (l *Lab) PID(name string) int {
	if p := l.process(name); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// process is the newest process of a name, nil where none was started.
func (l *Lab) process(name string) *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.procs[name]
}

// setProcess notes a process; nil forgets it.
func (l *Lab) setProcess(name string, p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p == nil {
		delete(l.procs, name)
		return
	}
	l.procs[name] = p
}

// Close stops everything, in reverse order.
func (l *Lab) Close() error {
	var errs []error
	for i := len(order) - 1; i >= 0; i-- {
		errs = append(errs, l.Stop(order[i]))
	}
	return errors.Join(errs...)
}
