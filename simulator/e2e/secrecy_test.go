package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tallystick.example/simulator/fault"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/terminal"
)

// TestNothingReadable runs everything with canaries (approved, declined and
// reversed payments of the agent and of other terminals of both schemes, under
// load), kills agent and host with SIGABRT, and then finds nothing in any file,
// and nothing in the memory of the host.
func TestNothingReadable(t *testing.T) {
	s, c := newCanarySystem(t, lab.Options{AnswerWithin: 3 * time.Second, Env: []string{"GOTRACEBACK=crash"}})
	must(t, s.StartAll(t.Context()))
	for range 2 {
		p, err := s.Pay(t.Context(), "12.34")
		must(t, err)
		if p.Code != 0 {
			t.Fatalf("the payment was not approved: %s", p.Last)
		}
	}
	must(t, s.SetNetwork(t.Context(), fault.Down, fault.Policy{Mode: fault.Drop}))
	if p, err := s.Pay(t.Context(), "5.00"); err != nil || p.Code != 1 {
		t.Errorf("a payment without answer: %d %s, %v", p.Code, p.Last, err)
	}
	must(t, s.SetNetwork(t.Context(), fault.Down, fault.Policy{Mode: fault.Pass}))
	must(t, s.AwaitReady(t.Context()))
	stop := c.load(s)
	c.memory(s)
	stop()
	c.abort(s, lab.Agent)
	c.abort(s, lab.Host)
	must(t, s.Close())
	for _, f := range c.scanFiles(s).Findings {
		t.Errorf("found: %s", f)
	}
}

// load lets terminals of both schemes pay with the canary card until stop.
func (c *canaries) load(s *system) (stop func()) {
	c.t.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i, scheme := range []string{"aes", "tdes"} {
		tm := s.addTerminal(fmt.Sprintf("LOAD%04d", i), scheme)
		card := c.card()
		wg.Go(func() {
			k, err := tm.Dial(c.t.Context())
			if err != nil {
				c.t.Error(err)
				return
			}
			defer k.Close()
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				// A stripe with PIN needs no order among the terminals. Each tenth PIN is
				// wrong, each seventh sale is reversed.
				sale := terminal.Sale{Card: card, Minor: 1, Currency: 840, PIN: text(c.pin), Entry: "901"}
				if n%10 == 9 {
					sale.PIN = strings.Repeat("0", 12)
				}
				req, _, err := k.Pay(c.t.Context(), sale)
				if err == nil && n%7 == 6 {
					_, err = k.Reverse(c.t.Context(), req)
				}
				if err != nil {
					c.t.Error(err)
					return
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

// memory looks at the memory of the processes under load, as root's core dump of
// them would hold it. The host's holds no secret. What the others may hold is said
// in docs/security.md: the agent the card in its reader and keys that it has used,
// the boundary everything that it opens; neither the keys of issuers.
func (c *canaries) memory(s *system) {
	c.t.Helper()
	paying := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(paying)
		// The other terminals hold or spend PIN tries of the same card: a payment that
		// finds none left (75) is taken again.
		for paid, refused := 0, 0; paid < 3; {
			p, err := s.Pay(c.t.Context(), "1.00")
			switch {
			case err == nil && p.Code == 0:
				paid++
			case err == nil && strings.Contains(string(p.Last), `"rc":"75"`) && refused < 20:
				refused++
			default:
				c.t.Errorf("a payment under load: %d %s, %v", p.Code, p.Last, err)
				return
			}
		}
	})
	defer wg.Wait()
	for looks, busy := 0, true; busy || looks < 2; looks++ {
		select {
		case <-paying:
			busy = false
		default:
		}
		c.look(lab.Host, s.PID(lab.Host), func(string) bool { return false })
		c.look(lab.Agent, s.PID(lab.Agent), func(secret string) bool {
			return secret == "PAN" || secret == "PIN" || strings.HasPrefix(secret, "agent, counter ")
		})
		c.look(boundary, childOf(c.t, s.PID(lab.Host)), func(secret string) bool {
			return secret == "PAN" || secret == "PIN" || strings.HasPrefix(secret, "agent")
		})
	}
}

// look scans a process once and holds what it finds against what it may hold.
func (c *canaries) look(name string, pid int, may func(secret string) bool) {
	c.t.Helper()
	r := c.scan("--pid", fmt.Sprint(pid))
	found := map[string]int{}
	for _, f := range r.Findings {
		if !may(f.Secret) {
			c.t.Errorf("in the memory of %s: %s", name, f)
		}
		if f.Secret == "PAN" || f.Secret == "PIN" {
			found[f.Secret]++
		} else {
			found["keys of terminals"]++
		}
	}
	c.t.Logf("the memory of %s, %d MiB: %v", name, r.Bytes>>20, found)
}

const boundary = "boundary"

// childOf finds the only child of a process: each of its threads lists those that
// it has started itself.
func childOf(t testing.TB, pid int) int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	must(t, err)
	for _, path := range lists {
		b, err := os.ReadFile(path)
		must(t, err)
		var child int
		if _, err := fmt.Sscan(string(b), &child); err == nil {
			return child
		}
	}
	t.Fatal("the host has no child")
	return 0
}

// abort kills a process with SIGABRT, which makes a Go program write the state of
// all goroutines and, where it may, a core file.
func (c *canaries) abort(s *system, name string) {
	c.t.Helper()
	pid := s.PID(name)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	must(c.t, err)
	if !strings.Contains(string(limits), "Max core file size        0                    0 ") {
		c.t.Errorf("%s may write core files", name)
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	must(c.t, err)
	must(c.t, syscall.Kill(pid, syscall.SIGABRT))
	<-s.Exited(name)
	cores, err := filepath.Glob(filepath.Join(cwd, "core*"))
	must(c.t, err)
	if len(cores) > 0 {
		c.t.Errorf("%s left %v", name, cores)
	}
	traces, err := os.ReadFile(s.Path("logs", name+".err"))
	must(c.t, err)
	if !strings.Contains(string(traces), "SIGABRT") {
		c.t.Errorf("%s wrote no traces of its goroutines, so nothing is tested", name)
	}
}
