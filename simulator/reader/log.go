package reader

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"tallystick.example/emv"
	"tallystick.example/internal/reader/ccid"
	"tallystick.example/simulator/card"
)

// A Log writes the frames of a line as JSON lines, with PIN data, PANs, tracks
// and names hidden. A nil Log writes nothing.
type Log struct {
	mu       sync.Mutex
	w        io.Writer
	now      func() time.Time
	masker   emv.Masker
	protocol byte
	failed   error
}

// NewLog writes to w with the times of now; protocol is the card's.
func NewLog(w io.Writer, now func() time.Time, protocol byte) *Log {
	return &Log{w: w, now: now, protocol: protocol}
}

// An Entry is one line of a Log.
type Entry struct {
	At     time.Time `json:"at"`
	From   string    `json:"from"`  // host or reader
	Event  string    `json:"event"` // frame, broken, nak, inserted, removed, time_request
	Type   string    `json:"type,omitempty"`
	Seq    int       `json:"seq"`
	Params string    `json:"params,omitempty"`
	Data   string    `json:"data,omitempty"`
}

// Err is the first error of writing.
func (l *Log) Err() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *Log) event(from, event string) {
	if l != nil {
		l.write(Entry{From: from, Event: event})
	}
}

func (l *Log) frame(from string, m ccid.Message) {
	if l == nil {
		return
	}
	e := Entry{From: from, Event: "frame", Type: fmt.Sprintf("%02X", byte(m.Type)), Seq: int(m.Seq), Params: fmt.Sprintf("%X", m.Params)}
	e.Data = l.data(m)
	l.write(e)
}

// data shows what may be shown of the content of a message.
func (l *Log) data(m ccid.Message) string {
	carriesCard := m.Type == ccid.XfrBlock || m.Type == ccid.DataBlock
	switch {
	case len(m.Data) == 0:
		return ""
	case !carriesCard || m.Type == ccid.DataBlock && len(m.Data) > 1 && (m.Data[0] == 0x3B || m.Data[0] == 0x3F):
		return fmt.Sprintf("%X", m.Data)
	case l.protocol == card.T1 && len(m.Data) > 3:
		return fmt.Sprintf("%X [%d bytes hidden]", m.Data[:3], len(m.Data)-3)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Type == ccid.XfrBlock {
		return l.masker.Command(m.Data)
	}
	return l.masker.Response(m.Data)
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
		l.failed = fmt.Errorf("writing the reader's log: %w", err)
	}
}
