// Package hsmtest is the conformance suite of the HSM boundary: what every
// implementation of [api.HSM] promises, run against it from outside. [Run] is
// called by the tests of the software HSM, of the boundary over its socket, and
// of every driver to come.
//
// Its evidence is from elsewhere where that exists: the PIN blocks and MAC keys
// of ANSI X9.24-1:2009 and X9.24-3:2017, and cryptograms on which two
// implementations agree.
package hsmtest

import (
	"errors"
	"testing"
	"time"

	"tallystick.example/internal/hsm/api"
)

// Options choose how a boundary is opened.
type Options struct {
	Production bool   // otherwise lab
	WrongPINs  uint32 // of a card before blocked; zero is the default
}

// A Boundary is one implementation under test over storage of its own.
type Boundary interface {
	// Connect opens a connection. It ends with close, or with the test.
	Connect(t testing.TB) (hsm api.HSM, close func())
	// Restart ends all connections and opens the boundary again over the same
	// storage.
	Restart(t testing.TB)
	// Advance moves the clock of the boundary.
	Advance(d time.Duration)
	// Written is everything that the boundary has written: files and logs.
	Written(t testing.TB) []byte
}

// Open makes a fresh boundary.
type Open func(t testing.TB, o Options) Boundary

// Run checks that an implementation keeps the promises of api.HSM.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"published AES DUKPT payment", publishedAES},
		{"published TDES DUKPT payment", publishedTDES},
		{"published cryptogram and answer", publishedCryptogram},
		{"cryptogram of method 2", methodTwo},
		{"wrong cryptogram", wrongCryptogram},
		{"card codes", cardCodes},
		{"IBM 3624 offset", offset},
		{"card data", cardData},
		{"sealed PANs", sealedPANs},
		{"MAC verdicts", macVerdicts},
		{"key sets of others", foreignSets},
		{"PIN of another transaction", replayedPIN},
		{"refusing what is not authentic", refusalOnly},
		{"answers of others", foreignAnswers},
		{"handles", handles},
		{"handles of others", foreignHandles},
		{"keys of other uses", wrongUses},
		{"changed key blocks", changedBlocks},
		{"reference of another card", movedReference},
		{"malformed and wrong PIN", onePINVerdict},
		{"PIN brake over a restart", brakeOverRestart},
		{"checkpoints", checkpoints},
		{"malformed messages", malformed},
		{"lab and production", modes},
		{"initial keys and transport", transport},
		{"nothing readable", nothingReadable},
		{"many at once", manyAtOnce},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// A bench is a connection with a set of keys and terminals.
type bench struct {
	testing.TB
	b             Boundary
	hsm           api.HSM
	aes, tdes     *terminal
	imk, pvk, cvk api.KeyBlock
}

// start opens a lab boundary with the published keys in it.
func start(t testing.TB, open Open, o Options) *bench {
	t.Helper()
	b := open(t, o)
	hsm, _ := b.Connect(t)
	x := &bench{TB: t, b: b, hsm: hsm}
	x.aes = newTerminal(t, aesBDK, aesSet, x.importKey("B0", "A", "X", aesBDK))
	x.tdes = newTerminal(t, tdesBDK, tdesSet, x.importKey("B0", "T", "X", tdesBDK))
	x.imk = x.importKey("E0", "T", "X", testIMK)
	x.pvk = x.importKey("V2", "T", "C", testPVK)
	x.cvk = x.importKey("C0", "T", "C", testCVK)
	return x
}

func (x *bench) importKey(usage, algorithm, mode, hexKey string) api.KeyBlock {
	x.Helper()
	value := unhex(x, hexKey)
	k, err := x.hsm.ImportClear(x.Context(), api.ImportClear{
		Spec: api.KeySpec{Usage: usage, Algorithm: algorithm, Mode: mode, Bytes: len(value)}, Key: hidden(value),
	})
	if err != nil {
		x.Fatalf("importing a key of usage %s: %v", usage, err)
	}
	return k.Block
}

// personalize makes the reference record of a card.
func (x *bench) personalize(p api.Personalize) api.Personalized {
	x.Helper()
	if p.PSN == "" {
		p.PSN = "00"
	}
	if p.Expiry == "" {
		p.Expiry = "2912"
	}
	out, err := x.hsm.Personalize(x.Context(), p)
	if err != nil {
		x.Fatalf("personalizing: %v", err)
	}
	return out
}

// opened opens a message, which must be authentic.
func (x *bench) opened(tm *terminal, message []byte) api.Opened {
	x.Helper()
	o, err := x.hsm.Open(x.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{tm.set}})
	if err != nil || o.MAC != api.MACValid || o.Handle == 0 {
		x.Fatalf("opening gives %q, handle set %v, %v", o.MAC, o.Handle != 0, err)
	}
	return o
}

// verify asks with all keys of the bench.
func (x *bench) verify(r api.VerifyRequest) api.Verdict {
	x.Helper()
	v, err := x.hsm.Verify(x.Context(), x.withKeys(r))
	if err != nil {
		x.Fatalf("verifying: %v", err)
	}
	return v
}

func (x *bench) withKeys(r api.VerifyRequest) api.VerifyRequest {
	if r.IMK == "" {
		r.IMK = x.imk
	}
	if r.PVK == "" {
		r.PVK = x.pvk
	}
	if r.CVK == "" {
		r.CVK = x.cvk
	}
	return r
}

// want fails unless err is target.
func (x *bench) want(what string, err, target error) {
	x.Helper()
	if !errors.Is(err, target) {
		x.Errorf("%s: got %v, want %v", what, err, target)
	}
}
