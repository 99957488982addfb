package tally

import "strings"

// merchantPayable begins the names of the ledger's accounts that say what the
// acquirer owes a merchant.
const merchantPayable = "merchant:payable"

// balance proves that the ledger sums to zero, as a whole and per posting.
func (c *checker) balance() {
	type postingKey struct {
		posting  string
		currency int
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
	moved := map[string]int64{}
	for _, e := range c.accounts {
		moved[e.RRN] += e.Minor
	}
	for k, i := range c.issuers {
		want := int64(0)
		if i.State == "approved" {
			want = i.Amount
		}
		if got := magnitude(moved[i.RRN]); got != want {
			c.find("issuer-effect", k, "%s for %d, but the cardholder's account moved %d", i.State, i.Amount, got)
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
