package terminal

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/agent/internal/device"
	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/register"
	"tallystick.example/dukpt"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

var (
	testBDK   = unhex("FEDCBA9876543210F1F1F1F1F1F1F1F1")
	deviceKey = secret.New(make([]byte, 32))
)

// A bench is a terminal with its peers, which can be restarted on its files.
type bench struct {
	t        *testing.T
	dir      string
	scheme   dukpt.Scheme
	cfg      *params.Config
	host     *host
	slot     *slot
	pad      *pad
	terminal *Terminal
	journal  *journal.Journal
	register *register.Register
	cancel   context.CancelFunc
	ended    chan error
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func approve(*host, *iso8583.Message) (string, func(*iso8583.Message)) { return "00", nil }

func newBench(t *testing.T, scheme dukpt.Scheme) *bench {
	t.Helper()
	cfg, err := params.Load("../../sample.yaml", nil)
	ok(t, err)
	cfg.Mode = conf.Lab
	cfg.Host.AnswerWithin, cfg.Host.RetryFirst = time.Second, 10*time.Millisecond
	cfg.Reversals.First, cfg.Reversals.WaitBeforeSale = 20*time.Millisecond, 2*time.Second
	cfg.Terminal.CardWithin = time.Second
	base, err := dukpt.NewBase(scheme, testBDK)
	ok(t, err)
	b := &bench{t: t, dir: t.TempDir(), scheme: scheme, cfg: cfg, slot: newSlot(&chip{}), pad: &pad{},
		host: &host{t: t, base: base, used: map[string]bool{}, answer: approve}}
	ksn := unhex("123456789012345600000000")
	if scheme == dukpt.TDES {
		ksn = unhex("FFFF9876543210E00000")
	}
	initial, err := dukpt.ParseKSN(scheme, ksn)
	ok(t, err)
	ik, err := base.InitialKey(initial)
	ok(t, err)
	ok(t, register.Load(b.registerOptions(), "", secret.New(ik), initial))
	b.start()
	t.Cleanup(func() {
		if b.cancel != nil {
			b.stop()
		}
	})
	return b
}

func (b *bench) registerOptions() register.Options {
	return register.Options{Path: filepath.Join(b.dir, "registers"), Key: deviceKey, Random: rand.Reader, NoSync: true}
}

// start opens the files and runs the terminal.
func (b *bench) start() {
	b.t.Helper()
	var err error
	b.journal, err = journal.Open(journal.Options{Path: filepath.Join(b.dir, "journal"), Key: deviceKey, Random: rand.Reader, Now: time.Now, NoSync: true})
	ok(b.t, err)
	set, counter := b.journal.Counter()
	if set == "" {
		set = "1234567890123456"
		ok(b.t, b.journal.KeyLoad(journal.KeyLoad{Set: set, Scheme: b.scheme.String()}))
	}
	b.register, _, err = register.Open(b.registerOptions(), set, counter)
	ok(b.t, err)
	log := logrus.New()
	log.SetOutput(b.t.Output())
	b.terminal, err = New(Options{
		Config: b.cfg, Journal: b.journal, Register: b.register, Reader: b.slot, PINPad: b.pad,
		Dial: hostlink.Options{Dial: b.host.dial}, Random: rand.Reader, Now: time.Now, Log: log,
	})
	ok(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.ended = cancel, make(chan error, 1)
	go func() { b.ended <- b.terminal.Run(ctx) }()
}

// stop ends the terminal as a signal would.
func (b *bench) stop() {
	b.t.Helper()
	b.cancel()
	ok(b.t, <-b.ended)
	ok(b.t, errors.Join(b.journal.Close(), b.register.Close()))
	b.cancel = nil
}

// up waits for the sign-on.
func (b *bench) up() {
	b.t.Helper()
	b.eventually("signed on", func() bool { return b.terminal.Status().HostUp })
}

// eventually waits until something is so.
func (b *bench) eventually(what string, so func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not %s: %+v, owed %+v", what, b.terminal.Status(), b.terminal.Reversals())
		}
	}
}

// pay takes one payment and returns the steps that the till saw.
func (b *bench) pay(sale string) (Result, []Progress) {
	b.t.Helper()
	var mu sync.Mutex
	var steps []Progress
	r, err := b.terminal.Pay(b.t.Context(), PayRequest{Sale: sale, Amount: 1234}, func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, e.Progress)
	})
	ok(b.t, err)
	return r, steps
}

// settled waits until the host has acknowledged every reversal.
func (b *bench) settled() {
	b.t.Helper()
	b.eventually("settled", func() bool { return len(b.terminal.Reversals()) == 0 })
}

