package e2e_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/simulator/tally"
)

// check holds the books together when everything has come to its end.
func (s *simulation) check() {
	var books tally.Books
	var ledger, issuer, wire bytes.Buffer
	for _, a := range s.agents {
		if a.books == nil {
			s.fault("%s is down at the end", a.id)
			return
		}
		var out bytes.Buffer
		must(s.t, a.books.Journal.Export(&out, a.id))
		must(s.t, books.Add(a.id, &out))
		for sale := range a.told {
			if attempt, found := a.books.Journal.Find(sale); !found || attempt.End() != "approved" {
				s.fault("the till was told that %s is approved, the journal says %s", sale, attempt.End())
			}
		}
		for _, body := range a.wire {
			must(s.t, json.NewEncoder(&wire).Encode(map[string]string{"dir": "out", "raw": fmt.Sprintf("%x", body)}))
		}
	}
	if s.host.parts == nil {
		s.fault("the host is down at the end")
		return
	}
	must(s.t, s.host.parts.Export(s.t.Context(), &ledger))
	must(s.t, s.host.issuer.Export(s.t.Context(), &issuer))
	must(s.t, books.Add("host", &ledger))
	must(s.t, books.Add("issuer", &issuer))
	must(s.t, books.AddWire("wire", &wire))
	report := tally.Check(books)
	s.note("ends %v, %d transactions", report.Ends, report.Transactions)
	for _, f := range report.Findings {
		s.fault("%s: %s %s %s", f.Rule, f.Terminal, f.Attempt, f.Text)
	}
	own, err := s.host.parts.Check(s.t.Context())
	must(s.t, err)
	theirs, err := s.host.issuer.Check(s.t.Context())
	must(s.t, err)
	for _, f := range append(own, theirs...) {
		s.fault("%s", f)
	}
}

// The seeds: how many from which on. A failure prints the command with its own, and
// `make soak` asks for many.
var (
	seedFlag  = flag.Uint64("sim.seed", 1, "first `SEED` of the simulations")
	seedsFlag = flag.Int("sim.seeds", 0, "`COUNT` of simulations; 0: a few")
)

// simulationsUsual are run when nobody asks for more.
const simulationsUsual = 8

func seedCount() int {
	if *seedsFlag > 0 {
		return *seedsFlag
	}
	return simulationsUsual
}

// TestSimulation runs both programs from seeds, with every fault that a network,
// a power supply and an issuer can have, and proves the rules of the tally.
func TestSimulation(t *testing.T) {
	ends := 0
	for n := range seedCount() {
		seed := *seedFlag + uint64(n)
		s := newSimulation(t, seed)
		s.run()
		ends += s.events
		if len(s.faults) > 0 {
			tail := s.log[max(0, len(s.log)-60):]
			if testing.Verbose() {
				tail = s.log
			}
			t.Fatalf("seed %d, after %d events:\n  %s\nagain: go test -run '^TestSimulation$' -v ./simulator/e2e -args -sim.seed %d -sim.seeds 1\n%s",
				seed, s.events, strings.Join(s.faults, "\n  "), seed, strings.Join(tail, "\n"))
		}
	}
	t.Logf("%d simulations, %d events", seedCount(), ends)
}

// TestSimulationIsDeterministic: the same seed gives the same trace, byte for
// byte of every message, and another seed another one.
func TestSimulationIsDeterministic(t *testing.T) {
	seed := *seedFlag
	first, again, other := newSimulation(t, seed).run(), newSimulation(t, seed).run(), newSimulation(t, seed+1).run()
	if first != again {
		t.Errorf("seed %d gave the traces %s and %s", seed, first, again)
	}
	if first == other {
		t.Error("two seeds gave one trace")
	}
}
