package journal

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Epoch is the random identity of this journal file.
func (j *Journal) Epoch() [8]byte { return j.state.epoch }

// Unfinished returns the attempts that are open or owe a reversal, oldest first.
func (j *Journal) Unfinished() []Attempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Attempt, 0, len(j.state.open))
	for _, n := range slices.Sorted(maps.Keys(j.state.open)) {
		out = append(out, *j.state.open[n])
	}
	return out
}

// Find returns the newest attempt of a sale among the unfinished and the last
// 256 finished ones.
func (j *Journal) Find(sale string) (Attempt, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.find(sale)
}

// Attempt returns an attempt that is not finished.
func (j *Journal) Attempt(number uint64) (Attempt, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a := j.state.open[number]; a != nil {
		return *a, true
	}
	return Attempt{}, false
}

// Recent returns up to n of the last finished attempts, newest first.
func (j *Journal) Recent(n int) []Attempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Attempt
	for _, a := range slices.Backward(j.state.recent) {
		if len(out) == n {
			break
		}
		out = append(out, *a)
	}
	return out
}

// Unconfirmed returns up to n approvals, oldest first, whose completion the host
// has not been told.
func (j *Journal) Unconfirmed(n int) []Attempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Attempt
	for _, a := range j.state.unconfirmed[:min(n, len(j.state.unconfirmed))] {
		out = append(out, *a)
	}
	return out
}

// Counter returns the loaded key set (hex, empty for none) and the highest DUKPT
// counter that any record of it names.
func (j *Journal) Counter() (set string, counter uint32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.keySet, j.state.counter
}

// Checkpoints writes the newest audit checkpoint of each host node as a JSON line:
// the half of the tally that host audit verify --external reads.
func (j *Journal) Checkpoints(w io.Writer) error {
	j.mu.Lock()
	kept := slices.Clone(j.state.checkpoints)
	j.mu.Unlock()
	enc := json.NewEncoder(w)
	for _, c := range kept {
		if err := enc.Encode(c); err != nil {
			return fmt.Errorf("writing the checkpoints: %w", err)
		}
	}
	return nil
}

// Len is the number of records in the file.
func (j *Journal) Len() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last - j.base.number
}

// exportLine is one attempt in the export (docs/agent.md).
type exportLine struct {
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	Sale     string `json:"sale"`
	MTI      string `json:"mti"`
	STAN     string `json:"stan"`
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	End      End    `json:"end"`
	RC       string `json:"rc"`
	At       int64  `json:"at"`
}

// Export writes every attempt in the file as JSON lines, in order, checking each
// record again. An attempt that owes a reversal is "open": its end is not known
// to both halves yet. It reads a snapshot and holds up no writer.
func (j *Journal) Export(w io.Writer, terminal string) error {
	attempts, err := j.all()
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	for _, a := range attempts {
		if err := enc.Encode(lineOf(a, terminal)); err != nil {
			return fmt.Errorf("journal: exporting: %w", err)
		}
	}
	return nil
}

func lineOf(a *Attempt, terminal string) exportLine {
	l := exportLine{
		Source: "agent", Kind: "attempt", Terminal: terminal, Attempt: hex.EncodeToString(a.ID[:]),
		Sale: a.Begin.Sale, MTI: a.Begin.MTI, STAN: fmt.Sprintf("%06d", a.Begin.STAN),
		Amount: a.Begin.Amount, Currency: fmt.Sprintf("%03d", a.Begin.Currency),
		End: a.End(), At: a.At.UnixMicro(),
	}
	if l.End == EndReversing {
		l.End = EndOpen
	}
	if a.Outcome != nil {
		l.RRN, l.RC = a.Outcome.RRN, a.Outcome.RC
	}
	return l
}

// all reads every attempt of the file into memory: a few hundred bytes each.
func (j *Journal) all() ([]*Attempt, error) {
	var attempts []*Attempt
	f := newFold(j.state.epoch)
	err := j.guard(func() error {
		return j.db.View(func(tx *bolt.Tx) error {
			base, err := decodeMark(j.key, "base", f.epoch, tx.Bucket(bucketMeta).Get(keyBase))
			if err != nil {
				return err
			}
			c := chain{key: j.key, last: base.mac}
			f.base = base.number
			return j.walk(tx.Bucket(bucketLog), base, func(r Record) error {
				if err := f.apply(r); err != nil {
					return err
				}
				if r.Type == TypeBegin {
					attempts = append(attempts, f.open[r.Number])
				}
				return nil
			}, &c)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("journal: %w: %w", ErrCorrupt, err)
	}
	return attempts, nil
}

// Lines writes every record as one JSON line, for people who look at a terminal.
func (j *Journal) Lines(w io.Writer) error {
	enc := json.NewEncoder(w)
	err := j.guard(func() error {
		return j.db.View(func(tx *bolt.Tx) error {
			base, err := decodeMark(j.key, "base", j.state.epoch, tx.Bucket(bucketMeta).Get(keyBase))
			if err != nil {
				return err
			}
			c := chain{key: j.key, last: base.mac}
			return j.walk(tx.Bucket(bucketLog), base, func(r Record) error {
				return enc.Encode(struct {
					Number  uint64          `json:"number"`
					Type    string          `json:"type"`
					Attempt uint64          `json:"attempt,omitempty"`
					At      time.Time       `json:"at"`
					Body    json.RawMessage `json:"body"`
				}{r.Number, r.Type.String(), r.Attempt, r.At, r.Body})
			}, &c)
		})
	})
	if err != nil {
		return fmt.Errorf("journal: listing: %w", err)
	}
	return nil
}
