package sweep

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"tallystick.example/simulator/tally"
)

// A Finding is a promise that was broken.
type Finding struct {
	Rule   string `json:"rule"` // short name of what was broken
	Text   string `json:"text"`
	Sale   string `json:"sale,omitempty"`
	Event  string `json:"event,omitempty"` // at which the program was stopped
	Edge   string `json:"edge,omitempty"`
	Image  int    `json:"image"`            // which power cut, -1 for none
	Replay string `json:"replay,omitempty"` // the command that does it again
}

// String tells the finding and how to see it again.
func (f Finding) String() string {
	return fmt.Sprintf("FOUND %s at %s (%s): %s\n      again: %s", f.Rule, f.Event, f.Edge, f.Text, f.Replay)
}

// A Row is one event of a sale and what became of the sales that were stopped
// there.
type Row struct {
	Event string `json:"event"`
	Sure  bool   `json:"sure"` // every sale has it, so it must have been visited
	// Outcomes counts ends of sales by edge or error: Outcomes["before"]["reversed"].
	Outcomes map[string]map[string]int `json:"outcomes"`
}

// A Report is the result of a sweep.
type Report struct {
	Target    Target         `json:"target"`
	What      What           `json:"what"`
	Plant     Plant          `json:"plant,omitempty"`
	Seed      uint64         `json:"seed"`
	Cases     int            `json:"cases"` // events at which something was done
	Images    int            `json:"images"`
	Second    int            `json:"second,omitempty"` // cases stopped a second time while recovering
	Rows      []Row          `json:"rows"`
	Outcomes  map[string]int `json:"outcomes"`
	Unvisited []string       `json:"unvisited,omitempty"`
	Findings  []Finding      `json:"findings,omitempty"`
	Tally     tally.Report   `json:"tally"`
	Seconds   float64        `json:"seconds"`
	OK        bool           `json:"ok"`

	columns []string       // what every event must have been visited with
	either  bool           // one of them is enough
	index   map[string]int // of rows, by event
}

func newReport(o Options) Report {
	r := Report{Target: o.Target, What: o.What, Plant: o.Plant, Seed: o.Seed, Outcomes: map[string]int{}, index: map[string]int{}}
	switch {
	case o.What == Error:
		r.columns = []string{"EIO", "ENOSPC"}
	case o.Edge == Before || o.Edge == After:
		r.columns = []string{string(o.Edge)}
	default:
		r.columns = []string{string(Before), string(After)}
	}
	r.either = o.Edge == Either
	return r
}

// row is the row of an event; a new one stands at the end.
func (r *Report) row(event string) *Row {
	i, ok := r.index[event]
	if !ok {
		i = len(r.Rows)
		r.index[event] = i
		r.Rows = append(r.Rows, Row{Event: event, Outcomes: map[string]map[string]int{}})
	}
	return &r.Rows[i]
}

// add keeps what came of a case.
func (r *Report) add(t trial) {
	if !t.reached {
		return
	}
	r.Cases++
	if t.image >= 0 {
		r.Images++
	}
	if t.second {
		r.Second++
	}
	row := r.row(t.at.String())
	column := row.Outcomes[t.name()]
	if column == nil {
		column = map[string]int{}
		row.Outcomes[t.name()] = column
	}
	column[t.outcome]++
	r.Outcomes[t.outcome]++
}

// finish lists what was not visited and judges.
func (r *Report) finish(d time.Duration) {
	r.Seconds = d.Seconds()
	for _, row := range r.Rows {
		need := len(r.columns)
		if r.either {
			need = 1
		}
		if row.Sure && len(row.Outcomes) < need {
			r.Unvisited = append(r.Unvisited, row.Event)
		}
	}
	r.OK = len(r.Findings) == 0 && len(r.Unvisited) == 0 && r.Cases > 0
}

// Print writes the table, the findings and a last line for people.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of the %s, seed %d\n\n%-34s", r.What, r.Target, r.Seed, "event")
	for _, c := range r.columns {
		fmt.Fprintf(&b, "  %-22s", c)
	}
	b.WriteString("\n")
	for _, row := range r.Rows {
		if !row.Sure && len(row.Outcomes) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%-34s", row.Event)
		for _, c := range r.columns {
			fmt.Fprintf(&b, "  %-22s", counts(row.Outcomes[c]))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, f := range r.Findings {
		fmt.Fprintln(&b, f)
	}
	if len(r.Unvisited) > 0 {
		fmt.Fprintf(&b, "NOT VISITED: %s\n", strings.Join(r.Unvisited, "; "))
	}
	fmt.Fprintf(&b, "%d events, %d cases, %d images, %d stopped again; sales ended %s; %d attempts and %d rows tallied; %d findings in %.1f s\n",
		len(r.Rows), r.Cases, r.Images, r.Second, counts(r.Outcomes), r.Tally.Attempts, r.Tally.Transactions, len(r.Findings), r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}

// counts is a map of counts in one line, "-" for an empty one.
func counts(m map[string]int) string {
	if len(m) == 0 {
		return "-"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] == 1 {
			parts = append(parts, k)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}

// replay is the command that does the case of a finding again.
func (o Options) replay(f Finding) string {
	c := fmt.Sprintf("simulator sweep --bin %s --target %s --what %s --seed %d", o.Bin, o.Target, o.What, o.Seed)
	if f.Event != "" {
		c += fmt.Sprintf(" --event %q", f.Event)
	}
	if f.Edge == string(Before) || f.Edge == string(After) {
		c += " --edge " + f.Edge
	}
	if f.Image >= 0 {
		c += fmt.Sprintf(" --image %d", f.Image)
	}
	if o.Twice {
		c += " --twice"
	}
	if o.Plant != NoPlant {
		c += " --plant " + string(o.Plant)
	}
	return c
}
