package kernel_test

import (
	"context"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/testvectors/vectortest"
)

// FuzzAnswers gives one answer of the card to every step that reads one.
func FuzzAnswers(f *testing.F) {
	for _, topic := range []string{"emv_session", "emv_selection", "emv_application", "emv_cvm"} {
		vectortest.Seed(f, topic)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		ctx := context.Background()
		same := cardFunc(func(context.Context, []byte) ([]byte, error) { return in, nil })
		apps := []kernel.Application{app(testAID, true)}
		if list, err := kernel.BuildCandidates(ctx, same, apps, false); err == nil && len(list) == 0 {
			t.Fatal("an empty list without an error")
		}
		if fci, err := kernel.ParseFCI(in); err == nil && (len(fci.Name) < 5 || len(fci.Name) > 16) {
			t.Fatalf("a DF name of %d bytes", len(fci.Name))
		}
		if p, err := kernel.ParseProcessingOptions(in); err == nil && (len(p.AIP) != 2 || len(p.AFL)%4 != 0) {
			t.Fatalf("AIP %X, AFL %X", p.AIP, p.AFL)
		}
		if g, err := kernel.ParseGenerateAC(in); err == nil && (len(g.ATC) != 2 || len(g.IAD) > 32) {
			t.Fatalf("%+v", g)
		}
		if r, err := kernel.ReadRecords(ctx, same, unhex("08010100")); err == nil && !r.Tags.Has(emv.TagPAN) {
			t.Fatal("records without a PAN")
		}
		v := kernel.Verification{List: in, Card: same, Capabilities: [3]byte{0, 0x28, 0}}
		if got, err := v.Run(ctx); err == nil && got.Performed == (got.Results.Code == emv.CVMNotPerformed && got.Results.Outcome == emv.CVMUnknown) {
			t.Fatalf("%+v", got)
		}
	})
}
