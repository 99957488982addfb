package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A mistake is a change of a program's source that breaks a rule of the tally. The
// source itself is not touched: the compiler is given another in its place, in
// which the mistake is made when its name is asked for.
type mistake struct {
	name   string
	file   string // from the module's root
	anchor string // stands there once
	with   string // MADE is true when the mistake is asked for
}

// mistakes are what the simulation must find.
func mistakes() []mistake {
	const (
		payment = "agent/internal/payment/machine.go"
		machine = "host/internal/authorize/machine.go"
	)
	return []mistake{
		{"send-before-write", "agent/internal/core/request.go", "	if c.cfg.SendFirst {", "	if c.cfg.SendFirst || MADE {"},
		{"told-before-written", "agent/internal/core/sale.go", "			c.writeOutcome(a)", "			if MADE {\n				c.do(Told{Call: s.Call})\n			}\n			c.writeOutcome(a)"},
		{"no-reversal-on-time-out", payment, `		s.Owes, s.Why = iso8583.ReasonNoAnswer, "the host did not answer"`,
			`		s.Owes, s.Why = iso8583.ReasonNoAnswer, "the host did not answer"` + "\n		if MADE {\n			s.Owes = 0\n		}"},
		{"no-reversal-after-power-loss", payment, "	if sent {\n		return []Action{WriteOutcome{End: Reversing", "	if sent && !MADE {\n		return []Action{WriteOutcome{End: Reversing"},
		{"request-sent-again", "agent/internal/core/sale.go", `		fields["error"] = r.Err.Error()`,
			"		if MADE && errors.Is(r.Err, hostlink.ErrNoAnswer) {\n			c.request(now)\n			return\n		}\n		" + `fields["error"] = r.Err.Error()`},
		{"key-before-its-record", "agent/internal/register/register.go", "	if err := record(keys.KSN()); err != nil {\n		keys.Wipe()\n		return nil, err\n	}\n	return keys, nil",
			"	if err := record(keys.KSN()); err != nil && !MADE {\n		keys.Wipe()\n		return nil, err\n	}\n	return keys, nil"},
		{"sale-before-the-reversal", "agent/internal/core/sale.go", `payment.Start{Owed: c.Blocks() != ""}`, `payment.Start{Owed: c.Blocks() != "" && !MADE}`},
		{"overtaking-reversal-forgotten", "host/internal/authorize/reversal.go", "	fresh, err := insert(tx, &rec)\n",
			"	if MADE {\n		if _, err := lock(tx, ad.id); err == errNoRow {\n			return rec, acts[len(acts)-1], checkCounters(tx, m)\n		}\n	}\n	fresh, err := insert(tx, &rec)\n"},
		{"reversal-of-an-undecided-row-forgotten", machine, "		r.Undo = true", "		r.Undo = !MADE"},
		{"reversal-undoes-nothing", machine, "		acts = []Action{{Do: Unpost}, {Do: UndoAtIssuer}, {Do: Acknowledge}}",
			"		acts = []Action{{Do: Unpost}, {Do: UndoAtIssuer}, {Do: Acknowledge}}\n		if MADE {\n			acts = acts[1:]\n		}"},
		{"outbox-row-not-written", "host/internal/authorize/outbox.go", "	return putOutbox(tx, rec, outWaiting, now)", "	if MADE {\n		return nil\n	}\n	return putOutbox(tx, rec, outWaiting, now)"},
		{"repeat-answered-anew", "host/internal/authorize/request.go", "		k.core.claims++", "		if MADE {\n			id += \"/\" + rrn\n		}\n		k.core.claims++"},
		{"own-claim-not-known-again", "host/internal/authorize/request.go", "		if rec.Claim == ad.claim {", "		if rec.Claim == ad.claim && !MADE {"},
	}
}

// mistakenSource is the package by which the changed sources ask for their mistake.
const mistakenSource = `// Package mistake exists in one test binary only.
package mistake

import "os"

// Made reports whether the test asks for a mistake.
func Made(name string) bool { return os.Getenv("TALLYSTICK_TEST_MISTAKE") == name }
`

var packageLine = regexp.MustCompile(`(?m)^package \w+$`)

// mistaken builds this very test with all mistakes in the programs' packages.
func mistaken(t *testing.T) string {
	t.Helper()
	const root = "../.."
	texts, replace, dir := map[string]string{}, map[string]string{}, t.TempDir()
	for _, m := range mistakes() {
		if texts[m.file] == "" {
			b, err := os.ReadFile(filepath.Join(root, m.file))
			must(t, err)
			texts[m.file] = packageLine.ReplaceAllString(string(b), "$0\n\nimport \"tallystick.example/internal/mistake\"")
		}
		if n := strings.Count(texts[m.file], m.anchor); n != 1 {
			t.Fatalf("%s holds %q %d times, want once", m.file, m.anchor, n)
		}
		made := fmt.Sprintf("mistake.Made(%q)", m.name)
		texts[m.file] = strings.Replace(texts[m.file], m.anchor, strings.ReplaceAll(m.with, "MADE", made), 1)
	}
	texts["internal/mistake/mistake.go"] = mistakenSource
	for file, text := range texts {
		abs, err := filepath.Abs(filepath.Join(root, file))
		must(t, err)
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		must(t, os.WriteFile(path, []byte(text), 0o600))
		replace[abs] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	path := filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(path, overlay, 0o600))
	bin := filepath.Join(dir, "mistaken.test")
	c := exec.Command("go", "test", "-c", "-vet=off", "-overlay", path, "-o", bin, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// seedsForAMistake is within how many seeds each mistake must be found.
const seedsForAMistake = 40

var foundAt = regexp.MustCompile(`seed (\d+), after (\d+) events:\n\s+(.*)`)

// TestSimulationFindsMistakes: a simulation that finds nothing proves something
// only when it finds what is wrong.
func TestSimulationFindsMistakes(t *testing.T) {
	bin := mistaken(t)
	run := func(name string, seeds int) ([]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, bin, "-test.run", "^TestSimulation$", "-test.v=false", "-sim.seed", "1", "-sim.seeds", fmt.Sprint(seeds))
		c.Env = append(os.Environ(), "TALLYSTICK_TEST_MISTAKE="+name)
		return c.CombinedOutput()
	}
	if out, err := run("none", 2); err != nil {
		t.Fatalf("without a mistake: %v\n%s", err, out)
	}
	for _, m := range mistakes() {
		out, err := run(m.name, seedsForAMistake)
		found := foundAt.FindSubmatch(out)
		if err == nil || found == nil {
			t.Errorf("%s was not found in %d simulations: %v\n%.2000s", m.name, seedsForAMistake, err, out)
			continue
		}
		t.Logf("%s: found by seed %s after %s events: %s", m.name, found[1], found[2], found[3])
	}
}