func TestApprovedPayment(t *testing.T) {
	for _, scheme := range []dukpt.Scheme{dukpt.AES, dukpt.TDES} {
		t.Run(scheme.String(), func(t *testing.T) {
			b := newBench(t, scheme)
			b.up()
			r, steps := b.pay("one")
			if r.Outcome != "approved" || r.RC != "00" || r.Auth != "A1B2C3" || r.RRN != "632914000041" || r.Card != "0010" || !r.Test {
				t.Errorf("result %+v", r)
			}
			if want := []Progress{InsertCard, ReadingCard, EnterPIN, PleaseWait, PleaseWait, RemoveCard}; !slices.Equal(steps, want) {
				t.Errorf("steps %v", steps)
			}
			for _, text := range []string{r.Merchant, r.Customer} {
				if !strings.Contains(text, "TEST") || !strings.Contains(text, "APPROVED") || !strings.Contains(text, "**** 0010") || strings.Contains(text, testPAN) {
					t.Errorf("receipt\n%s", text)
				}
			}
			if !strings.Contains(r.Merchant, "TC 0102030405060702") || !strings.Contains(r.Merchant, "PIN VERIFIED") {
				t.Errorf("merchant copy\n%s", r.Merchant)
			}
			if got := b.host.sent(); !slices.Equal(got, []string{"0200"}) {
				t.Errorf("sent %v", got)
			}
		})
	}
}

// TestSecondRequestForASaleGetsTheSameOutcome: a till that asks again never
// takes the money twice.
func TestSecondRequestForASaleGetsTheSameOutcome(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.up()
	first, _ := b.pay("one")
	again, steps := b.pay("one")
	if !again.Repeated || again.Attempt != first.Attempt || again.Outcome != "approved" || len(steps) > 0 {
		t.Errorf("%+v after %+v", again, first)
	}
	b.stop()
	b.start()
	if r, found := b.terminal.Sale("one"); !found || r.Outcome != "approved" || r.Merchant != first.Merchant {
		t.Errorf("after a restart: %+v", r)
	}
	if got := b.host.sent(); len(got) != 1 {
		t.Errorf("sent %v", got)
	}
}

func TestTraceShowsTheKernelsSteps(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.up()
	var mu sync.Mutex
	var steps []string
	_, err := b.terminal.Pay(t.Context(), PayRequest{Sale: "one", Amount: 1234, Trace: true}, func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Progress == KernelStep {
			steps = append(steps, e.Text)
		}
	})
	ok(t, err)
	all := strings.Join(steps, "\n")
	if !strings.Contains(all, "B3 10.8") || !strings.Contains(all, "B3 10.11") || strings.Contains(all, testPAN) || strings.Contains(all, testPIN) {
		t.Errorf("steps:\n%s", all)
	}
}

// change changes host and card while the terminal may be talking to them.
func (b *bench) change(f func()) {
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	b.slot.card.mu.Lock()
	defer b.slot.card.mu.Unlock()
	f()
}

// answers changes what the host answers.
func (b *bench) answers(f func(*host, *iso8583.Message) (string, func(*iso8583.Message))) {
	b.change(func() { b.host.answer = f })
}

// TestWhatIsReversed is every way in which an attempt must be undone, each with
// the reason that the host is told.
func TestWhatIsReversed(t *testing.T) {
	silent := func(*host, *iso8583.Message) (string, func(*iso8583.Message)) { return "", nil }
	only := func(rc string, change func(a *iso8583.Message)) func(h *host, m *iso8583.Message) (string, func(*iso8583.Message)) {
		return func(_ *host, m *iso8583.Message) (string, func(*iso8583.Message)) {
			if m.MTI() == iso8583.FinancialRequest {
				return rc, change
			}
			return "00", nil
		}
	}
	for name, c := range map[string]struct {
		setup  func(b *bench)
		during func(b *bench, e Event)
		reason iso8583.ReversalReason
	}{
		"no answer":                  {func(b *bench) { b.host.answer = onlyReversals(silent) }, nil, iso8583.ReasonNoAnswer},
		"line cut":                   {func(b *bench) { b.host.breaks = cutOnce() }, nil, iso8583.ReasonNoAnswer},
		"other amount":               {func(b *bench) { b.host.answer = only("00", func(a *iso8583.Message) { a.SetNumber(4, 1) }) }, nil, iso8583.ReasonBadAnswer},
		"partial":                    {func(b *bench) { b.host.answer = only("10", func(a *iso8583.Message) { a.SetNumber(4, 1000) }) }, nil, iso8583.ReasonPartialRefused},
		"host unsure":                {func(b *bench) { b.host.answer = only("96", nil) }, nil, iso8583.ReasonHostUnsure},
		"card declines":              {func(b *bench) { b.slot.card.noTC = true }, nil, iso8583.ReasonCardDeclined},
		"card gone at the last word": {func(b *bench) { b.slot.card.pullAt, b.slot.card.pullAC = 0xAE, 2 }, nil, iso8583.ReasonCardRemoved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, dukpt.AES)
			b.change(func() { c.setup(b) })
			b.up()
			r, _ := b.pay("one")
			if r.Outcome != "reversing" && r.Outcome != "reversed" || r.Reason == "" {
				t.Fatalf("%+v", r)
			}
			b.settled()
			b.host.mu.Lock()
			defer b.host.mu.Unlock()
			last := b.host.seen[len(b.host.seen)-1]
			p, err := last.Private()
			ok(t, err)
			if last.MTI().ClearRepeat() != iso8583.ReversalAdvice || p.Reason != c.reason {
				t.Errorf("the host got %v with reason %v, want %v", last.MTI(), p.Reason, c.reason)
			}
			if o, found := last.Original(); !found || o.STAN != r.STAN || o.MTI != iso8583.FinancialRequest {
				t.Errorf("DE 90 %+v", o)
			}
			if after, _ := b.terminal.Sale("one"); after.Outcome != "reversed" {
				t.Errorf("ended as %s", after.Outcome)
			}
		})
	}
}

