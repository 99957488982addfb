package terminal

import (
	"errors"
	"testing"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/dukpt"
	"tallystick.example/iso8583"
)

// TestPowerLossIsReversedAtTheNextStart leaves an intent without outcome in the
// journal, as a power loss after sending does.
func TestPowerLossIsReversedAtTheNextStart(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.up()
	done, _ := b.pay("done")
	a, err := b.journal.Begin(journal.Begin{Sale: "lost", Kind: "purchase", MTI: "0200", Processing: "000000", Amount: 1234, Currency: 978})
	ok(t, err)
	request := iso8583.New(iso8583.FinancialRequest)
	request.SetDigits(3, "000000")
	request.SetAmount(iso8583.Amount{Minor: 1234, Currency: 978})
	request.SetDigits(7, "1125120000")
	request.SetNumber(11, int64(a.Begin.STAN))
	request.SetDigits(12, "120000")
	request.SetDigits(13, "1125")
	request.SetDigits(22, "051")
	request.SetDigits(25, "00")
	request.SetText(41, "TERM0001")
	request.SetText(42, "MERCHANT0000001")
	request.SetPrivate(iso8583.Private{AttemptID: iso8583.AttemptID(a.ID)})
	skeleton, err := iso8583.Pack(request)
	ok(t, err)
	ok(t, b.journal.Intent(a.Number, journal.Intent{Counter: 9, Request: skeleton}))
	never, err := b.journal.Begin(journal.Begin{Sale: "never", Kind: "purchase", MTI: "0200", Amount: 1, Currency: 978})
	ok(t, err)
	b.stop()
	b.start()
	b.up()
	b.settled()
	if r, _ := b.terminal.Sale("lost"); r.Outcome != "reversed" {
		t.Errorf("what was sent ended as %s", r.Outcome)
	}
	if r, _ := b.terminal.Sale("never"); r.Outcome != "cancelled" || never.Intent != nil {
		t.Errorf("what was not sent ended as %s", r.Outcome)
	}
	if r, _ := b.terminal.Sale("done"); r.Outcome != done.Outcome {
		t.Errorf("what had ended became %s", r.Outcome)
	}
	if b.register.KSN().Counter() <= 9 {
		t.Error("a counter that the journal knows could be used again")
	}
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	p, err := b.host.seen[len(b.host.seen)-1].Private()
	ok(t, err)
	if p.Reason != iso8583.ReasonPowerLoss || p.OriginalAttemptID != iso8583.AttemptID(a.ID) {
		t.Errorf("reversal %v of %x", p.Reason, p.OriginalAttemptID)
	}
}

func TestHostThatHasSeenMoreMovesTheCounterForward(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.stop()
	b.host.highest = unhex("123456789012345600000100")
	b.start()
	b.up()
	b.eventually("at the host's counter", func() bool { return b.register.KSN().Counter() >= 0x100 })
	b.pay("one")
	b.stop()
	b.host.highest = unhex("123456789012345600000001")
	b.start()
	b.up()
	if got := b.register.KSN().Counter(); got < 0x101 {
		t.Errorf("the counter went back to %x", got)
	}
}

// TestApprovalsAreConfirmedOnce: the message after an approval tells the host
// that it was completed, with the card's last word, and the one after does not.
func TestApprovalsAreConfirmedOnce(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.up()
	first, _ := b.pay("one")
	b.pay("two")
	b.pay("three")
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	var confirmed [][]iso8583.AttemptID
	for _, m := range b.host.seen {
		if p, err := m.Private(); err == nil && m.MTI() == iso8583.FinancialRequest {
			confirmed = append(confirmed, p.Confirmed)
			if len(p.Confirmed) > 0 && len(p.FinalChipData) == 0 {
				t.Error("a confirmation without the card's last word")
			}
		}
	}
	if len(confirmed) != 3 || len(confirmed[0]) != 0 || len(confirmed[1]) != 1 || len(confirmed[2]) != 1 ||
		iso8583.AttemptID(unhex(first.Attempt)) != confirmed[1][0] || confirmed[1][0] == confirmed[2][0] {
		t.Errorf("confirmed %x", confirmed)
	}
}

// TestFailedDiskEndsTheTerminal: after a write of unknown effect nothing more
// happens in this process.
func TestFailedDiskEndsTheTerminal(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.up()
	ok(t, b.journal.Close())
	_, err := b.terminal.Pay(t.Context(), PayRequest{Sale: "one", Amount: 1234}, func(Event) {})
	if err == nil && len(b.host.sent()) > 0 {
		t.Error("a sale went on without a journal")
	}
	b.cancel()
	<-b.ended
	b.cancel = nil
}

// TestEndingTerminalIsNotReady: a terminal that has ended says so, since its
// control socket may still answer.
func TestEndingTerminalIsNotReady(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.up()
	b.eventually("ready", func() bool { return b.terminal.Status().SaleReady })
	b.cancel()
	ok(t, <-b.ended)
	if s := b.terminal.Status(); s.HostUp || s.SaleReady {
		t.Errorf("%+v", s)
	}
	ok(t, errors.Join(b.journal.Close(), b.register.Close()))
	b.cancel = nil
}
