package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/fault"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/tally"
)

// answerWithin is the terminal's patience in the demo: short, because an answer
// that never comes is a part of it.
const answerWithin = 3 * time.Second

// reversedWithin bounds how long a reversal may take once the network is back.
const reversedWithin = 20 * time.Second

// A result is the object of --json.
type result struct {
	Approved             bool              `json:"approved"`
	PINVerified          bool              `json:"pin_verified"`
	ARQCVerified         bool              `json:"arqc_verified"`
	ARPCVerified         bool              `json:"arpc_verified"`
	CryptogramFinal      string            `json:"cryptogram_final"`
	Score                int               `json:"score"`
	STAN                 string            `json:"stan"`
	RRN                  string            `json:"rrn"`
	RC                   string            `json:"rc"`
	End                  string            `json:"end"`
	ReversalAcknowledged bool              `json:"reversal_acknowledged"`
	LedgerSum            int64             `json:"ledger_sum"`
	TalliesMatch         bool              `json:"tallies_match"`
	ElapsedMS            int64             `json:"elapsed_ms"`
	DUKPT                string            `json:"dukpt"`
	Broken               string            `json:"broken,omitempty"`
	Sources              map[string]string `json:"sources"`
}

// sources says which program decided each value.
func sources() map[string]string {
	return map[string]string{
		"approved": "agent pay", "stan": "agent pay", "rrn": "agent pay", "rc": "agent pay", "end": "agent journal export",
		"pin_verified": "host tx", "arqc_verified": "host tx", "score": "host tx",
		"arpc_verified": "card log", "cryptogram_final": "card log",
		"reversal_acknowledged": "agent reversals list", "ledger_sum": "host ledger export",
		"tallies_match": "simulator tally", "elapsed_ms": "this program's clock around agent pay",
	}
}

// outcome is what the agent says of a sale.
type outcome struct {
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason"`
	Attempt  string `json:"attempt"`
	STAN     string `json:"stan"`
	RRN      string `json:"rrn"`
	RC       string `json:"rc"`
	Merchant string `json:"merchant_receipt"`
	Customer string `json:"customer_receipt"`
}

type demo struct {
	o     options
	out   io.Writer
	quiet bool
	lab   *lab.Lab
	marks map[string]int // bytes of each trace that were shown
}

func (d *demo) say(format string, args ...any) {
	if !d.quiet {
		fmt.Fprintf(d.out, format+"\n", args...)
	}
}

func (d *demo) run(ctx context.Context) (r result, err error) {
	d.marks = map[string]int{}
	d.say("building the system: keys, books, certificates (%s DUKPT, test keys only)", d.o.dukpt)
	options, err := d.options()
	if err != nil {
		return r, err
	}
	if d.lab, err = lab.New(ctx, options); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.lab.Close()) }()
	if err := d.lab.StartAll(ctx); err != nil {
		return r, err
	}
	d.processes()
	if d.o.broken != "" {
		return d.broken(ctx)
	}
	if r, err = d.sale(ctx, d.o.amount); err != nil {
		return r, err
	}
	if err := d.wrongPIN(ctx); err != nil {
		return r, err
	}
	if err := d.byRule(ctx); err != nil {
		return r, err
	}
	if err := d.noAnswer(ctx); err != nil {
		return r, err
	}
	if err := d.finish(ctx, &r); err != nil {
		return r, err
	}
	return r, d.writeEvidence()
}

func (d *demo) processes() {
	if d.quiet {
		return
	}
	d.say("\n== separate processes")
	for _, name := range []string{lab.Host, lab.Network, lab.Card, lab.Reader, lab.Keypad, lab.Agent} {
		d.say("   %-9s pid %d", name, d.lab.PID(name))
	}
	for _, pid := range children(d.lab.PID(lab.Host)) {
		d.say("   %-9s pid %d, child of the host", "boundary", pid)
	}
}

// sale runs one payment and reads what each program decided about it.
func (d *demo) sale(ctx context.Context, amount string) (result, error) {
	d.say("\n== 1. a chip card, a PIN, %s", amount)
	start := time.Now()
	o, err := d.pay(ctx, amount)
	if err != nil {
		return result{}, err
	}
	r := result{
		Approved: o.Outcome == "approved", STAN: o.STAN, RRN: o.RRN, RC: o.RC,
		ElapsedMS: time.Since(start).Milliseconds(), DUKPT: d.o.dukpt, Broken: d.o.broken, Sources: sources(),
	}
	if err := d.verdicts(ctx, o, &r); err != nil {
		return r, err
	}
	return r, d.show(ctx, o)
}

func (d *demo) pay(ctx context.Context, amount string) (outcome, error) {
	var o outcome
	p, err := d.lab.Pay(ctx, amount, "--trace")
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(p.Last, &o); err != nil {
		return o, fmt.Errorf("what the agent said: %w", err)
	}
	return o, nil
}

