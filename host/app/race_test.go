package app_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tallystick.example/iso8583"
)

func (l *lab) read(name string) string {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(b)
}

// TestRace sends original, repeats and reversal of each sale at once over
// several connections, in any order. Whatever wins: one row, one end, both books
// equal, and money only where no reversal was acknowledged.
func TestRace(t *testing.T) {
	l := newLab(t)
	l.addCard(testPAN, 1_000_000)
	l.write(filepath.Join(l.dir, "h", "rules.yaml"), "version: none\nrules: []\n")
	l.serve()
	tm := l.addTerminal("TERM0001", "aes")
	links := make([]*link, 4)
	for i := range links {
		links[i] = tm.dial()
	}
	const rounds = 12
	var kept int64
	reversed := map[string]bool{}
	for round := range rounds {
		plan := tm.plan(sale{minor: int64(100 + round), pin: testPIN})
		// Each link sends one message: the original, two repeats, and in two of
		// three rounds the reversal.
		type message struct {
			reversal bool
			packed   []byte
		}
		var all []message
		for i := range 3 {
			keys := tm.advance()
			m := tm.encrypt(plan, testPIN, keys)
			if i > 0 {
				m = asRepeat(t, m)
			}
			all = append(all, message{packed: seal(t, m, keys)})
		}
		withReversal := round%3 != 0
		if withReversal {
			keys := tm.advance()
			all = append(all, message{true, seal(t, tm.reversalOf(tm.encrypt(plan, testPIN, keys), tm.header().STAN, false, keys), keys)})
		}
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		codes := make([]string, len(all))
		var wg sync.WaitGroup
		for i, m := range all {
			wg.Go(func() {
				ans, err := links[i].exchange(m.packed)
				if err != nil {
					t.Error(err)
					return
				}
				codes[i] = ans.ResponseCode()
			})
		}
		wg.Wait()
		for i, m := range all {
			switch {
			case m.reversal && codes[i] != "00":
				t.Errorf("round %d: the reversal got %s", round, codes[i])
			case !m.reversal && codes[i] != "00" && codes[i] != "68":
				t.Errorf("round %d: a request got %s (%v)", round, codes[i], codes)
			case !withReversal && codes[i] != "00":
				t.Errorf("round %d: without reversal, a request got %s", round, codes[i])
			}
		}
		if withReversal {
			reversed[attemptText(plan)] = true
		} else {
			kept += plan.Amount.Minor
		}
	}
	if code := l.stop(); code != 0 {
		t.Fatalf("the host ended with %d\n%s", code, l.logs)
	}
	found := l.txs()
	if len(found) != rounds {
		t.Errorf("%d rows for %d sales", len(found), rounds)
	}
	for _, x := range found {
		if want := map[bool]string{true: "reversed", false: "approved"}[reversed[x.Attempt]]; x.State != want {
			t.Errorf("attempt %s is %s, want %s", x.Attempt, x.State, want)
		}
	}
	l.sound(kept)
	if out := l.run("audit", "verify"); !strings.Contains(out, "the chains hold") {
		t.Error(out)
	}
}

// attemptText is the attempt of a plan as the host shows it.
func attemptText(p iso8583.Payment) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, x := range p.Private.AttemptID {
		b.WriteByte(digits[x>>4])
		b.WriteByte(digits[x&15])
	}
	return b.String()
}

// TestRestart: a host that is stopped and started again keeps answering the same.
func TestRestart(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	keys := k.advance()
	plan := k.plan(sale{minor: 100, pin: testPIN})
	first := k.ask(k.encrypt(plan, testPIN, keys), keys)
	l.stop()
	l.serve()
	k = tm.dial()
	keys = k.advance()
	again := k.ask(asRepeat(t, k.encrypt(plan, testPIN, keys)), keys)
	if again.ResponseCode() != "00" || again.RRN() != first.RRN() {
		t.Errorf("after a restart: %s %s, first %s", again.ResponseCode(), again.RRN(), first.RRN())
	}
	l.sound(100)
	for _, args := range [][]string{{"doctor"}, {"check-config"}, {"tx", "--rrn", first.RRN()}, {"spec"}, {"version"}, {"outbox", "retry"}, {"audit", "verify", "--json"}} {
		l.run(args...)
	}
}
