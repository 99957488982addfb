package audit

import (
	"fmt"
	"io"
)

// Kinds of findings.
const (
	Gap           = "gap"            // numbers are missing inside the chain
	Changed       = "changed"        // an entry is not what its hash was made of
	Rewritten     = "rewritten"      // the chain fits in itself, but not to a signed checkpoint
	Fork          = "fork"           // two signed histories: a copy was restored and continued
	Truncated     = "truncated"      // a signed checkpoint lies beyond the end of the chain
	MissingNode   = "missing_node"   // a node that is known elsewhere has no chain
	MissingBoot   = "missing_boot"   // a start of a node is not recorded, or not in its chain
	BadSignature  = "bad_signature"  // a checkpoint was not signed by the boundary
	maxFindings   = 1000             // a log that is broken everywhere is known after this many
	originStored  = "stored"         // a checkpoint of the database
	originOutside = "kept elsewhere" // one that had left it
)

// A Finding is one thing that Verify found wrong.
type Finding struct {
	Kind   string `json:"kind"`
	Node   string `json:"node"`
	From   uint64 `json:"from"`   // first entry that may be concerned
	Number uint64 `json:"number"` // entry at which it shows
	Detail string `json:"detail"`
}

// A Chain is what Verify saw of one node.
type Chain struct {
	Node        string `json:"node"`
	Boots       uint64 `json:"boots"`
	Entries     uint64 `json:"entries"`
	Checkpoints uint64 `json:"checkpoints"` // stored ones that fit
	External    uint64 `json:"external"`    // those kept elsewhere that fit
	Covered     uint64 `json:"covered"`     // entries up to the last checkpoint that fits
}

// A Result is the answer of Verify and the output of `host audit verify`.
type Result struct {
	Chains   []Chain   `json:"chains"`
	Findings []Finding `json:"findings"`
}

// OK reports that nothing was found wrong.
func (r Result) OK() bool { return len(r.Findings) == 0 }

// WriteText writes r for people.
func (r Result) WriteText(w io.Writer) error {
	for _, c := range r.Chains {
		if _, err := fmt.Fprintf(w, "node %s: %d entries in %d boots, %d covered by %d stored and %d external checkpoints\n",
			c.Node, c.Entries, c.Boots, c.Covered, c.Checkpoints, c.External); err != nil {
			return err
		}
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%s: node %s, entries %d to %d: %s\n", f.Kind, f.Node, f.From, f.Number, f.Detail); err != nil {
			return err
		}
	}
	verdict := "the chains hold: nothing was truncated, changed, forked or removed up to the last checkpoint"
	if !r.OK() {
		verdict = "the chains do not hold: keep the database as it is, and compare with the backup and the terminals' checkpoints"
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}

func (r *Result) find(f Finding) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}