// verdicts reads what host and card say of the attempt.
func (d *demo) verdicts(ctx context.Context, o outcome, r *result) error {
	t, err := d.transaction(ctx, o.Attempt)
	if err != nil {
		return err
	}
	if t != nil {
		r.PINVerified, r.ARQCVerified, r.Score = t.PIN == "right", t.ARQC == "right", t.Score
	}
	last, err := d.lastCard()
	if err != nil {
		return err
	}
	r.ARPCVerified, r.CryptogramFinal = last.ARPCVerified, last.Final
	return nil
}

func (d *demo) wrongPIN(ctx context.Context) error {
	pin := d.typedPIN()
	if pin == "" {
		return nil // a card without PIN
	}
	d.say("\n== 2. a wrong PIN")
	if err := d.lab.TypePIN(otherPIN(pin)); err != nil {
		return err
	}
	o, err := d.pay(ctx, "5.00")
	if err != nil {
		return err
	}
	if err := d.expect(o, "declined", "55"); err != nil {
		return err
	}
	if err := d.brief(ctx, o); err != nil {
		return err
	}
	return d.lab.TypePIN(pin)
}

func (d *demo) byRule(ctx context.Context) error {
	d.say("\n== 3. a decline by rule")
	o, err := d.pay(ctx, ruleAmount)
	if err != nil {
		return err
	}
	if err := d.expect(o, "declined", "05"); err != nil {
		return err
	}
	return d.brief(ctx, o)
}

// noAnswer lets the request through and loses everything that comes back.
func (d *demo) noAnswer(ctx context.Context) error {
	d.say("\n== 4. an answer that never comes")
	if err := d.lab.SetNetwork(ctx, fault.Down, fault.Policy{Mode: fault.Drop}); err != nil {
		return err
	}
	o, err := d.pay(ctx, "7.00")
	if err != nil {
		return err
	}
	d.say("   the terminal says: %s (%s); the card was asked for an AAC", o.Outcome, o.Reason)
	if o.Outcome == "approved" {
		return errors.New("a sale without an answer was approved")
	}
	// What was lost is gone for good: the connection ends and a new one is made.
	if err := d.lab.Stop(lab.Network); err != nil {
		return err
	}
	if err := d.lab.Start(ctx, lab.Network); err != nil {
		return err
	}
	d.say("   the network is back")
	if err := d.reversed(ctx); err != nil {
		return err
	}
	d.say("   the reversal (0420, then 0421) was acknowledged")
	return d.brief(ctx, o)
}

// reversed waits until the agent owes no reversal.
func (d *demo) reversed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reversedWithin)
	defer cancel()
	for {
		n, err := d.pending(ctx)
		if err == nil && n == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d reversals are still owed after %v (%w)", n, reversedWithin, errors.Join(err, context.Cause(ctx)))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *demo) pending(ctx context.Context) (int, error) {
	out, err := d.lab.Run(ctx, lab.Agent, "status")
	if err != nil {
		return 0, err
	}
	var s struct {
		Reversals int `json:"reversals"`
		Stuck     int `json:"stuck"`
	}
	err = json.Unmarshal(out, &s)
	return s.Reversals + s.Stuck, err
}

// finish compares the books and completes the result.
func (d *demo) finish(ctx context.Context, r *result) error {
	n, err := d.pending(ctx)
	if err != nil {
		return err
	}
	r.ReversalAcknowledged = n == 0 && r.reversalWas(d)
	t, err := d.lab.Tally(ctx)
	if err != nil {
		return err
	}
	r.TalliesMatch, r.LedgerSum = t.Match, sum(t)
	r.End = d.end(r)
	d.say("\n== the books")
	d.say("   %d attempts %v, %d transactions, ledger sum %v", t.Attempts, t.Ends, t.Transactions, t.LedgerSum)
	for _, f := range t.Findings {
		d.say("   %s: %s", f.Rule, f.Text)
	}
	if t.Match {
		d.say("   journal, ledger and issuer's book match to the cent")
	}
	return nil
}

func sum(t tally.Report) (s int64) {
	for _, v := range t.LedgerSum {
		s += v
	}
	return s
}

// judge turns the result into the command's end.
func (d *demo) judge(r result) error {
	want, got := expected(d.o.broken), r.verdicts()
	if d.o.broken == "" && (d.o.pin != "" || d.o.card != defaultCard) {
		// Card and PIN are the caller's: whether they fit is for the caller to say.
		// What must hold is that the books do.
		want, got = verdicts{Balanced: true, Match: true}, verdicts{Balanced: r.LedgerSum == 0, Match: r.TalliesMatch}
	}
	if got != want {
		return cli.Fail(cli.ExitIntegrity, fmt.Sprintf("the verdicts are %+v, want %+v", got, want), "use --dir DIR to keep the logs, then read DIR/logs", nil)
	}
	return nil
}

func (d *demo) expect(o outcome, end, rc string) error {
	if o.Outcome != end || o.RC != rc {
		return fmt.Errorf("the terminal says %s with %s (%s), want %s with %s", o.Outcome, o.RC, o.Reason, end, rc)
	}
	return nil
}
