package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"tallystick.example/iso8583"
	"tallystick.example/simulator/lab"
)

// A transaction is what host tx says of an attempt.
type transaction struct {
	STAN     string   `json:"stan"`
	RRN      string   `json:"rrn"`
	Attempt  string   `json:"attempt"`
	Amount   int64    `json:"amount"`
	Currency string   `json:"currency"`
	State    string   `json:"state"`
	RC       string   `json:"rc"`
	Filed    string   `json:"filed"`
	Why      string   `json:"why"`
	Token    string   `json:"token"`
	MAC      string   `json:"mac"`
	PIN      string   `json:"pin"`
	ARQC     string   `json:"arqc"`
	ARPC     string   `json:"arpc"`
	Score    int      `json:"score"`
	Reasons  []reason `json:"reasons"`
	Rules    string   `json:"rules_version"`
}

// A reason is one rule that a score was raised by.
type reason struct {
	Rule   string `json:"rule"`
	Reason string `json:"code"`
	Weight int    `json:"weight"`
	Action string `json:"action"`
}

// String is the code and the rule.
func (r reason) String() string { return r.Reason + " " + r.Rule }

// transaction asks the host for an attempt; nil when it has none.
func (d *demo) transaction(ctx context.Context, attempt string) (*transaction, error) {
	out, err := d.lab.Run(ctx, lab.Host, "tx")
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(out) {
		var t transaction
		if err := json.Unmarshal(line, &t); err != nil {
			return nil, fmt.Errorf("what host tx said: %w", err)
		}
		if attempt != "" && t.Attempt == attempt {
			return &t, nil
		}
	}
	return nil, nil
}

// A cardLine is one line of the card's log.
type cardLine struct {
	Event        string `json:"event"`
	Name         string `json:"name"`
	Command      string `json:"command"`
	Response     string `json:"response"`
	ARPCVerified bool   `json:"arpc_verified"`
	Final        string `json:"cryptogram_final"`
}

// lastCard is what the card's log says of its last transaction.
func (d *demo) lastCard() (last cardLine, err error) {
	b, err := os.ReadFile(d.lab.Path("trace", "card.jsonl"))
	if err != nil {
		return last, err
	}
	for line := range bytes.Lines(b) {
		var l cardLine
		if err := json.Unmarshal(line, &l); err != nil {
			return last, fmt.Errorf("the card's log: %w", err)
		}
		switch {
		case l.Event == "power_on":
			last = cardLine{}
		case l.Name == "generate_ac_2":
			last.Final, last.ARPCVerified = l.Final, l.ARPCVerified
		case l.Name == "external_authenticate":
			last.ARPCVerified = l.ARPCVerified
		}
	}
	return last, nil
}

// fresh returns the lines of a trace that were not shown yet.
func (d *demo) fresh(parts ...string) ([][]byte, error) {
	path := d.lab.Path(append([]string{"trace"}, parts...)...)
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from := d.marks[path]
	d.marks[path] = len(b)
	var lines [][]byte
	for line := range bytes.Lines(b[from:]) {
		lines = append(lines, line)
	}
	return lines, nil
}

// wire returns the messages since the last call, with their directions.
func (d *demo) wire() (msgs []*iso8583.Message, err error) {
	lines, err := d.fresh("agent", "wire.jsonl")
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		var w struct {
			Raw string `json:"raw"`
		}
		if err := json.Unmarshal(line, &w); err != nil {
			return nil, fmt.Errorf("the recorded wire: %w", err)
		}
		raw, err := hex.DecodeString(w.Raw)
		if err != nil {
			return nil, fmt.Errorf("the recorded wire: %w", err)
		}
		m, err := iso8583.Unpack(raw)
		if err != nil {
			return nil, fmt.Errorf("the recorded wire: %w", err)
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// children are the processes that pid started.
func children(pid int) []int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil // no such list on this kernel: then none is shown
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// end is what the journal says of the attempt with the result's STAN.
func (d *demo) end(r *result) string {
	b, err := os.ReadFile(d.lab.Path("exports", "agent.jsonl"))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(b) {
		var a struct{ STAN, End string }
		if json.Unmarshal(line, &a) == nil && a.STAN == r.STAN {
			return a.End
		}
	}
	return ""
}

// reversalWas reports whether the journal holds an attempt that was reversed.
func (r *result) reversalWas(d *demo) bool {
	b, err := os.ReadFile(d.lab.Path("trace", "agent", "wire.jsonl"))
	if err != nil {
		return false
	}
	for line := range bytes.Lines(b) {
		// 0430 with response code 00 is what closes a reversal.
		var w struct{ Dir, Raw string }
		if json.Unmarshal(line, &w) != nil || w.Dir != "in" || !strings.HasPrefix(w.Raw, "0430") {
			continue
		}
		raw, err := hex.DecodeString(w.Raw)
		if err != nil {
			continue
		}
		if m, err := iso8583.Unpack(raw); err == nil && m.ResponseCode() == "00" {
			return true
		}
	}
	return false
}
