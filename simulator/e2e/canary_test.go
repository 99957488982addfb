package e2e_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/keyblock"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/simulator/canary"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/terminal"
)

// canaries are a card number, a PIN and an issuer master key that exist nowhere
// else, and what is derived from them and from the keys of terminals.
type canaries struct {
	t             testing.TB
	pan, pin, imk canary.Secret
	all           []canary.Secret
}

const psn = "01" // of the card profile

func newCanaries(t testing.TB) *canaries {
	t.Helper()
	c := &canaries{t: t}
	var err error
	c.pan, err = canary.NewDigits(rand.Reader, "PAN", "492900", 19, true)
	must(t, err)
	c.pin, err = canary.NewDigits(rand.Reader, "PIN", "", 12, false)
	must(t, err)
	c.imk, err = canary.NewKey(rand.Reader, "issuer master key", 16)
	must(t, err)
	key, err := cryptogram.CardKey(c.imk.Value, cryptogram.Card{PAN: c.pan.Value, PSN: psn, Option: cryptogram.OptionB})
	must(t, err)
	c.all = []canary.Secret{c.pan, c.pin, c.imk, {Name: "card key", Kind: canary.Key, Value: key}}
	return c
}

func text(s canary.Secret) string { return string(s.Value.Expose()) }

// profile writes the card of the demonstration with the canaries in it.
func (c *canaries) profile() string {
	c.t.Helper()
	b, err := os.ReadFile("../card/profiles/visa-chip.yaml")
	must(c.t, err)
	changed := strings.NewReplacer(`"4761739001010010"`, `"`+text(c.pan)+`"`, `pin: "1234"`, `pin: "`+text(c.pin)+`"`,
		`    psn: "01"`, `    psn: "01"`+"\n    discretionary: \"1234567890\"", // track 2 has room for no more
		"profile: visa_cvn18", "profile: visa_cvn18\n      option: B", // for PANs of more than 16 digits, as the host derives
		"0123456789ABCDEFFEDCBA9876543210", strings.ToUpper(hex.EncodeToString(c.imk.Value.Expose()))).Replace(string(b))
	if strings.Count(changed, text(c.pan)) != 1 || strings.Count(changed, text(c.pin)) != 1 {
		c.t.Fatal("the profile has changed its form")
	}
	path := filepath.Join(c.t.TempDir(), "canary.yaml")
	must(c.t, os.WriteFile(path, []byte(changed), 0o600))
	return path
}

// card is the same card in the hand of a test's terminal. The chips share the
// transaction counter, so this one begins higher.
func (c *canaries) card() *terminal.Card {
	c.t.Helper()
	k, err := terminal.NewCard(secret.New(c.pan.Value.Expose()), secret.New(c.pin.Value.Expose()), "4912", psn, cryptogram.VisaCVN18, c.imk.Value)
	must(c.t, err)
	k.SkipTo(1000)
	return k
}

// addKeys adds the initial key of a key set and the working keys of its first
// counters.
func (c *canaries) addKeys(name, block string) {
	c.t.Helper()
	t := c.t
	wrapped, err := os.ReadFile(block)
	must(t, err)
	base := strings.TrimSuffix(block, ".tr31")
	kbpk := unhexFile(t, base+".component1")
	for i, b := range unhexFile(t, base+".component2") {
		kbpk[i] ^= b
	}
	h, ik, err := keyblock.Unwrap(kbpk, strings.TrimSpace(string(wrapped)))
	must(t, err)
	c.add(name+": transport key", kbpk)
	c.add(name+": initial key", ik)
	id, scheme := keyblock.IDInitial, dukpt.AES
	if h.Algorithm == 'T' {
		id, scheme = keyblock.IDKeySet, dukpt.TDES
	}
	set, _ := h.Find(id)
	full := unhex(t, set)
	if scheme == dukpt.AES {
		full = append(full, 0, 0, 0, 0)
	}
	ksn, err := dukpt.ParseKSN(scheme, full)
	must(t, err)
	for range 6 {
		ksn, err = ksn.Next()
		must(t, err)
		c.addWorking(name, ik, ksn)
	}
}

// addWorking adds the keys of one counter.
func (c *canaries) addWorking(name string, ik []byte, ksn dukpt.KSN) {
	c.t.Helper()
	of := fmt.Sprintf("%s, counter %d: ", name, ksn.Counter())
	tk, err := dukpt.TransactionKey(ik, ksn)
	must(c.t, err)
	c.add(of+"transaction key", tk)
	kind := dukpt.AES128
	if ksn.Scheme() == dukpt.TDES {
		kind = dukpt.TDES2
	}
	for use, usage := range map[string]dukpt.Usage{"PIN key": dukpt.PINEncryption, "request MAC key": dukpt.MACGeneration,
		"answer MAC key": dukpt.MACVerification, "data key": dukpt.DataEncryption} {
		k, err := dukpt.WorkingKey(tk, ksn, kind, usage)
		must(c.t, err)
		c.add(of+use, k)
	}
}

func (c *canaries) add(name string, key []byte) {
	c.all = append(c.all, canary.Secret{Name: name, Kind: canary.Key, Value: secret.New(key)})
}

func unhexFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return unhex(t, string(bytes.TrimSpace(b)))
}

// scan runs `simulator canary scan` with the canaries: as a program of its own,
// which no race detector slows down.
func (c *canaries) scan(args ...string) canary.Report {
	c.t.Helper()
	bin, err := binaries()
	must(c.t, err)
	list := filepath.Join(c.t.TempDir(), "canaries.json")
	must(c.t, canary.WriteSecrets(list, c.all))
	var out, errs bytes.Buffer
	scan := exec.Command(filepath.Join(bin, "simulator"), append([]string{"canary", "scan", "--json", "--secrets", list}, args...)...)
	scan.Stdout, scan.Stderr = &out, &errs
	err = scan.Run() // it ends with 1 when it finds something; then there is a report
	var r canary.Report
	if decodeErr := json.Unmarshal(out.Bytes(), &r); decodeErr != nil {
		c.t.Fatalf("the scan: %v, %v\n%s", err, decodeErr, errs.String())
	}
	for _, x := range append(r.Opaque, r.Incomplete...) {
		c.t.Errorf("not scanned: %s", x)
	}
	return r
}

// inputs are where the test itself has put secrets: the files that a custodian or
// issuer brings, and the simulated card and keypad. Everything else in the lab's
// folder is what agent and host have written.
func (s *system) inputs() string { return s.Path("secrets") }

// scanFiles scans all that a lab has left.
func (c *canaries) scanFiles(s *system) canary.Report {
	c.t.Helper()
	r := c.scan("--skip", s.inputs(), s.Path())
	if r.Files < 20 {
		c.t.Errorf("only %d files were scanned", r.Files)
	}
	return r
}

// newCanarySystem makes a lab whose card and keys are canaries.
func newCanarySystem(t testing.TB, o lab.Options) (*system, *canaries) {
	t.Helper()
	c := newCanaries(t)
	o.CardFile = c.profile()
	s := newSystem(t, o)
	blocks, err := filepath.Glob(s.Path("keys", "*.tr31"))
	must(t, err)
	if len(blocks) != 1 {
		t.Fatalf("the agent has %d key blocks", len(blocks))
	}
	c.addKeys("agent", blocks[0])
	return s, c
}
