package demo

import (
	"context"
	"fmt"
	"sort"
	"time"

	"tallystick.example/simulator/card"
	"tallystick.example/simulator/fault"
	"tallystick.example/simulator/lab"
)

// verdicts are the values of a result that a break may turn.
type verdicts struct {
	Approved, PIN, ARQC, ARPC bool
	Final, RC                 string
	Reversed                  bool // a reversal was acknowledged
	Balanced, Match           bool
}

func (r result) verdicts() verdicts {
	return verdicts{r.Approved, r.PINVerified, r.ARQCVerified, r.ARPCVerified, r.CryptogramFinal, r.RC,
		r.ReversalAcknowledged, r.LedgerSum == 0, r.TalliesMatch}
}

// A breakage turns one verdict.
type breakage struct {
	prepare func(*lab.Options, *card.Profile)
	run     func(*demo, context.Context) (result, error)
	want    verdicts
}

// whole is what a payment without a break shows; the demo's last part is the
// reversal.
var whole = verdicts{Approved: true, PIN: true, ARQC: true, ARPC: true, Final: "TC", RC: "00", Reversed: true, Balanced: true, Match: true}

// refused is what a message shows that the host turns away before it looks
// inside.
var refused = verdicts{RC: "63", Balanced: true, Match: true}

var breaks = map[string]breakage{
	"pin": {
		prepare: func(o *lab.Options, p *card.Profile) { o.PIN = otherPIN(p.PIN) },
		run:     (*demo).plain,
		want:    verdicts{ARQC: true, ARPC: true, Final: "AAC", RC: "55", Balanced: true, Match: true},
	},
	"issuer-key": {
		prepare: func(o *lab.Options, _ *card.Profile) { o.IMK = "89E50794B93D4032E6B5B9CB6DB3C2A4" },
		run:     (*demo).plain,
		want:    verdicts{PIN: true, Final: "AAC", RC: "82", Balanced: true, Match: true},
	},
	"arpc": {
		prepare: func(o *lab.Options, _ *card.Profile) { o.Faults.RefuseARPC = true },
		run:     (*demo).plain,
		want:    verdicts{PIN: true, ARQC: true, Final: "AAC", RC: "00", Reversed: true, Balanced: true, Match: true},
	},
	"mac":         {run: (*demo).wrongMAC, want: refused},
	"ksn-replay":  {run: (*demo).replayedKSN, want: refused},
	"certificate": {run: (*demo).otherTerminal, want: verdicts{Balanced: true, Match: true}},
	"ledger": {
		run:  (*demo).changedCent,
		want: verdicts{Approved: true, PIN: true, ARQC: true, ARPC: true, Final: "TC", RC: "00"},
	},
	"reversal": {
		run: (*demo).silence,
		// The host approved, the terminal did not: until the reversal is
		// acknowledged the books differ, and the tally says so.
		want: verdicts{PIN: true, ARQC: true, Final: "AAC", Balanced: true},
	},
}

// expected is what a run must show.
func expected(broken string) verdicts {
	if broken == "" {
		return whole
	}
	return breaks[broken].want
}

func breakNames() []string {
	var names []string
	for n := range breaks {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// broken runs the payment of a break and compares the books.
func (d *demo) broken(ctx context.Context) (result, error) {
	r, err := breaks[d.o.broken].run(d, ctx)
	if err != nil {
		return r, err
	}
	r.DUKPT, r.Broken, r.Sources = d.o.dukpt, d.o.broken, sources()
	if err := d.finish(ctx, &r); err != nil {
		return r, err
	}
	return r, d.writeEvidence()
}

// plain runs a sale and waits until no reversal is owed.
func (d *demo) plain(ctx context.Context) (result, error) {
	r, err := d.sale(ctx, d.o.amount)
	if err != nil {
		return r, err
	}
	return r, d.reversed(ctx)
}

// silence loses every answer, also to the reversal.
func (d *demo) silence(ctx context.Context) (result, error) {
	if err := d.lab.SetNetwork(ctx, fault.Down, fault.Policy{Mode: fault.Drop}); err != nil {
		return result{}, err
	}
	r, err := d.sale(ctx, d.o.amount)
	if err != nil {
		return r, err
	}
	// Long enough for the first transmissions of the reversal.
	select {
	case <-ctx.Done():
		return r, context.Cause(ctx)
	case <-time.After(answerWithin):
	}
	n, err := d.pending(ctx)
	if err == nil && n != 1 {
		err = fmt.Errorf("%d reversals are owed, want 1", n)
	}
	return r, err
}

// changedCent makes a good payment and then changes one cent in the ledger's
// own file.
func (d *demo) changedCent(ctx context.Context) (result, error) {
	r, err := d.sale(ctx, d.o.amount)
	if err != nil {
		return r, err
	}
	if err := d.lab.Stop(lab.Host); err != nil {
		return r, err
	}
	return r, changeCent(ctx, d.lab.HostDatabase())
}
