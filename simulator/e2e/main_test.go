package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/cardcodes"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xtls"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/terminal"
)

// binaries are the programs, built once.
var binaries = sync.OnceValues(func() (string, error) { return build() })

var binDirs []string // to be removed at the end

// build makes the three programs in a new folder, from changed sources when an
// overlay is given.
func build(flags ...string) (string, error) {
	dir, err := os.MkdirTemp("", "bin")
	if err != nil {
		return "", err
	}
	binDirs = append(binDirs, dir)
	args := append(append([]string{"build"}, flags...), "-o", dir, "../../agent", "../../host", "../../simulator")
	c := exec.Command("go", args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return dir, nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range binDirs {
		_ = os.RemoveAll(dir) // in the system's temporary folder
	}
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rounds is a count that a soak raises by an environment variable.
func rounds(t testing.TB, variable string, short int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number", variable, text)
	}
	return n
}

// shortDir is a folder whose path leaves room for Unix sockets in it. It is kept
// when the test fails.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e")
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the lab is kept in %s", dir)
			return
		}
		must(t, os.RemoveAll(dir))
	})
	return filepath.Join(dir, "l")
}

// The issuer master key of the cards that terminals of the test hold.
const issuerKey = "0123456789ABCDEFFEDCBA9876543210"

// A system is a lab whose host runs.
type system struct {
	*lab.Lab
	t testing.TB
}

// newSystem makes a lab and starts its host, without fraud rules, so that many
// sales in a second are no fraud.
func newSystem(t testing.TB, o lab.Options) *system {
	t.Helper()
	bin, err := binaries()
	must(t, err)
	if o.Bin == "" {
		o.Bin = bin
	}
	o.Dir = shortDir(t)
	l, err := lab.New(t.Context(), o)
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &system{l, t}
	must(t, os.WriteFile(l.Path("host", "rules.yaml"), []byte("version: none\nrules: []\n"), 0o600))
	return s
}

func (s *system) start(names ...string) {
	s.t.Helper()
	for _, name := range names {
		must(s.t, s.Start(s.t.Context(), name))
	}
}

// run runs a host command that must succeed.
func (s *system) run(args ...string) []byte {
	s.t.Helper()
	out, err := s.Run(context.Background(), lab.Host, args...)
	must(s.t, err)
	return out
}

// file writes a secret and returns its path.
func (s *system) file(name, text string) string {
	s.t.Helper()
	path := s.Path("secrets", name)
	must(s.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// addCard issues a card with an account of its own.
func (s *system) addCard(pan, pin string, balance int64) *terminal.Card {
	s.t.Helper()
	s.run("card", "add", "--pan", s.file("pan-"+pan[12:], pan), "--pin", s.file("pin-"+pan[12:], pin), "--imk", s.file("imk-"+pan[12:], issuerKey),
		"--expiry", "3012", "--psn", "00", "--profile", "visa_cvn18", "--account", "acc-"+pan[12:], "--balance", fmt.Sprint(balance), "--currency", "978")
	imk := secret.New(unhex(s.t, issuerKey))
	c, err := terminal.NewCard(secret.New([]byte(pan)), secret.New([]byte(pin)), "3012", "00", cryptogram.VisaCVN18, imk)
	must(s.t, err)
	return c
}

// addStripe issues a card whose magnetic stripe proves itself by its card
// verification value.
func (s *system) addStripe(pan string, balance int64) *terminal.Card {
	s.t.Helper()
	s.run("card", "add", "--pan", s.file("pan-"+pan[12:], pan), "--cvk", s.file("cvk-"+pan[12:], issuerKey), "--check-codes", "--code-at", "0",
		"--expiry", "3012", "--account", "acc-"+pan[12:], "--balance", fmt.Sprint(balance), "--currency", "978")
	cvv, err := cardcodes.CVV(unhex(s.t, issuerKey), []byte(pan), []byte("3012"), []byte("201"))
	must(s.t, err)
	c, err := terminal.NewCard(secret.New([]byte(pan)), secret.Secret{}, "3012", "00", cryptogram.VisaCVN18, secret.New(unhex(s.t, issuerKey)))
	must(s.t, err)
	c.Stripe = secret.New([]byte(pan + "=3012201" + string(cvv)))
	return c
}

// addTerminal registers a terminal with a key set, which is not the agent's.
func (s *system) addTerminal(id, scheme string) *terminal.Terminal {
	s.t.Helper()
	t := s.t
	key, keyPEM, err := xtls.NewKey()
	must(t, err)
	csr, err := xtls.NewRequest(key, xtls.Identity{Terminal: id, Merchant: lab.Merchant})
	must(t, err)
	crt := s.Path(id + ".crt")
	s.run("terminal", "add", id, "--merchant", lab.Merchant, "--csr", s.file(id+".csr", string(csr)), "--out", crt)
	var made struct {
		Block      string
		Components []string
	}
	must(t, json.Unmarshal(s.run("terminal", "keys", id, "--scheme", scheme, "--out", s.Path("keys-"+id)), &made))
	f := terminal.Files{Terminal: id, Merchant: lab.Merchant, Certificate: crt, Key: s.file(id+".key", string(keyPEM)), CA: crt + ".ca",
		ServerName: "localhost", Address: s.HostAddress(), Block: made.Block, Components: made.Components}
	text, err := json.Marshal(f)
	must(t, err)
	tm, err := terminal.Load(s.file(id+".json", string(text)))
	must(t, err)
	return tm
}

// addTerminals registers n terminals, two at a time.
func (s *system) addTerminals(n int) []*terminal.Terminal {
	s.t.Helper()
	out := make([]*terminal.Terminal, n)
	var wg sync.WaitGroup
	for half := range 2 {
		wg.Go(func() {
			for i := half; i < n; i += 2 {
				out[i] = s.addTerminal(fmt.Sprintf("CROWD%03d", i), "aes")
			}
		})
	}
	wg.Wait()
	return out
}

// sound proves ledger, issuer's book and audit chain.
func (s *system) sound() {
	s.t.Helper()
	for _, args := range [][]string{{"ledger", "check"}, {"issuer", "check"}, {"audit", "verify"}} {
		s.run(args...)
	}
}

// exports are the two books as text.
func (s *system) exports() (ledger, issuer *strings.Reader) {
	s.t.Helper()
	return strings.NewReader(string(s.run("ledger", "export"))), strings.NewReader(string(s.run("issuer", "export")))
}
