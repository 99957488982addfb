package sweep

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"tallystick.example/iso8583"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/tally"
)

// matched compares the books of the three parties and the wire. A payment that
// the terminal has given up may still be on its way to its end at the host: books
// that differ are compared again for a while.
func (b *bench) matched(ctx context.Context) (tally.Report, error) {
	end := time.Now().Add(readyWithin)
	for {
		if err := b.ready(ctx); err != nil {
			return tally.Report{}, fmt.Errorf("before the tally: %w", err)
		}
		r, err := b.lab.Tally(ctx)
		if err != nil {
			return r, fmt.Errorf("the tally: %w", err)
		}
		if r.Match || time.Now().After(end) {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-time.After(endWithin):
		}
	}
}

// tally names the case of each difference that stays between the books.
func (b *bench) tally(ctx context.Context) (tally.Report, []Finding, error) {
	r, err := b.matched(ctx)
	if err != nil || r.Match {
		return r, nil, err
	}
	sales, err := b.attempts()
	if err != nil {
		return r, nil, err
	}
	var findings []Finding
	for _, f := range r.Findings {
		findings = append(findings, b.finding("tally: "+f.Rule, f.Attempt+" "+f.Text, sales[f.Attempt]))
	}
	return r, findings, nil
}

// finding names the case of a sale; an unknown sale has none.
func (b *bench) finding(rule, text, sale string) Finding {
	f := Finding{Rule: rule, Text: text, Sale: sale, Image: -1}
	if c, ok := b.cases[sale]; ok && c.event != "" {
		f.Event, f.Edge, f.Image = c.event, c.name(), c.image
	}
	return f
}

// attempts maps attempt ids to sales, from the agent's last export.
func (b *bench) attempts() (map[string]string, error) {
	export, err := os.ReadFile(b.lab.Path("exports", "agent.jsonl"))
	if err != nil {
		return nil, err
	}
	sales := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(export)); d.More(); {
		var a struct {
			Attempt string `json:"attempt"`
			Sale    string `json:"sale"`
		}
		if err := d.Decode(&a); err != nil {
			return nil, fmt.Errorf("the agent's export: %w", err)
		}
		sales[a.Attempt] = a.Sale
	}
	return sales, nil
}

// proofs holds what must be true at the end of every sweep: the wire used no
// number twice, the ledger proves itself, and so does the audit chain.
func (b *bench) proofs(ctx context.Context, find func(Finding)) error {
	wire, err := os.Open(b.lab.Path("trace", "agent", "wire.jsonl"))
	if err != nil {
		return err
	}
	twice, err := numbersTwice(bufio.NewScanner(wire))
	if err := errors.Join(err, wire.Close()); err != nil {
		return fmt.Errorf("the recorded wire: %w", err)
	}
	for _, text := range twice {
		find(b.finding("number-twice", text, ""))
	}
	for _, proof := range [][]string{{"ledger", "check"}, {"audit", "verify"}} {
		_, err := b.lab.Run(ctx, lab.Host, proof...)
		if e, ok := errors.AsType[*lab.ExitError](err); ok && e.Code == 4 {
			find(b.finding(proof[0], e.Text, ""))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// numbersTwice finds STANs and KSNs that two different messages of a terminal
// have used. A repeat (MTI with repeat digit) has the STAN of its original, and
// the same bytes again are the same message.
func numbersTwice(lines *bufio.Scanner) ([]string, error) {
	lines.Buffer(nil, 1<<20)
	var found []string
	stans, ksns := map[string]string{}, map[string]string{}
	use := func(used map[string]string, what, number, message string) {
		if before, ok := used[number]; ok && before != message {
			found = append(found, fmt.Sprintf("%s %s was used for %s and for %s", what, number, before, message))
		}
		used[number] = message
	}
	for n := 1; lines.Scan(); n++ {
		var w struct {
			Dir string `json:"dir"`
			Raw string `json:"raw"`
		}
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if w.Dir != "out" {
			continue
		}
		raw, err := hex.DecodeString(w.Raw)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		m, err := iso8583.Unpack(raw)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		p, err := m.Private()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		use(stans, "STAN", m.Terminal()+" "+m.STAN(), identity(m, p, w.Raw))
		if len(p.MACKSN) > 0 {
			use(ksns, "KSN", hex.EncodeToString(p.MACKSN), w.Raw)
		}
	}
	return found, lines.Err()
}

// identity is what a message and its repeats have in common: the attempt that it
// carries or undoes. Sign-on and echo have none; each is a message of its own.
func identity(m *iso8583.Message, p iso8583.Private, raw string) string {
	for _, id := range []iso8583.AttemptID{p.AttemptID, p.OriginalAttemptID} {
		if id != (iso8583.AttemptID{}) {
			return fmt.Sprintf("%s of attempt %x", m.MTI().Class(), id[:])
		}
	}
	return raw
}
