package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

func sets() []store.Set { return []store.Set{Migrations()} }

func TestColumns(t *testing.T) { storetest.Columns(t, sets()...) }

// do posts or reverses in a commit of its own.
func do(st *store.Store, fn func(*store.Tx) (bool, error)) (done bool, err error) {
	err = st.Do(context.Background(), "test", func(tx *store.Tx) (err error) {
		done, err = fn(tx)
		return err
	})
	return done, err
}

func post(st *store.Store, p Posting) (bool, error) {
	return do(st, func(tx *store.Tx) (bool, error) { return Post(tx, p) })
}

func reverse(st *store.Store, id string) (bool, error) {
	return do(st, func(tx *store.Tx) (bool, error) { return Reverse(tx, id, 9) })
}

func sale(id string, amount int64) Posting {
	return Posting{ID: id, Template: Sale, Terminal: "T0000001", Attempt: "00ff", Merchant: "M1", Issuer: "onus", Amount: amount, Currency: 978, At: 5}
}

// TestBooksFollowTheModel posts, repeats and reverses at random and holds
// balances and Check against a model.
func TestBooksFollowTheModel(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			merchant := fmt.Sprintf("M%d", round)
			amounts, reversed := map[string]int64{}, map[string]bool{}
			for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
				n := rapid.IntRange(0, 5).Draw(t, "n")
				id := fmt.Sprintf("%d-%d", round, n)
				_, there := amounts[id]
				if rapid.Bool().Draw(t, "reverse") {
					done, err := reverse(st, id)
					if there && (err != nil || done == reversed[id]) || !there && !errors.Is(err, ErrNotFound) {
						t.Fatalf("step %d: reversing %s: %v, %v", i, id, done, err)
					}
					reversed[id] = there
					continue
				}
				p := sale(id, rapid.Int64Range(1, 3).Draw(t, "amount"))
				p.Merchant, p.At = merchant, int64(i)
				done, err := post(st, p)
				switch {
				case there && amounts[id] != p.Amount:
					if !errors.Is(err, ErrConflict) {
						t.Fatalf("step %d: another posting under %s: %v", i, id, err)
					}
				case err != nil || done == there:
					t.Fatalf("step %d: posting %s: %v, %v", i, id, done, err)
				default:
					amounts[id] = p.Amount
				}
			}
			var want, got int64
			for id, amount := range amounts {
				if !reversed[id] {
					want -= amount
				}
			}
			err := st.Read(context.Background(), func(q store.Querier) (err error) {
				got, err = Balance(q, "merchant:payable:"+merchant, 978)
				return err
			})
			if err != nil || got != want {
				t.Fatalf("balance %d, want %d: %v", got, want, err)
			}
		})
		r, err := Check(context.Background(), st)
		if err != nil || !r.OK() || r.Entries != 2*r.Postings || r.Postings == 0 {
			t.Errorf("check: %+v, %v", r, err)
		}
	})
}

func TestMalformedPostingsAreRefused(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		for name, change := range map[string]func(*Posting){
			"no id":          func(p *Posting) { p.ID = "" },
			"id of a mirror": func(p *Posting) { p.ID = "~x" },
			"long id":        func(p *Posting) { p.ID = strings.Repeat("x", 121) },
			"no currency":    func(p *Posting) { p.Currency = 0 },
			"no merchant":    func(p *Posting) { p.Merchant = "" },
			"merchant path":  func(p *Posting) { p.Merchant = "M1:x" },
			"issuer pattern": func(p *Posting) { p.Issuer = "<merchant>" },
			"long terminal":  func(p *Posting) { p.Terminal = strings.Repeat("T", 65) },
			"template":       func(p *Posting) { p.Template = "gift" },
			"reversal":       func(p *Posting) { p.Template = reversal },
			"zero":           func(p *Posting) { p.Amount = 0 },
			"13 digits":      func(p *Posting) { p.Amount = MaxAmount + 1 },
		} {
			p := sale("p", 1)
			change(&p)
			if done, err := post(st, p); done || !(errors.Is(err, ErrPosting) || errors.Is(err, ErrTemplate) || errors.Is(err, ErrAmount)) {
				t.Errorf("%s: %v, %v", name, done, err)
			}
		}
		if _, err := post(st, sale("p", 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := reverse(st, "p"); err != nil {
			t.Fatal(err)
		}
		if _, err := reverse(st, "~p"); !errors.Is(err, ErrPosting) {
			t.Errorf("a mirror was reversed: %v", err)
		}
	})
}

func TestExport(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		if _, err := post(st, sale("p<1>", 1250)); err != nil {
			t.Fatal(err)
		}
		if _, err := reverse(st, "p<1>"); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Export(context.Background(), st, &out); err != nil {
			t.Fatal(err)
		}
		want := `{"source":"host","kind":"entry","id":"p<1>/2","posting":"p<1>","template":"sale","account":"merchant:payable:M1","minor":-1250,"currency":978,"terminal":"T0000001","attempt":"00ff","at":5}`
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 4 || !strings.Contains(out.String(), want+"\n") {
			t.Errorf("exported\n%s", out.String())
		}
		var sum int64
		for dec := json.NewDecoder(&out); dec.More(); {
			var e exported
			if err := dec.Decode(&e); err != nil {
				t.Fatal(err)
			}
			sum += e.Minor
		}
		if sum != 0 {
			t.Errorf("the export sums to %d", sum)
		}
	})
}
