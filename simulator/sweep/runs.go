package sweep

import (
	"fmt"
	"slices"
	"strings"
)

// A run is what sales that nothing is done to have in common: events of one kind
// and place in a row.
type run struct {
	label             string
	number            int
	shortest, longest int // steps; shortest is 0 where a sale lacks the run
	onDisk            bool
}

// event is the name of a step.
func (r run) event(step int) string { return fmt.Sprintf("%s %d.%d", r.label, r.number, step) }

// varies reports whether a sale may have more steps than those that were seen.
func (r run) varies() bool { return r.onDisk && (r.longest > 1 || r.shortest == 0) }

// plans lists the runs of sales, in the order of the longest sale, with those
// that only others have at the end.
func plans(sales [][]Event) []run {
	lengths := make([]map[string]int, len(sales))
	sorted := slices.Clone(sales)
	slices.SortStableFunc(sorted, func(a, b []Event) int { return len(b) - len(a) })
	var runs []run
	seen := map[string]bool{}
	for i, events := range sorted {
		lengths[i] = map[string]int{}
		for _, e := range events {
			r := run{label: e.label(), number: e.Run, onDisk: !strings.HasPrefix(e.Kind, "send") && !strings.HasPrefix(e.Kind, "receive")}
			id := r.event(0)
			lengths[i][id] = max(lengths[i][id], e.Step)
			if !seen[id] {
				seen[id] = true
				runs = append(runs, r)
			}
		}
	}
	for i := range runs {
		r := &runs[i]
		id := r.event(0)
		r.shortest = lengths[0][id]
		for _, l := range lengths {
			r.shortest, r.longest = min(r.shortest, l[id]), max(r.longest, l[id])
		}
	}
	return runs
}

// expect makes the rows of runs, so that the table is in the order of a sale.
// Where all events are to be visited, those that every sale has must be.
func (r *Report) expect(runs []run, all bool) {
	for _, x := range runs {
		for step := 1; step <= x.longest; step++ {
			r.row(x.event(step)).Sure = all && step <= x.shortest
		}
	}
}
