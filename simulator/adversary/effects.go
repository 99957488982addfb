package adversary

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// exported is a line of the exports of the host's ledger and the issuer's book.
type exported struct {
	Source, Kind, Terminal, Attempt, State, Account, RRN, Posting, Template string
	Minor                                                                   int64
}

// effects are what the books hold of one attempt.
type effects struct {
	rows, authorizations int
	state, issuerState   string
	owed, taken          int64
	postings             map[string]bool // those that are no reversal
	rrn                  string
}

// CheckEffects reads the exports of ledger and issuer, and says where an attempt
// has not exactly one row, or another end than it should, or moved money more
// than once, or not at all where it should, in either book.
func CheckEffects(attempts []Attempt, exports ...io.Reader) ([]string, error) {
	found := map[string]*effects{}
	taken := map[string]int64{} // by RRN
	for _, in := range exports {
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			var e exported
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				return nil, fmt.Errorf("adversary: reading an export: %w", err)
			}
			note(found, taken, e)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("adversary: reading an export: %w", err)
		}
	}
	var out []string
	for _, a := range attempts {
		e := found[a.Terminal+a.ID]
		if e == nil {
			out = append(out, fmt.Sprintf("attempt %s is in no book", a.ID))
			continue
		}
		e.taken = taken[e.rrn]
		if fault := e.fault(a); fault != "" {
			out = append(out, fmt.Sprintf("attempt %s: %s", a.ID, fault))
		}
	}
	return out, nil
}

// note books one line.
func note(found map[string]*effects, taken map[string]int64, e exported) {
	if e.Source == "issuer" && e.Kind == "entry" {
		if strings.HasPrefix(e.Account, "due:acquirer") {
			taken[e.RRN] += e.Minor
		}
		return
	}
	key := e.Terminal + e.Attempt
	if found[key] == nil {
		found[key] = &effects{postings: map[string]bool{}}
	}
	x := found[key]
	switch e.Source + " " + e.Kind {
	case "host transaction":
		x.rows++
		x.state = e.State
	case "host entry":
		if strings.HasPrefix(e.Account, "acquirer:receivable:") {
			x.owed += e.Minor
			if e.Minor > 0 {
				x.postings[e.Posting] = true
			}
		}
	case "issuer authorization":
		x.authorizations++
		x.issuerState, x.rrn = e.State, e.RRN
	}
}

// fault is what is wrong with the effects of an attempt, or nothing.
func (e *effects) fault(a Attempt) string {
	want := a.Minor
	if a.Want != "approved" {
		want = 0
	}
	switch {
	case e.rows != 1:
		return fmt.Sprintf("%d rows", e.rows)
	case e.state != a.Want:
		return fmt.Sprintf("it is %s, want %s", e.state, a.Want)
	case e.authorizations > 1:
		return fmt.Sprintf("%d authorizations", e.authorizations)
	case len(e.postings) > 1:
		return fmt.Sprintf("%d postings", len(e.postings))
	case e.owed != want:
		return fmt.Sprintf("the acquirer is owed %d, want %d", e.owed, want)
	case e.taken != want:
		return fmt.Sprintf("the issuer took %d, want %d", e.taken, want)
	case a.Want == "approved" && e.issuerState != "approved", a.Want != "approved" && e.issuerState == "approved":
		return fmt.Sprintf("the issuer says %s", e.issuerState)
	}
	return ""
}
