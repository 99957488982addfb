package card

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"tallystick.example/emv"
	"tallystick.example/emv/transport"
)

// A Log writes what passes between terminal and card as JSON lines, with PIN
// data, PANs, tracks and names hidden where they pass. A nil Log writes
// nothing. It may be used by several goroutines.
type Log struct {
	mu     sync.Mutex
	w      io.Writer
	now    func() time.Time
	masker emv.Masker
	failed error
}

// NewLog writes to w with the times of now.
func NewLog(w io.Writer, now func() time.Time) *Log { return &Log{w: w, now: now} }

// An Entry is one line of a Log.
type Entry struct {
	At       time.Time `json:"at"`
	Card     string    `json:"card"`
	Event    string    `json:"event"` // apdu, power_on, power_off
	Name     string    `json:"name,omitempty"`
	Command  string    `json:"command,omitempty"`
	Response string    `json:"response,omitempty"`
	SW       string    `json:"sw,omitempty"`
	Mute     bool      `json:"mute,omitempty"`
	Reason   string    `json:"reason,omitempty"` // why the card was mute
	ATC      int       `json:"atc,omitempty"`
	// Cryptogram is what a GENERATE AC answered; CryptogramFinal is there when
	// the card's decision is final.
	Cryptogram      string `json:"cryptogram,omitempty"`
	CryptogramFinal string `json:"cryptogram_final,omitempty"`
	// ARPCVerified tells whether the issuer's answer was right, once it was
	// checked.
	ARPCVerified *bool `json:"arpc_verified,omitempty"`
}

// Err is the first error of writing, after which nothing more is written.
func (l *Log) Err() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *Log) power(card string, on bool) {
	if l == nil {
		return
	}
	event := "power_off"
	if on {
		event = "power_on"
	}
	l.write(Entry{Card: card, Event: event})
}

// exchange logs a command of c and its answer.
func (l *Log) exchange(c *Card, name string, command transport.Command, r transport.Response, err error) {
	if l == nil {
		return
	}
	e := Entry{Card: c.profile.Name, Event: "apdu", Name: name}
	l.mu.Lock()
	e.Command = l.masker.Command(command.Bytes())
	if err == nil {
		e.Response, e.SW = l.masker.Response(r.Bytes()), fmt.Sprintf("%04X", r.SW)
	}
	l.mu.Unlock()
	if err != nil {
		e.Mute, e.Reason = true, err.Error()
	}
	if c.selected != nil {
		e.ATC = int(c.selected.state.ATC)
	}
	c.tx.describe(&e, name, r)
	l.write(e)
}

// describe adds what the card decided.
func (tx *transaction) describe(e *Entry, name string, r transport.Response) {
	if r.SW == swOK {
		switch name {
		case cmdGenerateAC1:
			e.Cryptogram = typeName(tx.first)
			if tx.first != typeARQC {
				e.CryptogramFinal = e.Cryptogram
			}
		case cmdGenerateAC2:
			e.Cryptogram = typeName(*tx.second)
			e.CryptogramFinal = e.Cryptogram
		}
	}
	if (name == cmdGenerateAC2 || name == cmdExternalAuth) && tx.issuerAuth != authNone {
		right := tx.issuerAuth == authRight
		e.ARPCVerified = &right
	}
}

func typeName(kind byte) string {
	switch kind {
	case typeTC:
		return "TC"
	case typeARQC:
		return "ARQC"
	default:
		return "AAC"
	}
}

func (l *Log) write(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.At = l.now().UTC()
	b, err := json.Marshal(e)
	if err == nil && l.failed == nil {
		_, err = l.w.Write(append(b, '\n'))
	}
	if err != nil && l.failed == nil {
		l.failed = fmt.Errorf("writing the card's log: %w", err)
	}
}
