package app_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/host/app"
	"tallystick.example/internal/cli"

	"github.com/spf13/cobra"
)

// TestSampleIsTheSame: host/sample.yaml, which people read, is what init writes.
func TestSampleIsTheSame(t *testing.T) {
	a, err1 := os.ReadFile("sample.yaml")
	b, err2 := os.ReadFile("../sample.yaml")
	if err1 != nil || err2 != nil || string(a) != string(b) {
		t.Errorf("host/sample.yaml and host/app/sample.yaml differ (%v, %v)", err1, err2)
	}
}

// TestHelp: every command says what it does, and every flag too.
func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || !c.HasSubCommands() && c.Long == "" && c.Name() != "version" {
			t.Errorf("%s has no help", c.CommandPath())
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk(app.Root(os.Stderr))
}

// TestFailures: what goes wrong is told with the exit code that fits.
func TestFailures(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]struct {
		args []string
		code int
		text string
	}{
		"no command":         {[]string{}, cli.ExitUsage, "no command"},
		"unknown terminal":   {[]string{"terminal", "block", "TERM0009"}, cli.ExitFailed, "cannot be blocked"},
		"keys for nobody":    {[]string{"terminal", "keys", "TERM0009", "--out", filepath.Join(l.dir, "k")}, cli.ExitFailed, "no keys"},
		"wrong scheme":       {[]string{"terminal", "keys", "TERM0009", "--scheme", "des", "--out", filepath.Join(l.dir, "k")}, cli.ExitUsage, "want aes or tdes"},
		"no request":         {[]string{"terminal", "add", "TERM0001", "--merchant", merchant, "--csr", "none", "--out", "none"}, cli.ExitUsage, "request"},
		"readable PAN file":  {[]string{"card", "add", "--pan", "/etc/hostname", "--expiry", "3012", "--account", "a"}, cli.ExitUsage, "mode 0600"},
		"flag missing":       {[]string{"card", "add"}, cli.ExitUsage, "required flag"},
		"init where one is":  {[]string{"init", "--dir", filepath.Join(l.dir, "h")}, cli.ExitUsage, "empty"},
		"unlock an open one": {[]string{"hsm", "unlock", "--component", l.file("c", strings.Repeat("01", 32))}, cli.ExitFailed, "did not take"},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if len(args) == 0 {
				args = []string{"--json"}
			}
			_, errs, code := l.try(args...)
			if code != c.code || !strings.Contains(errs, c.text) {
				t.Errorf("exit code %d, want %d; %s", code, c.code, errs)
			}
		})
	}
}

// TestConfigFaults: each is named, and nothing is started.
func TestConfigFaults(t *testing.T) {
	l := newLab(t)
	good := l.read("h/host.yaml")
	for want, c := range map[string][2]string{
		"timing.issuer":    {"issuer: 10s", "issuer: 20s"},
		"node is":          {"node: n1", "node: n_1"},
		"listen is":        {"listen: 127.0.0.1:0", "listen: nowhere"},
		"unknown field":    {"rules: rules.yaml", "rulez: rules.yaml"},
		"limits.in_flight": {"in_flight: 8", "in_flight: 1000"},
		"mode is":          {"mode: lab", "mode: test"},
	} {
		l.write(l.config, strings.Replace(good, c[0], c[1], 1))
		if _, errs, code := l.try("check-config"); code != cli.ExitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %s", want, code, errs)
		}
	}
	l.write(l.config, strings.Replace(good, "mode: lab", "mode: production", 1))
	if _, errs, code := l.try("check-config"); code != cli.ExitUsage || !strings.Contains(errs, "tests") {
		t.Errorf("test certificates in production: exit code %d, %s", code, errs)
	}
	l.write(l.config, good)
	l.write(filepath.Join(l.dir, "h", "rules.yaml"), "version: x\nrules:\n- {name: a, when: amuont > 1, weight: 1, reason: A1}\n")
	if _, errs, code := l.try("check-config"); code != cli.ExitUsage || !strings.Contains(errs, "amuont") {
		t.Errorf("a rule with a typing error: exit code %d, %s", code, errs)
	}
}

