package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallystick.example/internal/control"
	"tallystick.example/simulator/lab"
)

// Bounds of a trial.
const (
	payWithin   = 20 * time.Second // for the till's answer
	readyWithin = 20 * time.Second // for the programs to sell again
	endWithin   = 2 * time.Second  // for an end that is on its way to the journal
	quiet       = 15 * time.Millisecond
	quietAtMost = 200 * time.Millisecond
	poll        = 2 * time.Millisecond
	// checkpointEvery is how often the boundary signs a checkpoint, and a little.
	checkpointEvery = 1100 * time.Millisecond
	maxRestarts     = 5
	baselines       = 5 // sales that nothing is done to
)

// A trial is a case and what came of it.
type trial struct {
	plannedCase
	at       Event
	reached  bool
	second   bool   // stopped again while recovering
	outcome  string // of the sale
	findings []Finding
	broken   bool // nothing can be tried after it
}

// A result is what the agent says of a sale; see agent pay --json.
type result struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
}

// nothing is the outcome of a sale that the terminal does not know: it was never
// begun, or not durably, and nobody acted on it.
const nothing = "nothing"

// baseline runs sales that nothing is done to and returns the events of each.
func (b *bench) baseline(ctx context.Context) (sales [][]Event, err error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	for range baselines {
		b.rec.arm(plan{diskOnly: b.o.What == Error})
		r, err := b.watchedSale(ctx, b.reference(plannedCase{image: -1}))
		log, _, _ := b.rec.disarm()
		if err != nil {
			return nil, fmt.Errorf("a sale that nothing was done to: %w", err)
		}
		if want := b.usual(); r.Outcome != want {
			return nil, fmt.Errorf("a sale that nothing was done to ended %s (%s), want %s", r.Outcome, r.Reason, want)
		}
		sales = append(sales, log)
		if r, err := b.pay(ctx, b.reference(plannedCase{image: -1})); err != nil || r.Outcome != "approved" {
			return nil, fmt.Errorf("the sale after it ended %s (%s), want approved: %w", r.Outcome, r.Reason, err)
		}
	}
	return sales, nil
}

// reference names the next sale.
func (b *bench) reference(c plannedCase) string {
	b.sales++
	ref := fmt.Sprintf("sweep-%06d", b.sales)
	b.cases[ref] = c
	return ref
}

// pay is the till: it asks for a sale and waits for its outcome.
func (b *bench) pay(ctx context.Context, ref string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, payWithin)
	defer cancel()
	var r result
	args := map[string]string{"sale": ref, "amount": fmt.Sprintf("%d.%02d", 1+b.sales/100%1000, b.sales%100)}
	err := control.Call(ctx, b.till(), "pay", args, nil, &r)
	return r, err
}

// usual is how a sale ends that nothing is done to. The boundary writes most
// when a PIN is wrong, so its sales are declined; the next one has the right PIN,
// which sets the count of wrong ones back.
func (b *bench) usual() string {
	if b.o.Target == Boundary {
		return "declined"
	}
	return "approved"
}

// watchedSale is the sale whose events count, and what goes on after its answer.
func (b *bench) watchedSale(ctx context.Context, ref string) (result, error) {
	if b.o.Target != Boundary {
		r, err := b.pay(ctx, ref)
		b.settle(quiet, quietAtMost)
		return r, err
	}
	pin := b.lab.Profile().PIN
	if err := b.lab.TypePIN(wrong(pin)); err != nil {
		return result{}, err
	}
	r, err := b.pay(ctx, ref)
	b.settle(checkpointEvery, checkpointEvery)
	return r, errors.Join(err, b.lab.TypePIN(pin))
}

// wrong is another PIN.
func wrong(pin string) string {
	last := pin[len(pin)-1]
	return pin[:len(pin)-1] + string('0'+(last-'0'+1)%10)
}

