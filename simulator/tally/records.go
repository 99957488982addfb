// Package tally proves that the halves of the tally match: the terminals'
// journals, the acquirer's ledger and the issuer's book, each read from its own
// export, and optionally the recorded wire. It knows nothing of the programs
// that wrote them.
package tally

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A code is an ISO 4217 numeric code, written as a number or as three digits.
type code int

// UnmarshalJSON accepts 840 and "840".
func (c *code) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err != nil {
		return fmt.Errorf("currency %s is no ISO 4217 numeric code", b)
	}
	*c = code(n)
	return nil
}

// maxLine bounds one line of an export.
const maxLine = 1 << 20

// An attempt is one online attempt in a terminal's journal.
type attempt struct {
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	Sale     string `json:"sale"`
	MTI      string `json:"mti"`
	STAN     string `json:"stan"`
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency code   `json:"currency"`
	End      string `json:"end"`
	RC       string `json:"rc"`
}

// A transaction is one row of the acquirer.
type transaction struct {
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	MTI      string `json:"mti"`
	STAN     string `json:"stan"`
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency code   `json:"currency"`
	State    string `json:"state"`
	RC       string `json:"rc"`
}

// An entry is one line of a book: the acquirer's ledger or the issuer's
// accounts. Minor is signed.
type entry struct {
	Posting  string `json:"posting"`
	Template string `json:"template"`
	Account  string `json:"account"`
	Minor    int64  `json:"minor"`
	Currency code   `json:"currency"`
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	RRN      string `json:"rrn"`
}

// An authorization is one row of the issuer.
type authorization struct {
	RRN      string `json:"rrn"`
	Terminal string `json:"terminal"`
	Attempt  string `json:"attempt"`
	Amount   int64  `json:"amount"`
	Currency code   `json:"currency"`
	State    string `json:"state"`
	RC       string `json:"rc"`
}

// A message is one message of the recorded wire, as the terminal sent it or the
// host answered it.
type message struct {
	Dir string `json:"dir"`
	Raw string `json:"raw"`
}

// Books are the exports to compare.
type Books struct {
	attempts       []attempt
	transactions   []transaction
	ledger         []entry
	authorizations []authorization
	accounts       []entry
	wire           []message
}

// envelope tells what a line is.
type envelope struct {
	Source string `json:"source"`
	Kind   string `json:"kind"`
}

// Add reads one export of JSON lines: of an agent, a host or an issuer, told
// apart by each line's source and kind. A line that is neither is an error with
// its number: a book that cannot be read in full proves nothing.
func (b *Books) Add(name string, r io.Reader) error {
	return lines(name, r, func(line []byte) error {
		var e envelope
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		switch e.Source + "/" + e.Kind {
		case "agent/attempt":
			return appendJSON(line, &b.attempts)
		case "host/transaction":
			return appendJSON(line, &b.transactions)
		case "host/entry":
			return appendJSON(line, &b.ledger)
		case "issuer/authorization":
			return appendJSON(line, &b.authorizations)
		case "issuer/entry":
			return appendJSON(line, &b.accounts)
		}
		return fmt.Errorf("source %q with kind %q is unknown", e.Source, e.Kind)
	})
}

// AddWire reads a recorded wire: JSON lines with dir ("out" from the terminal,
// "in" towards it) and raw, the message in hexadecimal.
func (b *Books) AddWire(name string, r io.Reader) error {
	return lines(name, r, func(line []byte) error { return appendJSON(line, &b.wire) })
}

func appendJSON[T any](line []byte, to *[]T) error {
	var v T
	if err := json.Unmarshal(line, &v); err != nil {
		return err
	}
	*to = append(*to, v)
	return nil
}

func lines(name string, r io.Reader, each func([]byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		if err := each(s.Bytes()); err != nil {
			return fmt.Errorf("%s, line %d: %w", name, n, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