// onlyReversals answers reversals and leaves payments to f.
func onlyReversals(f func(*host, *iso8583.Message) (string, func(*iso8583.Message))) func(*host, *iso8583.Message) (string, func(*iso8583.Message)) {
	return func(h *host, m *iso8583.Message) (string, func(*iso8583.Message)) {
		if m.MTI().Class() == iso8583.ClassReversal {
			return "00", nil
		}
		return f(h, m)
	}
}

func cutOnce() func(m *iso8583.Message) bool {
	cut := false
	return func(m *iso8583.Message) bool {
		if m.MTI() == iso8583.FinancialRequest && !cut {
			cut = true
			return true
		}
		return false
	}
}

func TestWhatIsNotReversed(t *testing.T) {
	for name, c := range map[string]struct {
		setup         func(b *bench)
		outcome, says string
		sent          int
	}{
		"declined by the issuer": {func(b *bench) {
			b.host.answer = func(*host, *iso8583.Message) (string, func(*iso8583.Message)) { return "51", nil }
		}, "declined", "not sufficient funds", 1},
		"declined by the card":       {func(b *bench) { b.slot.card.offline = true }, "declined", "card declined", 0},
		"PIN cancelled":              {func(b *bench) { b.pad.err = device.ErrPINCancelled }, "cancelled", "cardholder cancelled", 0},
		"card gone while it is read": {func(b *bench) { b.slot.card.pullAt = 0xB2 }, "cancelled", "card was removed", 0},
		"no card":                    {func(b *bench) { b.slot.put(false) }, "cancelled", "no card", 0},
		"no reader":                  {func(b *bench) { b.slot.down = true }, "refused", "reader", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, dukpt.AES)
			b.change(func() { c.setup(b) })
			b.up()
			r, _ := b.pay("one")
			if r.Outcome != c.outcome || !strings.Contains(r.Reason, c.says) {
				t.Errorf("%s: %q, want %s with %q", r.Outcome, r.Reason, c.outcome, c.says)
			}
			if got := b.host.sent(); len(got) != c.sent || len(b.terminal.Reversals()) != 0 {
				t.Errorf("sent %v, owed %v", got, b.terminal.Reversals())
			}
		})
	}
}

