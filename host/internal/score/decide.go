package score

import (
	"github.com/expr-lang/expr"
)

// A Reason is a rule whose condition held.
type Reason struct {
	Rule   string `json:"rule"`
	Code   string `json:"code"`
	Weight int    `json:"weight,omitempty"`
	Action Action `json:"action,omitempty"`
	// Failed tells that the condition could not be computed, such as a division
	// by zero; the rule then counts for nothing but is named, so that its author
	// learns of it.
	Failed bool `json:"failed,omitempty"`
}

// A Decision is the result of scoring, stored with the transaction.
type Decision struct {
	Score    int      `json:"score"` // 0 to 999
	Action   Action   `json:"action"`
	Reasons  []Reason `json:"reasons"`
	Version  string   `json:"rules"` // version of the rule file
	Features Features `json:"features"`
}

// Decide applies the rules to f. It is a function of its arguments alone.
//
// The score is the sum of the weights, at most Max. The action is the gravest
// that a rule or a threshold asks for; a PIN that came already, or that this
// entry mode cannot give, turns the wish for one into approval or referral.
func (r *Rules) Decide(f Features) Decision {
	d := Decision{Action: Approve, Reasons: []Reason{}, Version: r.version, Features: f}
	for _, c := range r.rules {
		held, err := expr.Run(c.when, f)
		if err != nil {
			d.Reasons = append(d.Reasons, Reason{Rule: c.Name, Code: c.Reason, Failed: true})
			continue
		}
		if held != true {
			continue
		}
		d.Score = min(Max, d.Score+c.Weight)
		d.Reasons = append(d.Reasons, Reason{Rule: c.Name, Code: c.Reason, Weight: c.Weight, Action: c.Action})
		d.Action = graver(d.Action, f.settle(c.Action))
	}
	for _, t := range []struct {
		at     int
		action Action
	}{{r.thresholds.PIN, AskPIN}, {r.thresholds.Refer, Refer}, {r.thresholds.Decline, Decline}} {
		if t.at > 0 && d.Score >= t.at {
			d.Action = graver(d.Action, f.settle(t.action))
		}
	}
	return d
}

// settle turns the wish for a PIN into what this entry can give.
func (f Features) settle(a Action) Action {
	switch {
	case a == "":
		return Approve
	case a != AskPIN:
		return a
	case f.PIN:
		return Approve
	case !Entry(f.Entry).TakesPIN():
		return Refer
	}
	return AskPIN
}

func graver(a, b Action) Action {
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Code is DE 39 towards the terminal, and Filed what the host files: a fraud
// decline is 05 outside and 59 inside, so that a thief learns nothing.
func (d Decision) Code() (outside, filed string) {
	switch d.Action {
	case AskPIN:
		return "1A", "1A"
	case Refer:
		return "01", "01"
	case Decline:
		return "05", "59"
	}
	return "00", "00"
}
