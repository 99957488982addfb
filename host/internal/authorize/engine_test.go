package authorize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/ledger"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/host/internal/token"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/iso8583"
)

// book is an issuer that keeps its authorizations in memory, so that a test can
// tell what it would have charged. It can be told to be silent.
type book struct {
	mu       sync.Mutex
	state    map[issuer.Key]string // approved, reversed
	silent   bool                  // decide, but do not answer
	refuse   int                   // fail so many reversals
	deciding func()                // called while an authorization is under way
}

func (b *book) Name() string { return "book" }

func (b *book) Authorize(ctx context.Context, r issuer.Request) (issuer.Response, error) {
	if b.deciding != nil {
		b.deciding()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state[r.Key] == "reversed" {
		return issuer.Response{Code: "68"}, nil
	}
	if r.Amount%100 == 51 {
		return issuer.Response{Code: "51"}, nil
	}
	b.state[r.Key] = "approved"
	if b.silent {
		return issuer.Response{}, context.DeadlineExceeded
	}
	return issuer.Response{Approved: true, Code: "00", AuthCode: "123456"}, nil
}

func (b *book) Reauthenticate(context.Context, issuer.Request) (api.CryptogramVerdict, error) {
	return api.CryptogramNone, nil
}

func (b *book) Reverse(_ context.Context, r issuer.Reversal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse > 0 {
		b.refuse--
		return errors.New("not now")
	}
	b.state[r.Key] = "reversed"
	return nil
}

// charged is how many authorizations stand.
func (b *book) charged() (n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.state {
		if s == "approved" {
			n++
		}
	}
	return n
}

// counting gives reference numbers.
type counting struct{ n atomic.Int64 }

func (c *counting) Next(context.Context) (string, error) {
	return fmt.Sprintf("%012d", c.n.Add(1)), nil
}

// A bench is an engine over real books and a book issuer.
type bench struct {
	t       testing.TB
	st      *store.Store
	e       *Engine
	issuer  *book
	counter uint32
	clock   atomic.Int64
}

func newBench(t testing.TB) *bench {
	t.Helper()
	engines := storetest.Engines()
	cfg := engines[len(engines)-1].Config(t) // PostgreSQL where the environment names one, else SQLite
	cfg.Sets = []store.Set{terminals.Migrations(), token.Migrations(), ledger.Migrations(), audit.Migrations(), score.Migrations(), Migrations()}
	st := storetest.Open(t, cfg)
	b := &bench{t: t, st: st, issuer: &book{state: map[issuer.Key]string{}}}
	b.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	err := st.Do(t.Context(), "setup", func(tx *store.Tx) error {
		for _, id := range []string{"TERM0001", "TERM0002"} {
			if err := terminals.Register(tx, terminals.Terminal{ID: id, Merchant: "MERCHANT0000001", Status: terminals.Active, Since: 1}); err != nil {
				return err
			}
			if err := terminals.AddKeySet(tx, id, api.KeySet{Scheme: api.SchemeAES, ID: []byte("keyset01"), BDK: "block", PIN: true, MAC: true, Data: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.e = b.engine(&counting{})
	return b
}

// engine makes an engine over the books, as a start of the host does.
func (b *bench) engine(numbers Numbers) *Engine {
	b.t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	a, err := audit.Open(context.Background(), b.st, b.clock.Load())
	if err != nil {
		b.t.Fatal(err)
	}
	rules, err := score.Compile(score.File{Version: "t", Rules: []score.Rule{{Name: "never", When: "amount % 100 == 59", Action: score.Decline, Reason: "N1"}}})
	if err != nil {
		b.t.Fatal(err)
	}
	e, err := NewEngine(Config{Store: b.st, Node: "n1", Audit: a, Issuer: b.issuer, Rules: rules, Numbers: numbers,
		Now: func() time.Time { return time.UnixMicro(b.clock.Add(1)) }, Log: log, IssuerWithin: 5 * time.Second, AnswerWithin: 10 * time.Second, OutboxTries: 3})
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// opened is what the boundary would say of a message under the next counter.
func (b *bench) opened(m *iso8583.Message, card bool) Message {
	c := atomic.AddUint32(&b.counter, 1)
	o := api.Opened{MAC: api.MACValid, Handle: api.Handle(c), SetID: []byte("keyset01"), Counter: c, Digest: [32]byte{byte(c >> 8), byte(c), 1}}
	if card {
		o.HasCard, o.Card = true, api.Card{Lookup: [32]byte{7}, NewToken: "ABCDEFGHIJKLMNOPQRST", NewSealed: []byte("sealed"),
			BIN: "49290000", LastFour: "0006", Expiry: "3012", PSN: "00"}
	}
	p, err := m.Private()
	if err != nil {
		b.t.Fatal(err)
	}
	return Message{Message: m, Private: p, Opened: o}
}

// request is attempt n of minor units.
func (b *bench) request(n int, minor int64) Message {
	m := iso8583.New(iso8583.FinancialRequest)
	m.SetDigits(3, "000000")
	m.SetAmount(iso8583.Amount{Minor: minor, Currency: 978})
	m.SetDigits(7, "0301120000")
	m.SetNumber(11, int64(n))
	m.SetDigits(12, "120000")
	m.SetDigits(13, "0301")
	m.SetDigits(22, "051")
	m.SetDigits(25, "00")
	m.SetText(41, "TERM0001")
	m.SetText(42, "MERCHANT0000001")
	m.SetPrivate(iso8583.Private{AttemptID: iso8583.AttemptID{1, 14: byte(n >> 8), 15: byte(n)}, MACKSN: make([]byte, 12)})
	return b.opened(m, true)
}

// reversal undoes attempt n.
func (b *bench) reversal(n int, minor int64) Message {
	r := b.request(n, minor)
	m, err := iso8583.NewReversal(r.Message, iso8583.Reversal{STAN: uint32(500_000 + n), At: time.Unix(1_790_000_000, 0),
		Private: iso8583.Private{Reason: iso8583.ReasonNoAnswer, MACKSN: make([]byte, 12)}})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.opened(m, false)
}

func (b *bench) pay(m Message) string {
	b.t.Helper()
	r, err := b.e.Request(context.Background(), m)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Answer.ResponseCode()
}

func (b *bench) undo(m Message) string {
	b.t.Helper()
	r, err := b.e.Reversal(context.Background(), m)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Answer.ResponseCode()
}

// one reads the only transaction.
func (b *bench) one() Record {
	b.t.Helper()
	found, err := Find(context.Background(), b.st, Filter{})
	if err != nil || len(found) != 1 {
		b.t.Fatalf("%d transactions, %v", len(found), err)
	}
	return found[0]
}

// owed is what the ledger says the issuer owes, and proves it.
func (b *bench) owed() int64 {
	b.t.Helper()
	r, err := ledger.Check(context.Background(), b.st)
	if err != nil || len(r.Findings) > 0 {
		b.t.Errorf("the ledger: %v, %v", r.Findings, err)
	}
	var n int64
	if err := b.st.Read(context.Background(), func(q store.Querier) error {
		var err error
		n, err = ledger.Balance(q, "acquirer:receivable:book", 978)
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) deliver() {
	b.t.Helper()
	if _, err := b.e.DeliverDue(context.Background()); err != nil {
		b.t.Fatal(err)
	}
}

// TestSilentIssuer: 91 for the terminal, and the issuer, which had approved, gets
// its reversal.
func TestSilentIssuer(t *testing.T) {
	b := newBench(t)
	b.issuer.silent = true
	if rc := b.pay(b.request(1, 100)); rc != "91" {
		t.Errorf("DE 39 is %s", rc)
	}
	if b.issuer.charged() != 1 {
		t.Fatal("the test's issuer did not approve")
	}
	b.deliver()
	if b.issuer.charged() != 0 || b.owed() != 0 || b.one().Row.State != Declined {
		t.Errorf("issuer charged %d, owed %d, %v", b.issuer.charged(), b.owed(), b.one().Row.State)
	}
}

// TestCrashBetweenCommits: an engine that ends after the issuer approved and
// before its second commit leaves an intent, which the next start settles: the
// issuer is reversed, nothing is posted, and the terminal's reversal is taken.
func TestCrashBetweenCommits(t *testing.T) {
	b := newBench(t)
	m := b.request(1, 100)
	question := b.untilAsked(m)
	if _, err := b.issuer.Authorize(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	b.e = b.engine(&counting{})
	if n, err := b.e.Settle(t.Context()); err != nil || n != 1 {
		t.Fatalf("settled %d, %v", n, err)
	}
	b.deliver()
	if b.issuer.charged() != 0 || b.owed() != 0 || b.one().Row.State != Reversed {
		t.Errorf("issuer charged %d, owed %d, %v", b.issuer.charged(), b.owed(), b.one().Row.State)
	}
	if rc := b.undo(b.reversal(1, 100)); rc != "00" {
		t.Errorf("the terminal's reversal: %s", rc)
	}
	if rc := b.pay(b.request(1, 100)); rc != "68" {
		t.Errorf("a late repeat: %s", rc)
	}
	if n, err := b.e.Settle(t.Context()); err != nil || n != 0 {
		t.Errorf("settled %d again, %v", n, err)
	}
}

// untilAsked carries out the orders of a request up to the question to the issuer,
// and leaves it there, as a crash does.
func (b *bench) untilAsked(m Message) issuer.Request {
	b.t.Helper()
	orders := b.e.core.Step(b.e.cfg.Now(), PaymentAsked{b.e.core.Call(), m})
	for range 10 {
		if q, asked := orders[0].(Ask); asked {
			return q.Request
		}
		orders = b.e.core.Step(b.e.cfg.Now(), b.e.carryOut(context.Background(), orders[0]))
	}
	b.t.Fatalf("the issuer was not asked: %T", orders[0])
	return issuer.Request{}
}

// TestIntentIsDurableBeforeTheIssuerIsAsked, with the reversal that would undo it
// (rule 1).
func TestIntentIsDurableBeforeTheIssuerIsAsked(t *testing.T) {
	b := newBench(t)
	seen := ""
	b.issuer.deciding = func() {
		err := b.st.Read(context.Background(), func(q store.Querier) error {
			var state, armed string
			err := q.QueryRow(`SELECT t.state, o.state FROM card_transaction t JOIN issuer_outbox o ON o.id = t.id`).Scan(&state, &armed)
			seen = state + "/" + armed
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	b.pay(b.request(1, 100))
	if seen != "undecided/armed" {
		t.Errorf("when the issuer was asked, the books said %q", seen)
	}
	if h, err := Look(t.Context(), b.st); err != nil || h.Waiting+h.Manual+h.Undecided != 0 || h.Unconfirmed != 1 {
		t.Errorf("afterwards %+v, %v", h, err)
	}
	var armed int64
	if err := b.st.Read(t.Context(), func(q store.Querier) error {
		return q.QueryRow(`SELECT COUNT(*) FROM issuer_outbox`).Scan(&armed)
	}); err != nil || armed != 0 {
		t.Errorf("%d reversals are still armed, %v", armed, err)
	}
}

// TestRepeatWaits: a repeat that comes while the issuer is asked waits for the
// same answer, and a reversal that comes then is acknowledged and undoes it.
func TestRepeatWaits(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	codes := make([]string, 2)
	b.issuer.deciding = func() {
		b.issuer.deciding = nil
		wg.Go(func() { codes[0] = b.pay(b.request(1, 100)) })
		time.Sleep(20 * time.Millisecond) // let it arrive; nothing is asserted on it
	}
	codes[1] = b.pay(b.request(1, 100))
	wg.Wait()
	if codes[0] != "00" || codes[1] != "00" || b.issuer.charged() != 1 || b.owed() != 100 {
		t.Errorf("answers %v, charged %d, owed %d", codes, b.issuer.charged(), b.owed())
	}
	b.issuer.deciding = func() {
		b.issuer.deciding = nil
		if rc := b.undo(b.reversal(2, 200)); rc != "00" {
			t.Errorf("a reversal meanwhile: %s", rc)
		}
	}
	if rc := b.pay(b.request(2, 200)); rc != "68" {
		t.Errorf("reversed meanwhile: %s", rc)
	}
	b.deliver()
	if b.issuer.charged() != 1 || b.owed() != 100 {
		t.Errorf("charged %d, owed %d", b.issuer.charged(), b.owed())
	}
}

// TestOutboxGivesUpToOperators and takes up again when told.
func TestOutboxGivesUpToOperators(t *testing.T) {
	b := newBench(t)
	b.issuer.silent, b.issuer.refuse = true, 3
	b.pay(b.request(1, 100))
	for range 4 {
		b.deliver()
		b.clock.Add(time.Hour.Microseconds())
	}
	if h, err := Look(t.Context(), b.st); err != nil || h.Manual != 1 || h.Waiting != 0 {
		t.Fatalf("after three refusals %+v, %v", h, err)
	}
	if n, err := b.e.Retry(t.Context(), "operator:test"); err != nil || n != 1 {
		t.Errorf("retried %d, %v", n, err)
	}
	b.deliver()
	if h, err := Look(t.Context(), b.st); err != nil || h.Manual+h.Waiting != 0 || b.issuer.charged() != 0 {
		t.Errorf("after the retry %+v, charged %d, %v", h, b.issuer.charged(), err)
	}
}

// TestRulesRefuse before the issuer is asked; the repeat gets the same.
func TestRulesRefuse(t *testing.T) {
	b := newBench(t)
	for range 2 {
		if rc := b.pay(b.request(1, 159)); rc != "05" {
			t.Errorf("DE 39 is %s", rc)
		}
	}
	if r := b.one(); r.Filed != "59" || r.Issuer != "" || len(b.issuer.state) != 0 {
		t.Errorf("filed %s, issuer %q, asked %d", r.Filed, r.Issuer, len(b.issuer.state))
	}
}

// TestConfirmation closes the ageing of an approval.
func TestConfirmation(t *testing.T) {
	b := newBench(t)
	b.pay(b.request(1, 100))
	next := b.request(2, 100)
	next.Private.Confirmed = []iso8583.AttemptID{{1, 15: 1}}
	b.pay(next)
	if h, err := Look(t.Context(), b.st); err != nil || h.Unconfirmed != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestPartialReversal is refused and changes nothing.
func TestPartialReversal(t *testing.T) {
	b := newBench(t)
	b.pay(b.request(1, 100))
	m := b.reversal(1, 100)
	m.SetReplacement(40)
	if rc := b.undo(m); rc != "40" || b.owed() != 100 {
		t.Errorf("DE 39 %s, owed %d", rc, b.owed())
	}
}

// TestAnyOrderAgainstTheBooks plays requests, repeats, reversals, deliveries and
// restarts of a few attempts in any order over the real books.
func TestAnyOrderAgainstTheBooks(t *testing.T) {
	b := newBench(t)
	numbers := &counting{}
	b.e = b.engine(numbers)
	base := 0
	rapid.Check(t, func(rt *rapid.T) {
		base += 3
		minors := map[int]int64{base: 100, base + 1: 151, base + 2: 200}
		reversed := map[int]bool{}
		before, owed := b.issuer.charged(), b.owed()
		for _, s := range rapid.SliceOfN(rapid.IntRange(0, 8), 1, 15).Draw(rt, "steps") {
			n := base + s%3
			switch {
			case s < 6:
				b.issuer.silent = s >= 3 // only heard of by attempts that are new
				rc := b.pay(b.request(n, minors[n]))
				if reversed[n] && rc != "68" {
					rt.Fatalf("a request after its reversal got %s", rc)
				}
			default:
				if rc := b.undo(b.reversal(n, minors[n])); rc != "00" {
					rt.Fatalf("a reversal got %s", rc)
				}
				reversed[n] = true
			}
		}
		b.clock.Add(time.Hour.Microseconds())
		if _, err := b.e.Settle(context.Background()); err != nil {
			rt.Fatal(err)
		}
		b.deliver()
		balance(rt, b, minors, reversed, b.issuer.charged()-before, b.owed()-owed)
	})
}

// balance holds rows, issuer and ledger of the last attempts together.
func balance(rt *rapid.T, b *bench, minors map[int]int64, reversed map[int]bool, charged, owed int64) {
	var approved, sum int64
	found, err := Find(context.Background(), b.st, Filter{Limit: len(minors)})
	if err != nil {
		rt.Fatal(err)
	}
	for _, r := range found {
		var n int
		if _, err := fmt.Sscanf(r.STAN, "%06d", &n); err != nil {
			rt.Fatal(err)
		}
		if minors[n] == 0 {
			continue // of an earlier run
		}
		if reversed[n] != (r.Row.State == Reversed) || !r.Row.State.Decided() {
			rt.Fatalf("attempt %d is %v, reversed %v", n, r.Row.State, reversed[n])
		}
		if r.Row.State == Approved {
			approved++
			sum += r.Amount
		}
	}
	if charged != approved || owed != sum {
		rt.Fatalf("%d rows approved for %d, the issuer charged %d, the ledger is owed %d", approved, sum, charged, owed)
	}
}
