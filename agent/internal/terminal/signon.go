package terminal

import (
	"context"
	"fmt"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/dukpt"
	"tallystick.example/internal/version"
	"tallystick.example/iso8583"
)

// capabilities are what the terminal tells the host about itself.
func (t *Terminal) capabilities() iso8583.Capabilities {
	c := iso8583.CapCashback
	if t.o.PINPad != nil {
		c |= iso8583.CapOnlinePIN
	}
	return c
}

// header begins a message of this terminal.
func (t *Terminal) header(stan uint32) iso8583.Header {
	return iso8583.Header{Terminal: t.o.Config.Terminal.ID, Merchant: t.o.Config.Terminal.Merchant, STAN: stan, At: t.o.Now()}
}

// echo is the keep-alive message, which has no MAC.
func (t *Terminal) echo() (hostlink.Request, error) {
	stan, err := t.o.Journal.STAN()
	if err != nil {
		return hostlink.Request{}, t.durable(err)
	}
	m, err := iso8583.NewNetwork(t.header(stan), iso8583.Echo, iso8583.Private{})
	if err != nil {
		return hostlink.Request{}, err
	}
	body, err := iso8583.Pack(m)
	return hostlink.Request{Message: m, Body: body}, err
}

// signOn is the first message of each connection: it tells the host what the
// terminal is and owes, and learns the highest counter that the host has seen.
func (t *Terminal) signOn(ctx context.Context, exchange hostlink.Exchanger) error {
	stan, err := t.o.Journal.STAN()
	if err != nil {
		return t.durable(err)
	}
	owed, stuck := t.reversals.depth()
	confirmed, tell := t.confirmations()
	m, err := iso8583.NewNetwork(t.header(stan), iso8583.SignOn, tell(iso8583.Private{
		Software: version.Number, Capabilities: t.capabilities(),
		Queues: &iso8583.Queues{Reversals: uint16(owed), Manual: uint16(stuck)},
	}))
	if err != nil {
		return err
	}
	keys, err := t.nextKeys(func(c uint32) error { return t.o.Journal.UseKey(0, journal.KeyUse{Counter: c, For: "0800"}) })
	if err != nil {
		return err
	}
	defer keys.Wipe()
	body, err := seal(m, keys)
	if err != nil {
		return err
	}
	answer, err := exchange(ctx, hostlink.Request{Message: m, Body: body, Verify: verifier(keys)})
	if err != nil {
		return err
	}
	return t.signedOn(answer, confirmed)
}

// signedOn acts on the answer. Counters are compared even when the host refuses:
// a terminal that was rolled back is refused because of them.
func (t *Terminal) signedOn(answer *iso8583.Message, confirmed []uint64) error {
	p, err := answer.Private()
	if err != nil {
		return err
	}
	if err := t.catchUp(p.HighestKSNs); err != nil {
		return err
	}
	rc := answer.ResponseCode()
	if action, _ := iso8583.ActionFor(answer.MTI(), rc); action != iso8583.Close {
		row, _ := iso8583.ResponseCodeOf(rc)
		return fmt.Errorf("the host refuses the terminal: %s (response code %s)", row.Meaning, rc)
	}
	if err := t.keepCheckpoint(answer); err != nil {
		return err
	}
	return t.confirmed(confirmed)
}

// catchUp skips the registers forward to the host's highest counter of the
// loaded key set, never back.
func (t *Terminal) catchUp(highest [][]byte) error {
	own := t.o.Register.KSN()
	for _, b := range highest {
		k, err := dukpt.ParseKSN(own.Scheme(), b)
		if err != nil || k.Initial() != own.Initial() || k.Counter() <= own.Counter() {
			continue
		}
		t.o.Log.WithField("counter", k.Counter()).Warn("the host has seen a higher DUKPT counter: skipping forward to it")
		if err := t.durable(t.o.Register.SkipTo(k.Counter())); err != nil {
			return err
		}
	}
	return nil
}

// keepCheckpoint stores the host's signed audit checkpoint: the other half of
// the tally.
func (t *Terminal) keepCheckpoint(answer *iso8583.Message) error {
	p, err := answer.Private()
	if err != nil || p.Checkpoint == nil {
		return err
	}
	only := iso8583.Private{Checkpoint: p.Checkpoint}
	b, err := only.AppendTo(nil)
	if err != nil {
		return err
	}
	return t.durable(t.o.Journal.Checkpoint(journal.Checkpoint{Data: b}))
}

// maxConfirmed is how many attempt ids one message confirms.
const maxConfirmed = 8

// confirmations are approvals whose completion the host has not been told yet:
// their numbers, and a function that puts them into a message, the oldest with
// what its card made of it.
func (t *Terminal) confirmations() (numbers []uint64, tell func(iso8583.Private) iso8583.Private) {
	list := t.o.Journal.Unconfirmed(maxConfirmed)
	for _, a := range list {
		numbers = append(numbers, a.Number)
	}
	return numbers, func(p iso8583.Private) iso8583.Private {
		for _, a := range list {
			p.Confirmed = append(p.Confirmed, iso8583.AttemptID(a.ID))
		}
		if len(list) > 0 {
			p.ScriptResults, p.FinalChipData = list[0].Outcome.Scripts, list[0].Outcome.Final
		}
		return p
	}
}

// confirmed notes that the host has answered a message with confirmations.
func (t *Terminal) confirmed(numbers []uint64) error {
	if len(numbers) == 0 {
		return nil
	}
	return t.durable(t.o.Journal.Confirm(journal.Confirmed{Attempts: numbers}))
}
