package issuer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
	"tallystick.example/internal/hsm/api"
)

// scripted is a boundary that says what a test wants it to find, and counts how
// many PIN tries were durable when it was asked.
type scripted struct {
	mu      sync.Mutex
	verdict api.Verdict
	err     error
	asked   func()
}

func (s *scripted) Verify(_ context.Context, r api.VerifyRequest) (api.Verdict, error) {
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	if asked != nil {
		asked() // may ask again or change the script
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.verdict
	if !r.PIN {
		v.PIN = api.PINNone
	}
	if !r.Cryptogram {
		v.Cryptogram = api.CryptogramNone
	}
	return v, s.err
}

func (s *scripted) say(pin api.PINVerdict, c api.CryptogramVerdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict, s.err = api.Verdict{PIN: pin, Cryptogram: c, CardCode: api.CardCodeNone, ReferenceOK: true}, nil
}

// at is a fixed day before the expiry of the test card.
var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro()

// config is a fresh database: PostgreSQL where the environment names one (see
// storetest), else SQLite.
func config(t testing.TB) store.Config {
	engines := storetest.Engines()
	c := engines[len(engines)-1].Config(t)
	c.Sets = []store.Set{Migrations()}
	return c
}

// open makes an issuer with one card "tok" of 10,000 minor units.
func open(t testing.TB) (*OnUs, *scripted) {
	t.Helper()
	st := storetest.Open(t, config(t))
	hsm := &scripted{}
	hsm.say(api.PINRight, api.CryptogramRight)
	o, err := NewOnUs(st, hsm, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"imk", "pvk"} {
		if err := o.PutKey(t.Context(), k, api.Key{Block: api.KeyBlock("block of " + k), KCV: "0102"}, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.AddCard(t.Context(), card1()); err != nil {
		t.Fatal(err)
	}
	return o, hsm
}

func card1() NewCard {
	return NewCard{Token: "tok", Account: "acc", Reference: []byte("sealed"), IMK: "imk", PVK: "pvk", Expiry: "2612",
		PSN: "00", PINTries: 3, Currency: 978, Balance: 10_000, At: at}
}

// ask is request number n, a chip payment with PIN.
func ask(n int, minor int64) Request {
	return Request{Key: Key{Node: "n1", STAN: fmt.Sprintf("%06d", n), RRN: fmt.Sprintf("%012d", n)}, Terminal: "TERM0001",
		Attempt: "aa", Merchant: "MERCHANT0000001", Entry: "051", Amount: minor, Currency: 978, Token: "tok", Expiry: "2612",
		PSN: "00", HasPIN: true, HasCryptogram: true, ATC: uint16(n), Cryptogram: []byte(fmt.Sprintf("%08d", n)), At: at}
}

func authorize(t *testing.T, o *OnUs, r Request) Response {
	t.Helper()
	resp, err := o.Authorize(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func balance(t testing.TB, o *OnUs) int64 {
	t.Helper()
	var b int64
	if err := o.st.Read(context.Background(), func(q store.Querier) error {
		return q.QueryRow(`SELECT balance FROM account WHERE id = 'acc'`).Scan(&b)
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func sound(t testing.TB, o *OnUs) {
	t.Helper()
	found, err := o.Check(context.Background())
	if err != nil || len(found) != 0 {
		t.Errorf("the book: %v, %v", found, err)
	}
}

func TestDecisions(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Request)
		pin    api.PINVerdict
		crypto api.CryptogramVerdict
		code   string
	}{
		{"approved", func(*Request) {}, api.PINRight, api.CryptogramRight, "00"},
		{"all of it", func(r *Request) { r.Amount = 10_000 }, api.PINRight, api.CryptogramRight, "00"},
		{"one too much", func(r *Request) { r.Amount = 10_001 }, api.PINRight, api.CryptogramRight, "51"},
		{"unknown card", func(r *Request) { r.Token = "other" }, api.PINRight, api.CryptogramRight, "14"},
		{"wrong PIN", func(*Request) {}, api.PINWrong, api.CryptogramRight, "55"},
		{"brake", func(*Request) {}, api.PINBlocked, api.CryptogramRight, "75"},
		{"wrong cryptogram", func(*Request) {}, api.PINRight, api.CryptogramWrong, "82"},
		{"chip without cryptogram", func(r *Request) { r.HasCryptogram = false }, api.PINRight, api.CryptogramNone, "05"},
		{"stripe with PIN", func(r *Request) { r.Entry, r.HasCryptogram = "901", false }, api.PINRight, api.CryptogramNone, "00"},
		{"stripe without proof", func(r *Request) { r.Entry, r.HasCryptogram, r.HasPIN = "901", false, false }, api.PINNone, api.CryptogramNone, "05"},
		{"chip without PIN", func(r *Request) { r.HasPIN = false }, api.PINNone, api.CryptogramRight, "00"},
		{"expired", func(r *Request) { r.At = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() }, api.PINRight, api.CryptogramRight, "54"},
		{"last moment", func(r *Request) { r.At = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() - 1 }, api.PINRight, api.CryptogramRight, "00"},
		{"expiry differs", func(r *Request) { r.Expiry = "2712" }, api.PINRight, api.CryptogramRight, "54"},
		{"other currency", func(r *Request) { r.Currency = 840 }, api.PINRight, api.CryptogramRight, "57"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, hsm := open(t)
			hsm.say(c.pin, c.crypto)
			r := ask(1, 100)
			c.change(&r)
			got := authorize(t, o, r)
			if got.Code != c.code || got.Approved != (c.code == "00") || (len(got.AuthCode) == 6) != got.Approved {
				t.Errorf("got %+v, want %s", got, c.code)
			}
			want := int64(10_000)
			if got.Approved {
				want -= r.Amount
			}
			if b := balance(t, o); b != want {
				t.Errorf("balance %d, want %d", b, want)
			}
			if again := authorize(t, o, r); again != got {
				t.Errorf("asked again: %+v, first %+v", again, got)
			}
			if b := balance(t, o); b != want {
				t.Errorf("asked again, the balance is %d, want %d", b, want)
			}
			sound(t, o)
		})
	}
}

func TestStatus(t *testing.T) {
	for status, code := range map[string]string{CardActive: "00", CardBlocked: "62", CardLost: "41", CardStolen: "43"} {
		o, _ := open(t)
		if err := o.SetStatus(t.Context(), "tok", status); err != nil {
			t.Fatal(err)
		}
		if got := authorize(t, o, ask(1, 1)); got.Code != code {
			t.Errorf("%s gives %s, want %s", status, got.Code, code)
		}
	}
	o, _ := open(t)
	if err := o.SetStatus(t.Context(), "none", CardBlocked); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown card: %v", err)
	}
	if err := o.AddCard(t.Context(), card1()); !errors.Is(err, ErrExists) {
		t.Errorf("the same card again: %v", err)
	}
}

// TestPINTry: the try is durable before the PIN is verified, it comes back only
// for a right PIN, and the fourth payment is not even verified.
func TestPINTry(t *testing.T) {
	o, hsm := open(t)
	left := func() int64 { return triesLeft(t, o) }
	seen := []int64{}
	hsm.asked = func() { seen = append(seen, left()) }
	hsm.say(api.PINWrong, api.CryptogramRight)
	authorize(t, o, ask(1, 1))
	authorize(t, o, ask(2, 1))
	hsm.say(api.PINRight, api.CryptogramRight)
	authorize(t, o, ask(3, 1))
	if n := left(); n != 3 {
		t.Errorf("%d tries left after a right PIN, want 3", n)
	}
	hsm.say(api.PINWrong, api.CryptogramRight)
	for n := 4; n < 7; n++ {
		authorize(t, o, ask(n, 1))
	}
	hsm.say(api.PINRight, api.CryptogramRight)
	if got := authorize(t, o, ask(7, 1)); got.Code != "75" {
		t.Errorf("the right PIN after three wrong ones gives %s, want 75", got.Code)
	}
	if want := []int64{2, 1, 0, 2, 1, 0}; !slices.Equal(seen, want) {
		t.Errorf("tries left when verifying: %v, want %v", seen, want)
	}
	if err := o.ResetPIN(t.Context(), "tok"); err != nil || left() != 3 {
		t.Errorf("after a reset %d tries, %v", left(), err)
	}
}

// TestPINTryWithoutVerdict: a try that the boundary never judged goes back, a
// bounded number of times, and never into a count that was restored since.
func TestPINTryWithoutVerdict(t *testing.T) {
	o, hsm := open(t)
	outage := func(n int, err error, code string) {
		t.Helper()
		hsm.err = err
		if got := authorize(t, o, ask(n, 1)); got.Code != code || got.Approved {
			t.Errorf("a boundary that fails gives %+v, want %s", got, code)
		}
		hsm.err = nil
	}
	down := fmt.Errorf("down: %w", api.ErrUnavailable)
	for n := range maxReturned {
		outage(n+1, down, "91")
	}
	if n := triesLeft(t, o); n != 3 {
		t.Fatalf("%d tries left after outages, want 3", n)
	}
	outage(20, api.ErrHandle, "96")
	if n := triesLeft(t, o); n != 2 {
		t.Errorf("%d tries left after one outage too many, want 2", n)
	}
	hsm.say(api.PINRight, api.CryptogramRight)
	authorize(t, o, ask(21, 1))
	outage(22, api.ErrHandle, "96")
	if n := triesLeft(t, o); n != 3 {
		t.Errorf("%d tries left, want 3: a right PIN begins a new count", n)
	}
}

// TestPINTryOfAnOlderCount: payment A takes a try, B restores the count with the
// right PIN and C spends one; then A's outage must not give C's try back.
func TestPINTryOfAnOlderCount(t *testing.T) {
	o, hsm := open(t)
	hsm.asked = func() {
		hsm.asked = nil
		hsm.say(api.PINRight, api.CryptogramRight)
		authorize(t, o, ask(2, 1))
		hsm.say(api.PINWrong, api.CryptogramRight)
		authorize(t, o, ask(3, 1))
		hsm.err = api.ErrUnavailable
	}
	if got := authorize(t, o, ask(1, 1)); got.Code != "91" {
		t.Errorf("an outage gives %+v", got)
	}
	if n := triesLeft(t, o); n != 2 {
		t.Errorf("%d tries left, want 2", n)
	}
}

// TestPINTryOfAReversedPayment: a reversal that overtakes the verdict changes
// nothing about the try: a wrong PIN stays spent, so a terminal that reverses
// its own payments cannot guess for ever.
func TestPINTryOfAReversedPayment(t *testing.T) {
	for verdict, want := range map[api.PINVerdict]int64{api.PINWrong: 1, api.PINRight: 3} {
		o, hsm := open(t)
		hsm.say(api.PINWrong, api.CryptogramRight)
		authorize(t, o, ask(1, 1))
		hsm.say(verdict, api.CryptogramRight)
		r := ask(2, 1)
		hsm.asked = func() {
			if err := o.Reverse(context.Background(), reversalOf(r)); err != nil {
				t.Error(err)
			}
		}
		if got := authorize(t, o, r); got.Code != "68" {
			t.Errorf("an overtaken payment gives %+v", got)
		}
		if n := triesLeft(t, o); n != want {
			t.Errorf("%s: %d tries left, want %d", verdict, n, want)
		}
	}
}

func triesLeft(t *testing.T, o *OnUs) (n int64) {
	t.Helper()
	if err := o.st.Read(context.Background(), func(q store.Querier) error {
		return q.QueryRow(`SELECT pin_left FROM card WHERE token = 'tok'`).Scan(&n)
	}); err != nil {
		t.Error(err)
	}
	return n
}

// TestCryptogramOnce: neither the same cryptogram under another key nor an older
// counter of the card pays again.
func TestCryptogramOnce(t *testing.T) {
	o, _ := open(t)
	first := ask(5, 1)
	authorize(t, o, first)
	replayed := ask(6, 1)
	replayed.ATC, replayed.Cryptogram = first.ATC, first.Cryptogram
	if got := authorize(t, o, replayed); got.Code != "05" || got.Why != "cryptogram used before" {
		t.Errorf("a replay gives %+v", got)
	}
	older := ask(7, 1)
	older.ATC = 4
	if got := authorize(t, o, older); got.Code != "05" {
		t.Errorf("an older ATC gives %+v", got)
	}
	if got := authorize(t, o, ask(8, 1)); got.Code != "00" {
		t.Errorf("a newer ATC gives %+v", got)
	}
}

func reversalOf(r Request) Reversal {
	return Reversal{Key: r.Key, Terminal: r.Terminal, Attempt: r.Attempt, Amount: r.Amount, Currency: r.Currency, At: at}
}

// TestReversalOrders: before, during, after, twice.
func TestReversalOrders(t *testing.T) {
	o, hsm := open(t)
	reverse := func(r Request) {
		if err := o.Reverse(context.Background(), reversalOf(r)); err != nil {
			t.Error(err)
		}
	}
	after, before, during := ask(1, 700), ask(2, 700), ask(3, 700)
	authorize(t, o, after)
	reverse(after)
	reverse(after)
	if got := authorize(t, o, after); got.Code != "68" || got.Approved {
		t.Errorf("asked again after its reversal: %+v", got)
	}
	reverse(before)
	if got := authorize(t, o, before); got.Code != "68" || got.Approved {
		t.Errorf("overtaken: %+v", got)
	}
	hsm.asked = func() { reverse(during) }
	if got := authorize(t, o, during); got.Code != "68" || got.Approved {
		t.Errorf("reversed while it was decided: %+v", got)
	}
	if b := balance(t, o); b != 10_000 {
		t.Errorf("balance %d", b)
	}
	sound(t, o)
}

// TestAnyOrderIsSound plays requests and reversals of a few keys in any order
// and holds balance and export against a plain model.
func TestAnyOrderIsSound(t *testing.T) {
	o, _ := open(t)
	model := map[int]string{}
	next := 0
	spent := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		base := next
		next += 3
		for _, s := range rapid.SliceOfN(rapid.IntRange(0, 5), 1, 12).Draw(rt, "steps") {
			n := base + s%3 + 1
			r := ask(n, 1)
			r.HasPIN, r.HasCryptogram, r.Entry = true, false, "901"
			if s >= 3 {
				if err := o.Reverse(context.Background(), reversalOf(r)); err != nil {
					rt.Fatal(err)
				}
				if model[n] == stateApproved {
					spent--
				}
				model[n] = stateReversed
				continue
			}
			got, err := o.Authorize(context.Background(), r)
			if err != nil {
				rt.Fatal(err)
			}
			if model[n] == "" {
				model[n] = stateApproved
				spent++
			}
			if got.Approved != (model[n] == stateApproved) {
				rt.Fatalf("key %d: %+v, the model says %s", n, got, model[n])
			}
		}
		if b := balance(t, o); b != 10_000-spent {
			rt.Fatalf("balance %d, want %d", b, 10_000-spent)
		}
	})
	sound(t, o)
	if got := exported(t, o); !sameStates(got, model) {
		t.Error("the export differs from the model")
	}
}

func sameStates(got map[string]string, model map[int]string) bool {
	for n, s := range model {
		if got[fmt.Sprintf("%012d", n)] != s {
			return false
		}
	}
	return len(got) == len(model)
}

// exported reads the export into RRN → state.
func exported(t *testing.T, o *OnUs) map[string]string {
	t.Helper()
	var b bytes.Buffer
	if err := o.Export(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	sum := int64(0)
	for s := bufio.NewScanner(&b); s.Scan(); {
		var l struct {
			Kind, RRN, State string
			Minor            int64
		}
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Kind == "authorization" {
			out[l.RRN] = l.State
		}
		sum += l.Minor
	}
	if sum != 0 {
		t.Errorf("exported entries sum to %d", sum)
	}
	return out
}

// TestConcurrentSpending: many payments at once never spend more than there is.
func TestConcurrentSpending(t *testing.T) {
	o, _ := open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	approved := 0
	for n := 1; n <= 40; n++ {
		wg.Go(func() {
			r := ask(n, 1_000)
			r.HasCryptogram, r.Entry, r.HasPIN = false, "901", true
			got, err := o.Authorize(context.Background(), r)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if got.Approved {
				approved++
			}
		})
	}
	wg.Wait()
	// Concurrent PIN tries may run out; what counts is that no more is spent.
	if b := balance(t, o); b != 10_000-int64(approved)*1_000 || b < 0 {
		t.Errorf("%d approved, balance %d", approved, b)
	}
	sound(t, o)
}

// TestSettle: what a crash left pending ends as declined and can be reversed.
func TestSettle(t *testing.T) {
	o, hsm := open(t)
	r := ask(1, 100)
	if _, err := o.begin(t.Context(), r); err != nil { // and no more: the process died
		t.Fatal(err)
	}
	if n := triesLeft(t, o); n != 2 {
		t.Fatalf("%d tries left before the settlement, want 2", n)
	}
	if n, err := o.Settle(t.Context(), "n2", at); err != nil || n != 0 {
		t.Errorf("another node settled %d, %v", n, err)
	}
	if n := triesLeft(t, o); n != 2 {
		t.Errorf("%d tries left after another node's settlement, want 2", n)
	}
	if n, err := o.Settle(t.Context(), "n1", at); err != nil || n != 1 {
		t.Errorf("settled %d, %v", n, err)
	}
	if n := triesLeft(t, o); n != 3 {
		t.Errorf("%d tries left after the settlement, want 3", n)
	}
	hsm.say(api.PINRight, api.CryptogramRight)
	if got := authorize(t, o, r); got.Approved {
		t.Errorf("an interrupted authorization was approved later: %+v", got)
	}
	if err := o.Reverse(t.Context(), reversalOf(r)); err != nil {
		t.Error(err)
	}
	sound(t, o)
}

// TestCheckFindsOneCent: a change of one cent in the book does not pass.
func TestCheckFindsOneCent(t *testing.T) {
	o, _ := open(t)
	authorize(t, o, ask(1, 100))
	storetest.Disarm(t, o.st, "issuer_entry")
	for _, damage := range []string{
		`UPDATE account SET balance = balance + 1 WHERE id = 'acc'`,
		`UPDATE issuer_entry SET minor = minor + 1 WHERE account = 'acc' AND rrn <> ''`,
		`UPDATE issuer_authorization SET amount = amount + 1`,
	} {
		if err := o.st.Do(t.Context(), "damage", func(tx *store.Tx) error { _, err := tx.Exec(damage); return err }); err != nil {
			t.Fatal(err)
		}
		if found, err := o.Check(t.Context()); err != nil || len(found) == 0 {
			t.Errorf("%s: found %v, %v", damage, found, err)
		}
	}
}

// TestEntriesAreImmutable: the database refuses to change what was booked.
func TestEntriesAreImmutable(t *testing.T) {
	o, _ := open(t)
	authorize(t, o, ask(1, 100))
	for _, damage := range []string{
		`UPDATE issuer_entry SET minor = 0`,
		`DELETE FROM issuer_entry`,
	} {
		if err := o.st.Do(t.Context(), "damage", func(tx *store.Tx) error { _, err := tx.Exec(damage); return err }); err == nil {
			t.Errorf("%s was allowed", damage)
		}
	}
	sound(t, o)
}
