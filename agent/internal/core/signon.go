package core

import (
	"encoding/hex"
	"fmt"
	"time"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/dukpt"
	"tallystick.example/iso8583"
)

// signOn makes the first message of a connection: it tells the host what the
// terminal is and owes, and asks for the highest counter that the host has seen.
func (c *Core) signOn(now time.Time, e STANTaken) {
	owed, stuck := c.Depth()
	confirmed, tell := c.confirmations()
	m, err := iso8583.NewNetwork(c.header(e.STAN, now), iso8583.SignOn, tell(iso8583.Private{
		Software: c.cfg.Software, Capabilities: c.cfg.Capabilities,
		Queues: &iso8583.Queues{Reversals: uint16(owed), Manual: uint16(stuck)},
	}))
	if err != nil {
		c.linked(now, c.link.Failed(now, fmt.Sprintf("signing on: %v", err)))
		return
	}
	c.signing, c.confirms = m, confirmed
	c.do(TakeKey{For: e.For, MTI: m.MTI().String()})
}

// signedOn acts on the answer. Counters are compared even when the host refuses:
// a terminal that was rolled back is refused because of them.
func (c *Core) signedOn(now time.Time, p Purpose, r hostlink.Result) {
	if p.Turn != c.turn {
		return
	}
	fail := func(why string) { c.linked(now, c.link.Failed(now, "signing on: "+why)) }
	if r.Err != nil {
		fail(r.Err.Error())
		return
	}
	private, err := r.Answer.Private()
	if err != nil {
		fail(err.Error())
		return
	}
	if counter, behind := c.behind(r.Request.Message, private.HighestKSNs); behind {
		c.note(Warning, "the host has seen a higher DUKPT counter: skipping forward to it", map[string]any{"counter": counter})
		c.accepted = r.Answer
		c.do(SkipTo{counter})
		return
	}
	c.accept(now, r.Answer)
}

// skipped goes on when the registers are where the host has seen them.
func (c *Core) skipped(now time.Time, e Skipped) {
	answer := c.accepted
	c.accepted = nil
	switch {
	case e.Why != "":
		c.linked(now, c.link.Failed(now, "signing on: "+e.Why))
	case answer != nil:
		c.accept(now, answer)
	}
}

// accept lets the terminal work when the host's answer to the sign-on does.
func (c *Core) accept(now time.Time, answer *iso8583.Message) {
	fail := func(why string) { c.linked(now, c.link.Failed(now, "signing on: "+why)) }
	private, err := answer.Private()
	if err != nil {
		fail(err.Error())
		return
	}
	rc := answer.ResponseCode()
	if action, _ := iso8583.ActionFor(answer.MTI(), rc); action != iso8583.Close {
		row, _ := iso8583.ResponseCodeOf(rc)
		fail(fmt.Sprintf("the host refuses the terminal: %s (response code %s)", row.Meaning, rc))
		return
	}
	if p := private.Checkpoint; p != nil { // the other half of the tally
		c.do(WriteCheckpoint{journal.Checkpoint{Node: p.Node, Boot: p.Boot, Count: p.Count,
			Head: hex.EncodeToString(p.Head[:]), Signature: hex.EncodeToString(p.Signature[:])}})
	}
	c.confirmed(c.confirms)
	c.confirms = nil
	c.linked(now, c.link.SignedOn(now))
}

// behind is the host's highest counter of the key set under which the terminal has
// signed on, when that is higher than the terminal's: it skips forward, never back.
func (c *Core) behind(request *iso8583.Message, highest [][]byte) (counter uint32, is bool) {
	p, err := request.Private()
	if err != nil {
		return 0, false // ours: it was read before
	}
	scheme := dukpt.AES
	if len(p.MACKSN) == 10 {
		scheme = dukpt.TDES
	}
	own, err := dukpt.ParseKSN(scheme, p.MACKSN)
	if err != nil {
		return 0, false
	}
	counter = own.Counter()
	for _, b := range highest {
		if k, err := dukpt.ParseKSN(scheme, b); err == nil && k.Initial() == own.Initial() {
			counter = max(counter, k.Counter())
		}
	}
	return counter, counter > own.Counter()
}

// maxConfirmed is how many attempt ids one message confirms.
const maxConfirmed = 8

// confirmations are approvals whose completion the host has not been told yet:
// their numbers, and a function that puts them into a message, the oldest with
// what its card made of it.
func (c *Core) confirmations() (numbers []uint64, tell func(iso8583.Private) iso8583.Private) {
	list := c.cfg.Books.Unconfirmed(maxConfirmed)
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
func (c *Core) confirmed(numbers []uint64) {
	if len(numbers) > 0 {
		c.do(WriteConfirmed{journal.Confirmed{Attempts: numbers}})
	}
}
