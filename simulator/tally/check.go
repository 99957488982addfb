package tally

import (
	"fmt"
	"sort"
)

// A Finding is one place where the halves do not match.
type Finding struct {
	Rule     string `json:"rule"` // short name of the broken rule
	Terminal string `json:"terminal,omitempty"`
	Attempt  string `json:"attempt,omitempty"`
	Text     string `json:"text"`
}

// A Report is the result of a comparison.
type Report struct {
	Match        bool           `json:"match"`
	Attempts     int            `json:"attempts"`
	Transactions int            `json:"transactions"`
	Ends         map[string]int `json:"ends"` // attempts of the journals by end
	LedgerSum    map[code]int64 `json:"ledger_sum"`
	Findings     []Finding      `json:"findings,omitempty"`
}

// key is a transaction's identity: DE 41 and the attempt id.
type key struct{ terminal, attempt string }

type checker struct {
	Books
	hosts    map[key]transaction
	issuers  map[key]authorization
	journals map[key]attempt
	report   Report
}

// Check compares the books. It never stops at the first finding.
func Check(b Books) Report {
	c := checker{Books: b, hosts: map[key]transaction{}, issuers: map[key]authorization{}, journals: map[key]attempt{},
		report: Report{Ends: map[string]int{}, LedgerSum: map[code]int64{}}}
	c.index()
	c.ends()
	c.strangers()
	c.balance()
	c.effects()
	c.onWire()
	sort.SliceStable(c.report.Findings, func(i, j int) bool { return c.report.Findings[i].Rule < c.report.Findings[j].Rule })
	c.report.Match = len(c.report.Findings) == 0
	c.report.Attempts, c.report.Transactions = len(b.attempts), len(b.transactions)
	return c.report
}

func (c *checker) find(rule string, k key, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, Finding{rule, k.terminal, k.attempt, fmt.Sprintf(format, args...)})
}

// index builds the lookup tables and reports identities, STANs and RRNs that
// stand twice.
func (c *checker) index() {
	stans, rrns := map[string]key{}, map[string]key{}
	for _, a := range c.attempts {
		k := key{a.Terminal, a.Attempt}
		if _, twice := c.journals[k]; twice {
			c.find("one-end", k, "the journal holds the attempt twice")
		}
		c.journals[k] = a
		if a.STAN != "" {
			if o, used := stans[a.Terminal+a.STAN]; used && o != k {
				c.find("stan-twice", k, "STAN %s was used before by attempt %s", a.STAN, o.attempt)
			}
			stans[a.Terminal+a.STAN] = k
		}
	}
	for _, t := range c.transactions {
		k := key{t.Terminal, t.Attempt}
		if _, twice := c.hosts[k]; twice {
			c.find("one-row", k, "the host has two rows")
		}
		c.hosts[k] = t
		if o, used := rrns[t.RRN]; t.RRN != "" && used {
			c.find("rrn-twice", k, "RRN %s stands in attempt %s too", t.RRN, o.attempt)
		}
		rrns[t.RRN] = k
	}
	for _, a := range c.authorizations {
		k := key{a.Terminal, a.Attempt}
		if _, twice := c.issuers[k]; twice {
			c.find("one-row", k, "the issuer has two rows")
		}
		c.issuers[k] = a
	}
}

// ends compares the end of each attempt at the terminal with the acquirer's and
// the issuer's.
func (c *checker) ends() {
	for k, a := range c.journals {
		c.report.Ends[a.End]++
		h, atHost := c.hosts[k]
		i, atIssuer := c.issuers[k]
		switch a.End {
		case "approved":
			c.want(k, "approved", h.State, atHost, i.State, atIssuer)
		case "declined":
			// The acquirer may decline by itself; then the issuer was never asked.
			if atHost && h.State != "declined" {
				c.find("ends-differ", k, "declined at the terminal, %s at the host", h.State)
			}
			if atIssuer && i.State == "approved" {
				c.find("ends-differ", k, "declined at the terminal, approved at the issuer")
			}
		case "reversed":
			if !atHost || h.State != "reversed" && h.State != "declined" {
				c.find("ends-differ", k, "reversed at the terminal, %s at the host", state(h.State, atHost))
			}
			if atIssuer && i.State == "approved" {
				c.find("ends-differ", k, "reversed at the terminal, approved at the issuer")
			}
		case "cancelled":
			if atHost {
				c.find("ends-differ", k, "cancelled before sending, %s at the host", h.State)
			}
		default:
			c.find("no-end", k, "the attempt has no end (%q)", a.End)
		}
		if atHost {
			c.same(k, a, h)
		}
	}
}

func (c *checker) want(k key, end, host string, atHost bool, issuer string, atIssuer bool) {
	if !atHost || host != end {
		c.find("ends-differ", k, "%s at the terminal, %s at the host", end, state(host, atHost))
	}
	if !atIssuer || issuer != end {
		c.find("ends-differ", k, "%s at the terminal, %s at the issuer", end, state(issuer, atIssuer))
	}
}

func state(s string, there bool) string {
	if !there {
		return "unknown"
	}
	return s
}

// same compares what terminal and host say of one attempt.
func (c *checker) same(k key, a attempt, h transaction) {
	if a.Amount != h.Amount || a.Currency != h.Currency {
		c.find("amounts-differ", k, "%d of %d at the terminal, %d of %d at the host", a.Amount, a.Currency, h.Amount, h.Currency)
	}
	if h.STAN != "" && a.STAN != h.STAN {
		c.find("stan-differs", k, "STAN %s at the terminal, %s at the host", a.STAN, h.STAN)
	}
	if a.RRN != "" && h.RRN != "" && a.RRN != h.RRN {
		c.find("rrn-differs", k, "RRN %s at the terminal, %s at the host", a.RRN, h.RRN)
	}
}

// strangers reports rows of host and issuer that no journal knows, and issuer
// rows that the host does not know or values otherwise.
func (c *checker) strangers() {
	for k, h := range c.hosts {
		if _, known := c.journals[k]; !known {
			c.find("stranger", k, "the host has a row (%s) that no journal knows", h.State)
		}
		if h.State == "open" {
			c.find("no-end", k, "the host's row has no end")
		}
	}
	for k, i := range c.issuers {
		h, known := c.hosts[k]
		if !known {
			c.find("stranger", k, "the issuer has a row (%s) that the host does not know", i.State)
			continue
		}
		if i.Amount != h.Amount || i.Currency != h.Currency {
			c.find("amounts-differ", k, "%d of %d at the host, %d of %d at the issuer", h.Amount, h.Currency, i.Amount, i.Currency)
		}
		if (i.State == "approved") != (h.State == "approved") {
			c.find("ends-differ", k, "%s at the host, %s at the issuer", h.State, i.State)
		}
	}
}