// settle waits until nothing has happened for so long, and no longer than most.
func (b *bench) settle(still, most time.Duration) {
	end := time.After(most)
	for {
		select {
		case <-b.rec.moved:
		case <-time.After(still):
			return
		case <-end:
			return
		}
	}
}

// trial does one case: a sale, something that happens at an event of it, and
// everything that must hold afterwards. Its error is one of the bench.
func (b *bench) trial(ctx context.Context, c plannedCase) (trial, error) {
	t := trial{plannedCase: c}
	var image string
	var failed error
	ref := b.reference(c)
	b.rec.arm(plan{
		is:   func(e Event) bool { return e.String() == c.event },
		edge: c.edge, errno: c.errno, diskOnly: c.errno != 0, cut: b.cutter(c, &image, &failed),
	})
	told, payErr := b.watchedSale(ctx, ref)
	_, at, hit := b.rec.disarm()
	if failed != nil {
		return t, failed
	}
	if hit {
		t.reached, t.at = true, at
		if err := b.revive(ctx, &t, image); err != nil {
			return t, err
		}
	}
	if !t.broken {
		b.judge(ctx, &t, ref, told, payErr)
	}
	if !t.broken && (t.reached || b.o.Target == Boundary) {
		b.sellAgain(ctx, &t)
	}
	return t, ctx.Err()
}

// revive brings the program back, and stops it again on its way where that is
// asked for. Programs that do not come back are a finding.
func (b *bench) revive(ctx context.Context, t *trial, image string) error {
	if t.errno != 0 {
		return nil // it ends by itself where it must; ready starts it again
	}
	for round := 0; ; round++ {
		if err := b.reap(image); err != nil {
			return err
		}
		if b.o.Twice && round == 0 {
			next, hit, err := b.stopAgain(ctx, t)
			if err != nil {
				return err
			}
			if hit {
				t.second, image = true, next
				continue
			}
			return nil
		}
		if err := b.startVictims(ctx); err != nil {
			t.fail("not-recovered", fmt.Sprintf("the %s does not start again: %v", b.o.Target, err))
		}
		return nil
	}
}

// inRecovery is more than the events of a usual recovery.
const inRecovery = 80

// stopAgain starts the program and stops it at a random event of its recovery,
// if that comes before it is ready.
func (b *bench) stopAgain(ctx context.Context, t *trial) (image string, hit bool, err error) {
	c, r := t.plannedCase, t.random(b.o.Seed+1)
	c.event = "recovery" // other random numbers than the first time
	number, edge := 1+r.IntN(inRecovery), []Edge{Before, After}[r.IntN(2)]
	var failed error
	b.rec.arm(plan{is: func(e Event) bool { return e.Number == number }, edge: edge, cut: b.cutter(c, &image, &failed)})
	err = b.startVictims(ctx)
	if err == nil {
		_, err = b.wait(ctx, func() (bool, error) { return b.rec.wasHit(), nil })
	}
	_, _, hit = b.rec.disarm()
	if failed != nil {
		return "", false, failed
	}
	if err != nil && !hit {
		t.fail("not-recovered", fmt.Sprintf("the %s does not recover: %v", b.o.Target, err))
	}
	return image, hit, nil
}

// fail notes a finding after which nothing can be tried any more.
func (t *trial) fail(rule, text string) {
	t.broken = true
	t.find(rule, "", text)
}

func (t *trial) find(rule, sale, text string) {
	t.findings = append(t.findings, Finding{Rule: rule, Text: text, Sale: sale, Event: t.event, Edge: t.name(), Image: t.image})
}

// ready waits until the terminal can sell again. A program that has ended
// because its disk refused something is started again.
func (b *bench) ready(ctx context.Context) error {
	restarts := 0
	_, err := b.wait(ctx, func() (bool, error) {
		n, err := b.startEnded(ctx)
		if restarts += n; err == nil && restarts > maxRestarts {
			err = fmt.Errorf("programs were started %d times and end again and again", restarts)
		}
		return false, err
	})
	return err
}

