// Package trace writes the lab's traces as JSON lines: what passes between
// terminal and card, between terminal and host, and what the EMV kernel decides.
//
// Masks are applied here, where the data pass, not afterwards (rule 10): PIN
// data, PANs, tracks and names are hidden in APDUs, and PIN blocks and card data
// are zeros in messages even though they are enciphered, since neither may reach
// a disk. A lab that wants others to recompute a message opens the trace with raw
// set, and then messages are written as they are sent; params allows it with test
// keys only.
package trace

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/iso8583"
)

// A Trace writes the three files. A nil *Trace writes nothing. Its methods may
// be called by many goroutines.
type Trace struct {
	now                func() time.Time
	raw                bool // messages as they are
	apdu, wire, kernel *lines
}

// Open opens the files in dir for appending, with mode 0600, and makes dir.
func Open(dir string, raw bool, now func() time.Time, log logrus.FieldLogger) (*Trace, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of traces: %w", err)
	}
	t := &Trace{now: now, raw: raw}
	for name, at := range map[string]**lines{"apdu": &t.apdu, "wire": &t.wire, "kernel": &t.kernel} {
		f, err := openLines(filepath.Join(dir, name+".jsonl"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening a trace: %w", err), t.Close())
		}
		*at = &lines{file: f, log: log}
	}
	return t, nil
}

// longestLine is more than any line of a trace has.
const longestLine = 64 << 10

// openLines opens a file of lines for appending. What a killed agent left of a last
// line is cut off, so that the next one does not join it.
func openLines(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := cutTorn(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func cutTorn(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	tail := make([]byte, min(st.Size(), longestLine))
	if _, err := f.ReadAt(tail, st.Size()-int64(len(tail))); err != nil {
		return err
	}
	if torn := len(tail) - bytes.LastIndexByte(tail, '\n') - 1; torn > 0 {
		return f.Truncate(st.Size() - int64(torn))
	}
	return nil
}

// Close closes the files.
func (t *Trace) Close() error {
	if t == nil {
		return nil
	}
	var errs []error
	for _, l := range []*lines{t.apdu, t.wire, t.kernel} {
		if l != nil {
			errs = append(errs, l.file.Close())
		}
	}
	return errors.Join(errs...)
}

// lines is one file.
type lines struct {
	mu     sync.Mutex
	file   *os.File
	log    logrus.FieldLogger
	failed bool
}

// write appends one line. A trace that cannot be written is said once in the
// log and stops no payment.
func (l *lines) write(v any) {
	b, err := json.Marshal(v)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		_, err = l.file.Write(append(b, '\n'))
	}
	if err != nil && !l.failed {
		l.failed = true
		l.log.WithError(err).Warn("a trace cannot be written")
	}
}

// Card returns a tap for one card session: it masks and writes each command and
// its answer.
func (t *Trace) Card() func(command, answer []byte) {
	if t == nil {
		return nil
	}
	var m emv.Masker
	return func(command, answer []byte) {
		// The answer first: a PAN in it is hidden in later commands.
		response := m.Response(answer)
		t.apdu.write(struct {
			At       int64  `json:"at"`
			Command  string `json:"command"`
			Response string `json:"response"`
		}{t.now().UnixMicro(), m.Command(command), response})
	}
}

// Wire writes a message that leaves (sent) or comes.
func (t *Trace) Wire(sent bool, body []byte) {
	if t == nil {
		return
	}
	dir := "in"
	if sent {
		dir = "out"
	}
	text := strings.ToUpper(hex.EncodeToString(body))
	if !t.raw {
		text = mask(body)
	}
	t.wire.write(struct {
		Source string `json:"source"`
		Kind   string `json:"kind"`
		Dir    string `json:"dir"`
		At     int64  `json:"at"`
		Raw    string `json:"raw"`
	}{"wire", "message", dir, t.now().UnixMicro(), text})
}

// mask is a message in hexadecimal, with zeros in place of PIN block and card
// data. What cannot be read is shown by its length only.
func mask(body []byte) string {
	m, err := iso8583.Unpack(body)
	if err != nil {
		return ""
	}
	b, err := iso8583.PackMasked(m)
	if err != nil {
		return ""
	}
	return strings.ToUpper(hex.EncodeToString(b))
}

// Step writes what the EMV kernel decided.
func (t *Trace) Step(s kernel.Step) {
	if t == nil {
		return
	}
	t.kernel.write(struct {
		At       int64  `json:"at"`
		Step     string `json:"step"`
		Clause   string `json:"clause"`
		Decision string `json:"decision"`
		Reason   string `json:"reason,omitempty"`
	}{t.now().UnixMicro(), s.Name, s.Clause, s.Decision, s.Reason})
}
