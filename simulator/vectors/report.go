package vectors

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Counts says what became of cases. Answered ones stated no result.
type Counts struct {
	Passed   int `json:"passed"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	Answered int `json:"answered,omitempty"`
}

// A Failure is a case that failed, or a file that could not be used.
type Failure struct {
	File string `json:"file"`
	ID   string `json:"id,omitempty"` // empty: the whole file
	Op   string `json:"op,omitempty"`
	Why  string `json:"why"`
}

// A Report is the result of a run.
type Report struct {
	Counts
	Files      []string           `json:"files"`
	Operations map[string]*Counts `json:"operations"`
	// Unknown are the operations of skipped cases that no function runs.
	Unknown  []string  `json:"unknown"`
	Failures []Failure `json:"failures"`
}

func newReport() Report {
	return Report{Files: []string{}, Operations: map[string]*Counts{}, Unknown: []string{}, Failures: []Failure{}}
}

// OK reports whether something ran and nothing failed or was skipped.
func (r Report) OK() bool {
	return r.Failed == 0 && r.Skipped == 0 && r.Passed+r.Answered > 0
}

func (r *Report) op(name string) *Counts {
	c, ok := r.Operations[name]
	if !ok {
		c = new(Counts)
		r.Operations[name] = c
	}
	return c
}

func (r *Report) pass(op string) {
	r.Passed++
	r.op(op).Passed++
}

func (r *Report) answered(op string) {
	r.Answered++
	r.op(op).Answered++
}

func (r *Report) skip(op string, known bool) {
	r.Skipped++
	r.op(op).Skipped++
	if !known && !slices.Contains(r.Unknown, op) {
		r.Unknown = append(r.Unknown, op)
	}
}

func (r *Report) fail(f Failure) {
	r.Failed++
	if f.Op != "" {
		r.op(f.Op).Failed++
	}
	r.Failures = append(r.Failures, f)
}

// Summary is the last line of a text report.
func (r Report) Summary() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", r.Passed, r.Failed, r.Skipped)
}

// WriteText writes the report for people: operations, failures, summary.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Operations)) {
		c := r.Operations[name]
		fmt.Fprintf(&b, "%-34s %5d passed %4d failed %4d skipped", name, c.Passed, c.Failed, c.Skipped)
		if c.Answered > 0 {
			fmt.Fprintf(&b, " %4d answered", c.Answered)
		}
		b.WriteByte('\n')
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "FAILED %s", f.File)
		if f.ID != "" {
			fmt.Fprintf(&b, " %s", f.ID)
		}
		fmt.Fprintf(&b, ": %s\n", f.Why)
	}
	for _, op := range r.Unknown {
		fmt.Fprintf(&b, "skipped: no operation %s\n", op)
	}
	if r.Answered > 0 {
		fmt.Fprintf(&b, "%d answered\n", r.Answered)
	}
	fmt.Fprintln(&b, r.Summary())
	_, err := io.WriteString(w, b.String())
	return err
}

// answer is a line of the answers.
type answer struct {
	ID     string         `json:"id"`
	Out    map[string]any `json:"out,omitempty"`
	Reject bool           `json:"reject,omitempty"`
}

func writeAnswer(w io.Writer, id string, out map[string]any, err error) error {
	line, jsonErr := json.Marshal(answer{ID: id, Out: out, Reject: err != nil})
	if jsonErr != nil {
		return fmt.Errorf("answer to %s: %w", id, jsonErr)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the answer to %s: %w", id, err)
	}
	return nil
}

// maxShown bounds a value in the report.
const maxShown = 400

// show writes a value as JSON, cut when it is long.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > maxShown {
		return fmt.Sprintf("%s… (%d characters)", b[:maxShown], len(b))
	}
	return string(b)
}

// origin is the source position in a stack where a panic began.
func origin(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") && i+3 < len(lines) {
			position, _, _ := strings.Cut(strings.TrimSpace(lines[i+3]), " ")
			return position[strings.LastIndexByte(position, '/')+1:]
		}
	}
	return "an unknown place"
}
