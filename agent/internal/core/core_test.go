package core_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/agent/internal/register"
	"tallystick.example/agent/internal/terminal"
	"tallystick.example/dukpt"
	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A bench is a Core on real books, with a test that plays all that is outside.
type bench struct {
	t     testing.TB
	core  *core.Core
	books *terminal.Books
	base  *dukpt.Base
	now   time.Time
	lists []string // the names of the actions of each step
	sent  [][]byte
	card  []kernel.Answer
	told  []core.Told
	conn  uint64
	// highest is the counter that the host tells at the sign-on, 0 for none.
	highest uint32
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	base, err := dukpt.NewBase(dukpt.AES, make([]byte, 16))
	ok(t, err)
	id, err := hex.DecodeString("123456789012345600000000")
	ok(t, err)
	ksn, err := dukpt.ParseKSN(dukpt.AES, id)
	ok(t, err)
	ik, err := base.InitialKey(ksn)
	ok(t, err)
	o := register.Options{Path: filepath.Join(dir, "registers"), Key: secret.New(make([]byte, 32)), Random: rand.Reader, NoSync: true}
	ok(t, register.Load(o, "", secret.New(ik), ksn))
	r, _, err := register.Open(o, "", 0)
	ok(t, err)
	b := &bench{t: t, base: base, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	j, err := journal.Open(journal.Options{Path: filepath.Join(dir, "journal"), Key: secret.New(make([]byte, 32)), Random: rand.Reader,
		Now: func() time.Time { return b.now }, NoSync: true})
	ok(t, err)
	t.Cleanup(func() { _, _ = r.Close(), j.Close() })
	b.books = &terminal.Books{Journal: j, Register: r, Ready: func() string { return "" }}
	b.restart()
	return b
}

// restart begins anew with what is durable.
func (b *bench) restart() {
	eur, found := emv.LookupCurrency("EUR")
	if !found {
		b.t.Fatal("no EUR")
	}
	b.core = core.New(core.Config{
		Terminal: "TERM0001", Merchant: "MERCHANT0000001", Software: "test", Currency: eur, Books: b.books.Journal, Random: rand.Reader,
		Reversals:      payment.Policy{First: time.Second, Max: time.Minute, StuckAfter: 5},
		WaitBeforeSale: 20 * time.Second,
		Link:           hostlink.Policy{EchoEvery: time.Minute, AnswerTime: 25 * time.Second, RetryFirst: time.Second, RetryMax: 10 * time.Second},
	})
	b.step(core.Started{})
}

// step gives an event and carries out everything that follows from it.
func (b *bench) step(e core.Event) {
	b.t.Helper()
	for queue := []core.Event{e}; len(queue) > 0; queue = queue[1:] {
		actions := b.core.Step(b.now, queue[0])
		var names []string
		for _, a := range actions {
			brought, _, err := b.books.Do(a)
			ok(b.t, err)
			if brought != nil {
				queue = append(queue, brought)
			}
			switch a := a.(type) {
			case core.Note, core.Arm, core.Show:
				continue
			case core.Dial:
				b.conn = a.Conn
			case core.Send:
				b.sent = append(b.sent, a.Body)
			case core.CompleteCard:
				b.card = append(b.card, a.Answer)
			case core.Told:
				b.told = append(b.told, a)
			}
			names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", a), "core."))
		}
		if len(names) > 0 {
			b.lists = append(b.lists, strings.Join(names, " "))
		}
	}
}

// answer has the host answer the last message.
func (b *bench) answer(rc string) {
	b.t.Helper()
	m, err := iso8583.Unpack(b.sent[len(b.sent)-1])
	ok(b.t, err)
	p, err := m.Private()
	ok(b.t, err)
	ksn, err := dukpt.ParseKSN(dukpt.AES, p.MACKSN)
	ok(b.t, err)
	keys, err := b.base.Keys(ksn, 0)
	ok(b.t, err)
	a, err := iso8583.Answer(m, rc)
	ok(b.t, err)
	if m.MTI().Class() != iso8583.ClassNetwork {
		a.SetText(37, "632914000041")
	}
	if m.MTI().Class() == iso8583.ClassPayment && rc == "00" {
		a.SetText(38, "A1B2C3")
	}
	if b.highest != 0 && m.MTI().Class() == iso8583.ClassNetwork {
		private, err := a.Private()
		ok(b.t, err)
		private.HighestKSNs = [][]byte{binary.BigEndian.AppendUint32(bytes.Clone(p.MACKSN[:8]), b.highest)}
		a.SetPrivate(private)
	}
	body, err := iso8583.SealMAC(a, func(in []byte) ([8]byte, error) {
		mac, err := keys.MAC(dukpt.Response, in)
		return [8]byte(mac), err
	})
	ok(b.t, err)
	b.step(core.FrameCame{Conn: b.conn, Body: body})
}

// up signs on.
func (b *bench) up() {
	b.step(core.Connected{Conn: b.conn})
	b.answer("00")
	if !b.core.Link().Up {
		b.t.Fatalf("not up: %+v", b.core.Link())
	}
	b.lists = nil
}

// present gives the card, which asks for the host.
func (b *bench) present() {
	b.t.Helper()
	de55, err := hex.DecodeString("9F26080102030405060708" + "9F270180" + "9F10020102" + "9F370401020304" + "9F36020007" + "95050000000000" +
		"9A03260301" + "9C0100" + "9F02060000000012345F2A02097882023C009F1A020276")
	ok(b.t, err)
	track2, err := hex.DecodeString("4761739001010010D31122011234599999")
	ok(b.t, err)
	b.step(core.CardReady{First: &kernel.Request{Cryptogram: emv.ARQC, DE55: de55, Card: &kernel.CardInfo{
		PAN: secret.New([]byte("4761739001010010")), Track2: secret.New(track2), Sequence: 1, Expiry: "311231"}}})
}

func (b *bench) pay(sale string) { b.step(core.PayAsked{Call: 1, Sale: sale, Amount: 1234}) }

// completed gives the card's last word.
func (b *bench) completed(r payment.CardResult) {
	b.step(core.CardDone{Last: &kernel.Outcome{Cryptogram: emv.TC}, Result: r})
}

func (b *bench) want(lists ...string) {
	b.t.Helper()
	if !slices.Equal(b.lists, lists) {
		b.t.Errorf("the Core wanted\n  %s\nwant\n  %s", strings.Join(b.lists, "\n  "), strings.Join(lists, "\n  "))
	}
	b.lists = nil
}

// TestWrittenBeforeSentAndTold reads rule 1 off the lists of an approved payment
// and of one that gets no answer.
func TestWrittenBeforeSentAndTold(t *testing.T) {
	b := newBench(t)
	b.up()
	b.pay("one")
	b.present()
	b.answer("00")
	b.completed(payment.CardApproves)
	b.want("Begin", "ReadCard", "TakeKey", "WriteIntent Send", "CompleteCard", "WriteOutcome Told")
	b.now = b.now.Add(time.Second)
	b.pay("two")
	b.present()
	b.now = b.now.Add(25 * time.Second)
	b.step(core.Tick{})
	b.completed(payment.CardDeclines)
	b.want("Begin", "ReadCard", "TakeKey", "WriteIntent Send", "CompleteCard", "WriteOutcome Told", "TakeKey", "Send")
	if m, err := iso8583.Unpack(b.sent[len(b.sent)-1]); err != nil || m.MTI() != iso8583.ReversalAdvice {
		t.Errorf("%v, %v left instead of the reversal", m, err)
	}
	b.answer("00")
	b.want("WriteClosed")
}

// TestPowerLossAtEachStep: whatever was carried out before the power went, the
// next start knows what it owes.
func TestPowerLossAtEachStep(t *testing.T) {
	for cut, want := range map[string]journal.End{"begun": journal.EndCancelled, "sent": journal.EndReversing, "answered": journal.EndReversing} {
		t.Run(cut, func(t *testing.T) {
			b := newBench(t)
			b.up()
			b.pay("one")
			if cut != "begun" {
				b.present()
			}
			if cut == "answered" {
				b.answer("00")
			}
			b.restart()
			if a, found := b.books.Journal.Find("one"); !found || a.End() != want {
				t.Errorf("%s after the restart, want %s", a.End(), want)
			}
			b.up()
			if want != journal.EndReversing {
				return
			}
			b.pay("two")
			if len(b.told) > 0 || b.lists != nil {
				t.Errorf("a sale went before the reversal: %v", b.lists)
			}
			b.answer("00")
			b.want("WriteClosed Begin", "ReadCard")
		})
	}
}

// TestLateAnswerChangesNothing: after the time is over the card has been told
// that the host is out of reach, and an approval that comes then is a stray.
func TestLateAnswerChangesNothing(t *testing.T) {
	b := newBench(t)
	b.up()
	b.pay("one")
	b.present()
	b.now = b.now.Add(25 * time.Second)
	b.step(core.Tick{})
	b.answer("00")
	b.completed(payment.CardDeclines)
	if b.card[0].Route != kernel.NoAnswer || b.core.Link().Late != 1 {
		t.Errorf("the card was told %+v, %d late answers", b.card[0], b.core.Link().Late)
	}
	if a, _ := b.books.Journal.Find("one"); a.End() != journal.EndReversing {
		t.Errorf("ended as %s", a.End())
	}
}

func TestOneSaleAtATimeAndEachOnce(t *testing.T) {
	b := newBench(t)
	b.up()
	b.pay("one")
	b.step(core.PayAsked{Call: 2, Sale: "two", Amount: 1})
	b.step(core.AbortAsked{})
	b.step(core.CardFailed{Why: "stopped"})
	b.step(core.PayAsked{Call: 3, Sale: "one", Amount: 1234})
	if len(b.told) != 3 || !b.told[0].Busy || b.told[1].Call != 1 || !b.told[2].Known {
		t.Errorf("%+v", b.told)
	}
	b.step(core.Ending{})
	b.step(core.PayAsked{Call: 4, Sale: "four", Amount: 1})
	if !b.told[3].Busy {
		t.Error("a payment began while the program ends")
	}
}

// TestSkipsForwardBeforeItWorks: the registers are at the host's counter before the
// terminal counts as signed on, and a counter that cannot be reached keeps it out.
func TestSkipsForwardBeforeItWorks(t *testing.T) {
	b := newBench(t)
	b.highest = 0x40
	b.step(core.Connected{Conn: b.conn})
	b.lists = nil
	b.answer("00")
	b.want("SkipTo")
	if got := b.books.Register.KSN().Counter(); got < 0x40 || !b.core.Link().Up {
		t.Errorf("counter %x, %+v", got, b.core.Link())
	}
	b.restart()
	b.highest = 0xFFFFFFFF // no AES counter has so many bits
	b.step(core.Connected{Conn: b.conn})
	b.answer("00")
	if b.core.Link().Up {
		t.Error("signed on behind a counter that cannot be reached")
	}
}
