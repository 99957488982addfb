package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
	"tallystick.example/internal/hsm/api"
)

func sets() []store.Set { return []store.Set{Migrations()} }

func TestColumns(t *testing.T) { storetest.Columns(t, sets()...) }

// card n, as the boundary presents it for the attempt-th time: the look-up value
// is the same, the proposed token fresh.
func card(n, attempt int) api.Card {
	return api.Card{
		Lookup: sha256.Sum256([]byte{byte(n)}), NewToken: fmt.Sprintf("tok-%02d-%02d-aaaaaaaaaaaa", n, attempt),
		NewSealed: []byte{1, byte(n), byte(attempt)}, BIN: "00492900", LastFour: "0006",
	}
}

func resolve(t *testing.T, st *store.Store, c api.Card) (id string, isNew bool, err error) {
	t.Helper()
	err = st.Do(context.Background(), "test", func(tx *store.Tx) (err error) {
		id, isNew, err = Resolve(tx, c)
		return err
	})
	return id, isNew, err
}

func TestACardHasOneToken(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		for attempt := range 3 {
			for n := range 4 {
				id, isNew, err := resolve(t, st, card(n, attempt))
				if err != nil || id != card(n, 0).NewToken || isNew != (attempt == 0) {
					t.Fatalf("card %d, time %d: %s, %v, %v", n, attempt, id, isNew, err)
				}
			}
		}
		err := st.Read(context.Background(), func(q store.Querier) error {
			r, err := Get(q, card(2, 0).NewToken)
			if err != nil || fmt.Sprint(r.Sealed) != "[1 2 0]" || r.BIN != "00492900" || r.LastFour != "0006" {
				t.Errorf("record %+v, %v", r, err)
			}
			if _, err := Get(q, "tok-nobody"); !errors.Is(err, ErrNotFound) {
				t.Errorf("unknown token: %v", err)
			}
			page, err := Page(q, card(0, 0).NewToken, 2)
			if err != nil || len(page) != 2 || page[0].Token != card(1, 0).NewToken {
				t.Errorf("page %v, %v", page, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestATokenOfAnotherCardIsNeverTaken proposes a token that exists: the card is
// refused rather than joined to a stranger's.
func TestATokenOfAnotherCardIsNeverTaken(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		if _, _, err := resolve(t, st, card(1, 0)); err != nil {
			t.Fatal(err)
		}
		stranger := card(2, 0)
		stranger.NewToken = card(1, 0).NewToken
		if id, _, err := resolve(t, st, stranger); err == nil {
			t.Errorf("two cards share %s", id)
		}
	})
}

func TestMalformedCardsAreRefused(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		for name, change := range map[string]func(*api.Card){
			"lookup":      func(c *api.Card) { c.Lookup = [32]byte{} },
			"token":       func(c *api.Card) { c.NewToken = "short" },
			"long token":  func(c *api.Card) { c.NewToken = strings.Repeat("x", 65) },
			"sealed":      func(c *api.Card) { c.NewSealed = nil },
			"long BIN":    func(c *api.Card) { c.BIN = "004929000" },
			"BIN letters": func(c *api.Card) { c.BIN = "0049290x" },
			"last four":   func(c *api.Card) { c.LastFour = "00006" },
		} {
			c := card(1, 0)
			change(&c)
			if _, _, err := resolve(t, st, c); !errors.Is(err, ErrCard) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestReseal(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		id, _, err := resolve(t, st, card(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{true, false} { // the second comes too late
			var changed bool
			err := st.Do(context.Background(), "test", func(tx *store.Tx) (err error) {
				changed, err = Reseal(tx, id, []byte{1, 1, 0}, []byte{2, byte(i)})
				return err
			})
			if err != nil || changed != want {
				t.Errorf("reseal %d: %v, %v", i, changed, err)
			}
		}
	})
}

// TestTwoNodesAgree has two nodes meet the same new cards at once.
func TestTwoNodesAgree(t *testing.T) {
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Config(t)
			cfg.Sets = sets()
			nodes := []*store.Store{storetest.Open(t, cfg)}
			if e.Name == "postgres" { // an SQLite file has one node
				cfg.Node = "n2"
				nodes = append(nodes, storetest.Open(t, cfg))
			}
			for n := range 40 {
				ids, errs := make([]string, 4), make([]error, 4)
				var wg sync.WaitGroup
				for i := range ids {
					wg.Go(func() { ids[i], _, errs[i] = resolve(t, nodes[i%len(nodes)], card(n, i)) })
				}
				wg.Wait()
				if err := errors.Join(errs...); err != nil || ids[0] != ids[1] || ids[1] != ids[2] || ids[2] != ids[3] {
					t.Fatalf("card %d: %v, %v", n, ids, err)
				}
			}
		})
	}
}