// wait waits until the terminal is connected, owes no reversal and nothing else
// stops a sale, or until done says so.
func (b *bench) wait(ctx context.Context, done func() (bool, error)) (early bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	why := errors.New("nothing was asked yet")
	for {
		if early, err := done(); early || err != nil {
			return early, err
		}
		var s struct {
			SaleReady bool   `json:"sale_ready"`
			WhyNot    string `json:"why_not"`
		}
		switch err := control.Call(ctx, b.lab.Path("agent.sock"), "status", nil, nil, &s); {
		case err == nil && s.SaleReady:
			return false, nil
		case err == nil:
			why = errors.New(s.WhyNot)
		case ctx.Err() == nil:
			why = err
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("no sale is possible after %v: %w", readyWithin, why)
		case <-time.After(poll):
		}
	}
}

// startEnded starts programs that have ended by themselves.
func (b *bench) startEnded(ctx context.Context) (n int, err error) {
	for _, name := range []string{lab.Boundary, lab.Host, lab.Agent} {
		select {
		case <-b.lab.Exited(name):
		default:
			continue
		}
		if err := b.lab.Kill(name); err != nil { // takes it off the list
			return n, err
		}
		if err := b.lab.Start(ctx, name); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// judge asks what became of the sale and holds it against what the till was
// told.
func (b *bench) judge(ctx context.Context, t *trial, ref string, told result, payErr error) {
	if err := b.ready(ctx); err != nil {
		t.fail("not-ready", err.Error())
		return
	}
	final, err := b.end(ctx, ref)
	if err != nil {
		t.fail("no-answer", fmt.Sprintf("the agent does not tell of sale %s: %v", ref, err))
		return
	}
	t.outcome = final
	switch final {
	case "approved", "declined", "reversed", "cancelled", nothing:
	default:
		t.find("no-end", ref, fmt.Sprintf("the sale stands at %q although nothing is owed any more", final))
	}
	if payErr != nil {
		return // the till was told nothing
	}
	want := told.Outcome
	switch want {
	case "reversing":
		want = "reversed"
	case "refused":
		want = nothing
	}
	if want != final {
		t.find("told-otherwise", ref, fmt.Sprintf("the till was told %s (%s), the journal says %s", told.Outcome, told.Reason, final))
	}
}

// end is what became of a sale. The terminal is ready the moment its reversal is
// acknowledged, and notes that in the journal then: an end that is on its way is
// waited for.
func (b *bench) end(ctx context.Context, ref string) (string, error) {
	deadline := time.Now().Add(endWithin)
	for {
		outcome, err := b.sale(ctx, ref)
		if err != nil || outcome != "reversing" && outcome != "open" || time.Now().After(deadline) {
			return outcome, err
		}
		select {
		case <-ctx.Done():
			return outcome, context.Cause(ctx)
		case <-time.After(poll):
		}
	}
}

// sale asks the agent what the journal says of a sale.
func (b *bench) sale(ctx context.Context, ref string) (string, error) {
	var r result
	err := control.Call(ctx, b.lab.Path("agent.sock"), "sale", map[string]string{"sale": ref}, nil, &r)
	if e, ok := errors.AsType[*control.Error](err); ok && e.Exit == 1 {
		return nothing, nil
	}
	return r.Outcome, err
}

// sellAgain proves that sales go on: one of the next is approved.
func (b *bench) sellAgain(ctx context.Context, t *trial) {
	end := time.Now().Add(readyWithin)
	last := ""
	for time.Now().Before(end) && ctx.Err() == nil {
		r, err := b.pay(ctx, b.reference(t.plannedCase))
		if err == nil && r.Outcome == "approved" {
			return
		}
		last = fmt.Sprintf("%s %s %v", r.Outcome, r.Reason, err)
		if err := b.ready(ctx); err != nil {
			last = err.Error()
		}
	}
	t.fail("no-sale", "no sale is approved any more: "+last)
}
