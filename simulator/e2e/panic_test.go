package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/terminal"
)

// TestPanicsShowNothing provokes a panic at each stage, with the secrets that are
// at hand there in its message, and finds none of them in any file. The same run
// with redaction switched off finds each: so each stage was passed, and the scan
// would have seen it.
func TestPanicsShowNothing(t *testing.T) {
	bin := provoked(t)
	for _, redacted := range []bool{true, false} {
		t.Run(map[bool]string{true: "redacted", false: "unredacted"}[redacted], func(t *testing.T) {
			stageFile := filepath.Join(t.TempDir(), "stage")
			env := []string{"TALLYSTICK_TEST_STAGE=" + stageFile}
			if !redacted {
				env = append(env, "TALLYSTICK_TEST_UNREDACTED=1")
			}
			s, c := newCanarySystem(t, lab.Options{Bin: bin, Env: env, AnswerWithin: 2 * time.Second})
			p := &provoker{system: s, c: c, file: stageFile}
			for _, x := range stages() {
				p.provoke(x)
				if redacted {
					continue
				}
				found := p.logs(x.name)
				for _, name := range x.holds {
					if !slices.Contains(found, name) {
						t.Errorf("%s: with redaction switched off the %s is not found, only %v", x.name, name, found)
					}
				}
			}
			p.stopAll()
			r := c.scanFiles(s)
			if redacted {
				for _, f := range r.Findings {
					t.Errorf("found: %s", f)
				}
				p.untouched()
				return
			}
			for _, want := range []string{"PAN", "PIN", "issuer master key", "agent: initial key"} {
				if !slices.Contains(r.Secrets(), want) {
					t.Errorf("with redaction switched off no %s is found", want)
				}
			}
		})
	}
}

// A provoker drives a lab from stage to stage.
type provoker struct {
	*system
	c     *canaries
	file  string // holds the name of the stage that is to panic
	cards int
	bad   *terminal.Terminal
}

// provoke has one stage panic, and brings everything back to work.
func (p *provoker) provoke(x stage) {
	p.t.Helper()
	p.revive(x.by != byCardAddCLI && x.by != byKeyLoad)
	must(p.t, os.WriteFile(p.file, []byte(x.name), 0o600))
	var err error
	switch x.by {
	case byPayment:
		_, err = p.Pay(p.t.Context(), "1.00")
	case byClearPAN:
		err = p.clearPAN()
	case byCardAdd, byCardAddCLI:
		err = p.issue()
	case byKeyLoad:
		err = p.loadKey()
	}
	if err != nil { // it is the panic's; what it says is a file of the lab, too
		p.note(err)
	}
	if _, err := os.Stat(p.file); err == nil {
		p.t.Errorf("%s: the stage was not passed", x.name)
	}
}

// revive starts what has ended, or stops what must not run.
func (p *provoker) revive(run bool) {
	p.t.Helper()
	if !run {
		p.stopAll()
		return
	}
	// A panic in its loop ends the agent, a moment after the payment has failed.
	var err error
	for range 3 {
		p.startEnded()
		ctx, cancel := context.WithTimeout(p.t.Context(), 15*time.Second)
		err = p.AwaitReady(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	p.t.Fatal(err)
}

// startEnded starts what is not running.
func (p *provoker) startEnded() {
	p.t.Helper()
	for _, name := range []string{lab.Host, lab.Network, lab.Card, lab.Reader, lab.Keypad, lab.Agent} {
		if done := p.Exited(name); done != nil {
			select {
			case <-done:
			default:
				continue
			}
		}
		p.start(name)
	}
}

func (p *provoker) stopAll() {
	p.t.Helper()
	if err := p.Close(); err != nil {
		p.t.Logf("stopping: %v", err) // a host whose boundary has panicked may end so
	}
}

// note keeps what a command said.
func (p *provoker) note(err error) {
	p.t.Helper()
	f, openErr := os.OpenFile(p.Path("logs", "commands.err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(p.t, openErr)
	_, writeErr := fmt.Fprintln(f, err)
	must(p.t, errors.Join(writeErr, f.Close()))
}

// issue issues the canary card once more; that it is a second time the host sees
// only after the stages.
func (p *provoker) issue() error {
	p.cards++
	_, err := p.Run(p.t.Context(), lab.Host, "card", "add", "--pan", p.Path("secrets", "pan"), "--pin", p.Path("secrets", "pin"),
		"--imk", p.Path("secrets", "imk"), "--expiry", "4912", "--psn", psn, "--profile", "visa_cvn18", "--account", fmt.Sprintf("again-%d", p.cards))
	return err
}

// loadKey loads the agent's key set once more.
func (p *provoker) loadKey() error {
	blocks, err := filepath.Glob(p.Path("keys", "*.tr31"))
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(blocks[0], ".tr31")
	_, err = p.Run(p.t.Context(), lab.Agent, "key", "load", "--block", blocks[0], "--transport", base+".component1", "--transport", base+".component2")
	return err
}

// clearPAN sends a sale with the canary PAN in DE 2.
func (p *provoker) clearPAN() error {
	if p.bad == nil {
		p.bad = p.addTerminal("CLEAR001", "aes")
	}
	k, err := p.bad.Dial(p.t.Context())
	if err != nil {
		return err
	}
	defer k.Close()
	plan, err := p.bad.Plan(terminal.Sale{Card: p.c.card(), Minor: 1, Currency: 840})
	if err != nil {
		return err
	}
	keys, err := p.bad.NextKeys()
	if err != nil {
		return err
	}
	m, err := p.bad.Request(plan, keys)
	if err != nil {
		return err
	}
	m.SetDigits(2, text(p.c.pan))
	packed, err := terminal.Seal(m, keys)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Second) // a message that panics has no answer
	defer cancel()
	_, err = k.Exchange(ctx, m, packed, keys)
	return err
}

// logs are the canaries in the logs so far, in which the panic of a stage must be.
func (p *provoker) logs(stage string) []string {
	p.t.Helper()
	files, err := filepath.Glob(p.Path("logs", "*"))
	must(p.t, err)
	told := false
	for _, path := range files {
		b, err := os.ReadFile(path)
		must(p.t, err)
		told = told || strings.Contains(string(b), "provoked at "+stage+":")
	}
	if !told {
		p.t.Errorf("%s: no log tells of the panic", stage)
	}
	r := p.c.scan(p.Path("logs"))
	return r.Secrets()
}

// untouched holds that the panics are in the logs, by their kind.
func (p *provoker) untouched() {
	p.t.Helper()
	for _, name := range []string{"agent.err", "host.err"} {
		b, err := os.ReadFile(p.Path("logs", name))
		must(p.t, err)
		if !strings.Contains(string(b), "a goroutine panicked") {
			p.t.Errorf("%s tells of no panic", name)
		}
	}
}
