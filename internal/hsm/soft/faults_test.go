package soft_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/hsmtest"
)

// faultVariable names the fault that a copy of this test binary has.
const faultVariable = "HSM_TEST_FAULT"

// A broken HSM is a session with one fault.
type broken struct {
	api.HSM
	fault  string
	sealed map[api.Handle]api.Sealed
	signed api.Checkpoint
}

// faults are the names of all faults and the test of the suite that must fail.
var faults = map[string]string{
	"a wrong PIN is right":            "malformed and wrong PIN",
	"a blocked PIN is only wrong":     "PIN brake over a restart",
	"a wrong cryptogram is right":     "wrong cryptogram",
	"a wrong card code is right":      "card codes",
	"a wrong MAC is right":            "MAC verdicts",
	"a record of another card opens":  "reference of another card",
	"a key of another use is ignored": "keys of other uses",
	"a handle lives after sealing":    "handles",
	"a checkpoint goes backwards":     "checkpoints",
	"a token is given twice":          "card data",
}

func (b *broken) Open(ctx context.Context, r api.OpenRequest) (api.Opened, error) {
	o, err := b.HSM.Open(ctx, r)
	switch {
	case b.fault == "a wrong MAC is right" && o.MAC == api.MACInvalid:
		o.MAC = api.MACValid
	case b.fault == "a token is given twice" && o.HasCard:
		o.Card.NewToken = "token"
	}
	return o, err
}

func (b *broken) Verify(ctx context.Context, r api.VerifyRequest) (api.Verdict, error) {
	v, err := b.HSM.Verify(ctx, r)
	switch {
	case b.fault == "a wrong PIN is right" && v.PIN == api.PINWrong:
		v.PIN = api.PINRight
	case b.fault == "a blocked PIN is only wrong" && v.PIN == api.PINBlocked:
		v.PIN = api.PINWrong
	case b.fault == "a wrong cryptogram is right" && v.Cryptogram == api.CryptogramWrong:
		v.Cryptogram = api.CryptogramRight
	case b.fault == "a wrong card code is right" && v.CardCode == api.CardCodeWrong:
		v.CardCode = api.CardCodeRight
	case b.fault == "a record of another card opens":
		v.ReferenceOK = true
	case b.fault == "a key of another use is ignored" && errors.Is(err, api.ErrKey):
		err = nil
	}
	return v, err
}

func (b *broken) Seal(ctx context.Context, r api.SealRequest) (api.Sealed, error) {
	s, err := b.HSM.Seal(ctx, r)
	if b.fault != "a handle lives after sealing" {
		return s, err
	}
	if old, ok := b.sealed[r.Handle]; ok {
		return old, nil
	}
	b.sealed[r.Handle] = s
	return s, err
}

func (b *broken) SignCheckpoint(ctx context.Context, node string, boot, count uint64, head [32]byte) (api.Checkpoint, error) {
	c, err := b.HSM.SignCheckpoint(ctx, node, boot, count, head)
	if b.fault == "a checkpoint goes backwards" && errors.Is(err, api.ErrPolicy) {
		return b.signed, nil
	}
	b.signed = c
	return c, err
}

// brokenBoundary gives sessions with a fault.
type brokenBoundary struct {
	hsmtest.Boundary
	fault string
}

func (b brokenBoundary) Connect(t testing.TB) (api.HSM, func()) {
	h, end := b.Boundary.Connect(t)
	return &broken{HSM: h, fault: b.fault, sealed: make(map[api.Handle]api.Sealed)}, end
}

// opener is open, or one for boundaries with the fault that the environment
// names.
func opener() hsmtest.Open {
	fault := os.Getenv(faultVariable)
	if fault == "" {
		return open
	}
	return func(t testing.TB, o hsmtest.Options) hsmtest.Boundary { return brokenBoundary{open(t, o), fault} }
}

// The suite is worth something if it finds what is wrong: for each fault a copy
// of this binary runs the suite's test on an HSM that has it, and on one with a
// fault that does nothing.
func TestSuiteFindsFaults(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	suite := func(fault, test string) (passed bool, output string) {
		cmd := exec.Command(exe, "-test.v", "-test.run", "^TestConformance$/^"+strings.ReplaceAll(test, " ", "_")+"$")
		cmd.Env = append(os.Environ(), faultVariable+"="+fault)
		out, err := cmd.CombinedOutput()
		var failed *exec.ExitError
		if err != nil && (!errors.As(err, &failed) || failed.ExitCode() != 1) {
			t.Fatalf("%s: the suite did not run: %v", fault, err)
		}
		return err == nil, string(out)
	}
	for fault, test := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			verdict := "TestConformance/" + strings.ReplaceAll(test, " ", "_") + " ("
			if passed, out := suite(fault, test); passed || !strings.Contains(out, "--- FAIL: "+verdict) {
				t.Errorf("the suite does not find it:\n%s", out)
			}
			if passed, out := suite("none", test); !passed || !strings.Contains(out, "--- PASS: "+verdict) {
				t.Errorf("the suite fails without a fault:\n%s", out)
			}
		})
	}
}
