package app_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"testing"

	"tallystick.example/iso8583"
)

// process starts the host as a process of its own, which the test can kill.
func (l *lab) process() *exec.Cmd {
	l.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Command(exe, "serve", "--json", "--config", l.config)
	cmd.Stderr = l.logs
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		l.t.Fatalf("the host did not start: %v\n%s", err, l.logs)
	}
	var ready struct{ Listen string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		l.t.Fatal(err)
	}
	l.addr = ready.Listen
	return cmd
}

// paid is what the terminals of TestKill know.
type paid struct {
	mu      sync.Mutex
	kept    int64              // approved and answered
	open    []*iso8583.Message // sent, and no answer came
	answers int
}

// sales pays until the host is gone.
func (p *paid) sales(k *link, kill func()) {
	for range 200 {
		keys := k.advance()
		req := k.purchase(sale{minor: 10, pin: testPIN, entry: "901"}, keys)
		ans, err := k.exchange(seal(k.t, req, keys))
		p.mu.Lock()
		if err != nil {
			p.open = append(p.open, req)
			p.mu.Unlock()
			return
		}
		if ans.ResponseCode() == "00" {
			p.kept += 10
		}
		p.answers++
		now := p.answers == 15
		p.mu.Unlock()
		if now {
			kill()
		}
	}
}

// TestKill kills the host under load, again and again. After each start the
// terminals reverse what was not answered, as their rule is; then both books hold
// exactly the answered approvals.
func TestKill(t *testing.T) {
	l := newLab(t)
	l.addCard(testPAN, 10_000_000)
	l.write(l.dir+"/h/rules.yaml", "version: none\nrules: []\n")
	tms := []*terminal{l.addTerminal("TERM0001", "aes"), l.addTerminal("TERM0002", "aes"), l.addTerminal("TERM0003", "tdes")}
	p := &paid{}
	for round := range 3 {
		cmd := l.process()
		p.answers = 0
		var wg sync.WaitGroup
		for _, tm := range tms {
			k := tm.dial()
			wg.Go(func() {
				p.sales(k, func() {
					if err := cmd.Process.Kill(); err != nil {
						t.Error(err)
					}
				})
			})
		}
		wg.Wait()
		if err := cmd.Wait(); err == nil {
			t.Fatal("the host was not killed")
		}
		cmd = l.process()
		for _, req := range p.open {
			for _, tm := range tms {
				if tm.id == req.Terminal() {
					if rc := tm.dial().reverse(req); rc != "00" {
						t.Errorf("round %d: a reversal got %s", round, rc)
					}
				}
			}
		}
		p.open = nil
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("the host did not end in order: %v\n%s", err, l.logs)
		}
		l.sound(p.kept)
	}
	for _, x := range l.txs("--limit", "10000") {
		if x.State != "approved" && x.State != "declined" && x.State != "reversed" {
			t.Errorf("STAN %s is %s", x.STAN, x.State)
		}
	}
	l.run("audit", "verify")
}
