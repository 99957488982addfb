package canary

import (
	"fmt"
	"slices"
)

// maxFindings bounds a report; more are only counted.
const maxFindings = 10_000

// A Finding is a place where a secret is.
type Finding struct {
	Secret   string `json:"secret"`           // its name
	Encoding string `json:"encoding"`         // the form it has there
	Path     string `json:"path"`             // file, or process and region of memory
	Inside   string `json:"inside,omitempty"` // the compressed streams it is in, outermost first
	Offset   int64  `json:"offset"`           // of its first byte; in a compressed stream, in what comes out
}

// String is the finding on one line.
func (f Finding) String() string {
	in := ""
	if f.Inside != "" {
		in = " inside " + f.Inside
	}
	return fmt.Sprintf("%s: offset %d%s: %s as %s", f.Path, f.Offset, in, f.Secret, f.Encoding)
}

// A Report is what a scan has found.
type Report struct {
	Findings   []Finding `json:"findings"`
	Omitted    int       `json:"omitted"`    // findings above the limit
	Files      int       `json:"files"`      // scanned
	Bytes      int64     `json:"bytes"`      // scanned, decompressed ones included
	Opaque     []string  `json:"opaque"`     // archives that cannot be looked into
	Incomplete []string  `json:"incomplete"` // what was not scanned to its end, and why
}

// Clean reports that everything was scanned and nothing was found.
func (r *Report) Clean() bool {
	return len(r.Findings) == 0 && len(r.Opaque) == 0 && len(r.Incomplete) == 0
}

// Secrets are the names of those that were found, sorted, each once.
func (r *Report) Secrets() []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.Secret)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *Report) add(f Finding) {
	if len(r.Findings) >= maxFindings {
		r.Omitted++
		return
	}
	r.Findings = append(r.Findings, f)
}