func TestHostThatIsDownCancelsBeforeSending(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.change(func() { b.host.down = true })
	b.stop()
	b.start()
	r, _ := b.pay("one")
	if r.Outcome != "cancelled" || !strings.Contains(r.Reason, "cannot be reached") || len(b.terminal.Reversals()) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestReversalGoesBeforeTheNextSale: the host acknowledges nothing at first, and
// the next sale waits until it has.
func TestReversalGoesBeforeTheNextSale(t *testing.T) {
	b := newBench(t, dukpt.AES)
	refuse := 3
	b.answers(func(h *host, m *iso8583.Message) (string, func(*iso8583.Message)) {
		switch {
		case m.MTI().Class() == iso8583.ClassReversal && refuse > 0:
			refuse--
			return "91", nil
		case m.MTI() == iso8583.FinancialRequest && refuse > 0:
			return "", nil // the first sale gets no answer
		}
		return "00", nil
	})
	b.up()
	if r, _ := b.pay("one"); r.Outcome != "reversing" {
		t.Fatalf("%+v", r)
	}
	r, steps := b.pay("two")
	if r.Outcome != "approved" || steps[0] != Reversing {
		t.Errorf("%+v, steps %v", r, steps)
	}
	if got := b.host.sent(); !slices.Equal(got, []string{"0200", "0420", "0421", "0421", "0421", "0200"}) {
		t.Errorf("sent %v", got)
	}
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	var first *iso8583.Message
	for _, m := range b.host.seen {
		if m.MTI().Class() != iso8583.ClassReversal {
			continue
		}
		if first == nil {
			first = m
		}
		if m.STAN() != first.STAN() || m.Digits(7) != first.Digits(7) || m.Digits(90) != first.Digits(90) {
			t.Error("a repeat differs from its original")
		}
	}
}

func TestAbort(t *testing.T) {
	t.Run("before the card", func(t *testing.T) {
		b := newBench(t, dukpt.AES)
		b.slot.put(false)
		b.up()
		r := b.payAnd(t, InsertCard, func() { b.terminal.Abort() })
		if r.Outcome != "cancelled" || len(b.host.sent()) != 0 {
			t.Errorf("%+v, sent %v", r, b.host.sent())
		}
	})
	t.Run("after sending", func(t *testing.T) {
		b := newBench(t, dukpt.AES)
		asked := make(chan struct{}, 1)
		b.answers(onlyReversals(func(*host, *iso8583.Message) (string, func(*iso8583.Message)) {
			asked <- struct{}{}
			return "", nil
		}))
		b.up()
		go func() { <-asked; b.terminal.Abort() }()
		r, _ := b.pay("one")
		if r.Outcome != "reversing" && r.Outcome != "reversed" {
			t.Errorf("%+v", r)
		}
		b.settled()
	})
	t.Run("nothing under way", func(t *testing.T) {
		b := newBench(t, dukpt.AES)
		if b.terminal.Abort() {
			t.Error("stopped what was not there")
		}
	})
}

// payAnd pays and calls do at the first step of a kind.
func (b *bench) payAnd(t *testing.T, at Progress, do func()) Result {
	t.Helper()
	var once sync.Once
	r, err := b.terminal.Pay(t.Context(), PayRequest{Sale: "one", Amount: 1234}, func(e Event) {
		if e.Progress == at {
			once.Do(func() { go do() })
		}
	})
	ok(t, err)
	return r
}

func TestCardPulledWhileTheHostThinks(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.answers(onlyReversals(func(*host, *iso8583.Message) (string, func(*iso8583.Message)) {
		b.slot.put(false)
		return "", nil
	}))
	b.up()
	r, _ := b.pay("one")
	if r.Reason != "the card was removed too early" {
		t.Errorf("%+v", r)
	}
	b.settled()
}

func TestTillThatLeaves(t *testing.T) {
	b := newBench(t, dukpt.AES)
	b.slot.put(false)
	b.up()
	ctx, leave := context.WithCancel(t.Context())
	r, err := b.terminal.Pay(ctx, PayRequest{Sale: "early", Amount: 1234}, func(Event) { leave() })
	ok(t, err)
	if r.Outcome != "cancelled" {
		t.Errorf("left before the card: %+v", r)
	}
	b.slot.put(true)
	ctx, leave = context.WithCancel(t.Context())
	b.answers(func(*host, *iso8583.Message) (string, func(*iso8583.Message)) { leave(); return "00", nil })
	r, err = b.terminal.Pay(ctx, PayRequest{Sale: "late", Amount: 1234}, func(Event) {})
	ok(t, err)
	if r.Outcome != "approved" {
		t.Errorf("left after sending: %+v", r)
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	b := newBench(t, dukpt.AES)
	for name, r := range map[string]PayRequest{
		"no reference": {Amount: 1}, "control character": {Sale: "a\nb", Amount: 1}, "nothing": {Sale: "x"},
		"negative": {Sale: "x", Amount: -1}, "too much": {Sale: "x", Amount: 1e12}, "all cashback": {Sale: "x", Amount: 5, Cashback: 5},
	} {
		if _, err := b.terminal.Pay(t.Context(), r, func(Event) {}); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.slot.put(false)
	r := b.payAnd(t, InsertCard, func() {
		if _, err := b.terminal.Pay(t.Context(), PayRequest{Sale: "other", Amount: 1}, func(Event) {}); !errors.Is(err, ErrBusy) {
			t.Errorf("a second payment: %v", err)
		}
		b.terminal.Abort()
	})
	if r.Outcome != "cancelled" {
		t.Errorf("%+v", r)
	}
}
