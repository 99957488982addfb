package tally

import "strings"

// What the accounts that say who owes whom begin with: the acquirer's debt to a
// merchant in the ledger, the issuer's debt to the acquirer in its own book.
const (
	merchantPayable = "merchant:payable"
	issuerDue       = "due:"
)

// balance proves that the ledger sums to zero, as a whole and per posting.
func (c *checker) balance() {
	type postingKey struct {
		posting  string
		currency code
	}
	postings := map[postingKey]int64{}
	for _, e := range c.ledger {
		c.report.LedgerSum[e.Currency] += e.Minor
		postings[postingKey{e.Posting, e.Currency}] += e.Minor
	}
	for cur, sum := range c.report.LedgerSum {
		if sum != 0 {
			c.find("ledger-sum", key{}, "the ledger sums to %d of currency %d", sum, cur)
		}
	}
	for p, sum := range postings {
		if sum != 0 {
			c.find("posting-sum", key{}, "posting %s sums to %d of currency %d", p.posting, sum, p.currency)
		}
	}
}

// effects proves that each approved transaction moved exactly its amount, once,
// in both books, and that every other one moved nothing in the end.
func (c *checker) effects() {
	owed := map[key]int64{}
	for _, e := range c.ledger {
		if strings.HasPrefix(e.Account, merchantPayable) {
			owed[key{e.Terminal, e.Attempt}] += e.Minor
		}
	}
	for k, h := range c.hosts {
		want := int64(0)
		if h.State == "approved" {
			want = h.Amount
		}
		if got := magnitude(owed[k]); got != want {
			c.find("ledger-effect", k, "%s for %d, but the ledger moved %d", h.State, h.Amount, got)
		}
		delete(owed, k)
	}
	for k, sum := range owed {
		if k.attempt != "" {
			c.find("ledger-effect", k, "the ledger has entries (sum %d) for no transaction of the host", sum)
		}
	}
	c.issuerEffects()
}

func (c *checker) issuerEffects() {
	moved, sums := map[string]int64{}, map[string]int64{}
	for _, e := range c.accounts {
		sums[e.RRN] += e.Minor
		if strings.HasPrefix(e.Account, issuerDue) {
			moved[e.RRN] += e.Minor
		} else {
			moved[e.RRN] += 0
		}
	}
	for rrn, sum := range sums {
		if sum != 0 {
			c.find("posting-sum", key{}, "the issuer's entries under RRN %s sum to %d", rrn, sum)
		}
	}
	for k, i := range c.issuers {
		want := int64(0)
		if i.State == "approved" {
			want = i.Amount
		}
		if got := magnitude(moved[i.RRN]); got != want {
			c.find("issuer-effect", k, "%s for %d, but the issuer's debt moved %d", i.State, i.Amount, got)
		}
		delete(moved, i.RRN)
	}
	for rrn, sum := range moved {
		if rrn != "" {
			c.find("issuer-effect", key{}, "the issuer's book has entries (sum %d) under RRN %s without an authorization", sum, rrn)
		}
	}
}

func magnitude(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