// TestTrace: the lab's trace shows messages and decisions, and no card number.
func TestTrace(t *testing.T) {
	l := newLab(t)
	l.addCard(testPAN, 1000)
	l.set(`trace_dir: ""`, "trace_dir: trace")
	l.serve()
	k := l.addTerminal("TERM0001", "aes").dial()
	req, _ := k.pay(sale{minor: 100, pin: testPIN})
	// A terminal that sends its card in clear does not get it onto the host's disk.
	keys := k.advance()
	clearPAN := k.purchase(sale{minor: 1, pin: testPIN}, keys)
	clearPAN.SetDigits(2, testPAN)
	if ans, err := k.exchange(seal(t, clearPAN, keys)); err != nil || ans.ResponseCode() != "30" {
		t.Errorf("a card number in clear: %v, %v", ans, err)
	}
	l.stop()
	wire := lines[struct{ Direction, Raw, Verdict, Terminal string }](t, l.read("h/trace/wire.jsonl"))
	if len(wire) != 4 || wire[0].Direction != "in" || wire[0].Verdict != "mac valid" || wire[1].Verdict != "rc 00" {
		t.Errorf("wire: %+v", wire)
	}
	if p, err := req.Private(); err != nil || strings.Contains(wire[0].Raw, hex.EncodeToString(p.CardData.Ciphertext)) ||
		strings.Contains(wire[0].Raw, hex.EncodeToString(p.PINBlock.Expose())) || len(wire[0].Raw) != 2*len(seal(t, req, keys)) {
		t.Errorf("PIN block or card data are in the trace (%v)", err)
	}
	if wire[2].Raw != "" || wire[3].Raw == "" {
		t.Errorf("the refused message and its answer: %+v", wire[2:])
	}
	decisions := lines[struct {
		tx
		Postings []struct{ Template string }
	}](t, l.read("h/trace/decisions.jsonl"))
	if len(decisions) != 1 || decisions[0].STAN != req.STAN() || decisions[0].State != "approved" || len(decisions[0].Postings) != 1 || decisions[0].PIN != "right" {
		t.Errorf("decisions: %+v", decisions)
	}
	for _, name := range []string{"h/trace/wire.jsonl", "h/trace/decisions.jsonl"} {
		if strings.Contains(l.read(name), testPAN) || strings.Contains(l.read(name), testPIN+"FFFF") {
			t.Errorf("%s shows card data", name)
		}
	}
}

// TestNothingReadable: after payments no file of the host holds the card number,
// in digits or packed.
func TestNothingReadable(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	k.pay(sale{minor: 100, pin: testPIN})
	k.pay(sale{minor: 100, pin: "9999"})
	l.stop()
	packed := string(unhex(t, testPAN))
	err := filepath.WalkDir(filepath.Join(l.dir, "h"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), testPAN) || strings.Contains(string(b), packed) {
			t.Errorf("%s holds the card number", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSecondHost: two hosts never work on the same books.
func TestSecondHost(t *testing.T) {
	l := newLab(t)
	l.serve()
	if _, errs, code := l.try("serve"); code != cli.ExitUnavailable || !strings.Contains(errs, "another host") {
		t.Errorf("a second host: exit code %d, %s", code, errs)
	}
}

// TestProduction: without --lab the boundary waits for two custodians, and test
// cards are refused.
func TestProduction(t *testing.T) {
	l := newLab(t)
	dir := filepath.Join(l.dir, "p")
	l.run("init", "--dir", dir, "--listen", "127.0.0.1:0")
	l.config = filepath.Join(dir, "host.yaml")
	l.serve()
	if _, errs, code := l.try("card", "add", "--pan", l.file("pan", testPAN), "--expiry", "3012", "--account", "a"); code != cli.ExitUnavailable {
		t.Errorf("locked: exit code %d, %s", code, errs)
	}
	for i, want := range []string{"1 missing", "0 missing"} {
		out := l.run("hsm", "unlock", "--component", filepath.Join(dir, []string{"lmk-component1", "lmk-component2"}[i]))
		if !strings.Contains(out, want) {
			t.Errorf("component %d: %s", i+1, out)
		}
	}
	l.run("card", "add", "--pan", l.file("pan", testPAN), "--expiry", "3012", "--account", "a")
	_, errs, code := l.try("card", "add", "--pan", l.file("pan", "4929000000000014"), "--imk", l.file("imk", testIMK), "--profile", "visa_cvn10",
		"--expiry", "3012", "--account", "b")
	if code != cli.ExitFailed || !strings.Contains(errs, "does not allow") {
		t.Errorf("a clear key in production: exit code %d, %s", code, errs)
	}
	l.addTerminal("TERM0001", "aes")
}
