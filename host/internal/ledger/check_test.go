package ledger

import (
	"context"
	"strings"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// TestEntriesAreImmutable tries what a careless program or operator would.
func TestEntriesAreImmutable(t *testing.T) {
	storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
		if _, err := post(st, sale("p", 1)); err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{
			`UPDATE ledger_entry SET minor = minor + 1`,
			`UPDATE ledger_posting SET amount = 2`,
			`DELETE FROM ledger_entry`,
			`DELETE FROM ledger_posting`,
			`INSERT INTO ledger_entry (posting, line, account, minor, currency) VALUES ('none', 1, 'a', 1, 978)`,
		} {
			_, err := do(st, func(tx *store.Tx) (bool, error) { _, err := tx.Exec(query); return true, err })
			if err == nil {
				t.Errorf("went through: %s", query)
			}
		}
		if r, err := Check(context.Background(), st); err != nil || !r.OK() || r.Entries != 2 {
			t.Errorf("check: %+v, %v", r, err)
		}
	})
}

// TestCheckFindsTampering changes a sound ledger by one statement at a time,
// with the triggers off.
func TestCheckFindsTampering(t *testing.T) {
	for name, c := range map[string]struct{ tamper, finding string }{
		"one cent":          {`UPDATE ledger_entry SET minor = minor + 1 WHERE posting = 'a' AND line = 1`, "not those of template"},
		"balanced cents":    {`UPDATE ledger_entry SET minor = minor * 2 WHERE posting = 'a'`, "not those of template"},
		"another merchant":  {`UPDATE ledger_entry SET account = 'merchant:payable:M2' WHERE posting = 'a' AND line = 2`, "not those of template"},
		"another currency":  {`UPDATE ledger_entry SET currency = 840 WHERE posting = 'a'`, "currency"},
		"unknown template":  {`UPDATE ledger_posting SET template = 'gift' WHERE id = 'a'`, "unknown posting template"},
		"a line gone":       {`DELETE FROM ledger_entry WHERE posting = 'a' AND line = 2`, "not those of template"},
		"all lines gone":    {`DELETE FROM ledger_entry WHERE posting = 'a'`, "not those of template"},
		"a mirror gone":     {`DELETE FROM ledger_entry WHERE posting = '~b'`, "is not the mirror"},
		"a mirror changed":  {`UPDATE ledger_entry SET minor = minor * 2 WHERE posting = '~b'`, "is not the mirror"},
		"a link gone":       {`UPDATE ledger_posting SET reverses = NULL WHERE id = '~b'`, "is not the mirror"},
		"a link bent":       {`UPDATE ledger_posting SET reverses = 'a' WHERE id = '~b'`, "is not the mirror"},
		"a sale as mirror":  {`UPDATE ledger_posting SET reverses = 'b' WHERE id = 'a'`, ""},
		"a posting to fake": {`INSERT INTO ledger_posting (id, template, terminal, attempt, merchant, issuer, amount, currency, at) VALUES ('x', 'sale', '', '', 'M1', 'onus', 1, 978, 1)`, "not those of template"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, sets(), func(t *testing.T, st *store.Store) {
				for _, id := range []string{"a", "b"} {
					if _, err := post(st, sale(id, 100)); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := reverse(st, "b"); err != nil {
					t.Fatal(err)
				}
				if r, err := Check(context.Background(), st); err != nil || !r.OK() {
					t.Fatalf("before: %+v, %v", r, err)
				}
				storetest.Disarm(t, st, "ledger_posting", "ledger_entry")
				err := st.Do(context.Background(), "tamper", func(tx *store.Tx) error { _, err := tx.Exec(c.tamper); return err })
				if c.finding == "" {
					if err == nil {
						t.Error("the database let a second mirror in")
					}
					return
				}
				r, cerr := Check(context.Background(), st)
				if err != nil || cerr != nil || r.OK() || !strings.Contains(strings.Join(r.Findings, "\n"), c.finding) {
					t.Errorf("%v, %v: %+v", err, cerr, r)
				}
			})
		})
	}
}
