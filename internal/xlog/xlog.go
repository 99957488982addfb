// Package xlog sets up logging for the programs: logrus JSON with fixed keys
// (terminal, stan, rrn, mti, rc, trace), scrubbed in the formatter, the last
// step before the writer.
package xlog

import (
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"
)

// Keys that mean the same everywhere.
const (
	KeyTerminal = "terminal" // DE 41
	KeySTAN     = "stan"     // DE 11
	KeyRRN      = "rrn"      // DE 37
	KeyMTI      = "mti"
	KeyRC       = "rc" // DE 39
	KeyTrace    = "trace"
)

// New returns a logger that writes scrubbed JSON lines to w at the given level
// ("error", "warn", "info", "debug").
func New(w io.Writer, level string) (*logrus.Logger, error) {
	l, err := logrus.ParseLevel(level)
	if err != nil || l < logrus.ErrorLevel {
		return nil, fmt.Errorf("log level is %q, want error, warn, info or debug", level)
	}
	log := logrus.New()
	log.SetOutput(w)
	log.SetLevel(l)
	log.SetFormatter(scrubber{next: &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano}})
	return log, nil
}

// A scrubber masks card data in what another formatter made. It is a formatter
// and no hook, since hooks miss values that are encoded later, such as errors
// and struct fields.
type scrubber struct{ next logrus.Formatter }

// Format never returns an error: logrus would print it with the entry,
// unscrubbed.
func (s scrubber) Format(e *logrus.Entry) ([]byte, error) {
	b, err := s.next.Format(e)
	if err != nil {
		return []byte(`{"level":"error","msg":"log line dropped: it could not be encoded"}` + "\n"), nil
	}
	return Scrub(b), nil
}

// Go runs f in a goroutine that survives a panic of f: it logs the place, never
// the value, since a panic prints the bytes it happened on, and then calls died.
// The caller owns the end of the goroutine.
func Go(log logrus.FieldLogger, name string, f func(), died func()) {
	go func() {
		defer Recover(log, name, died)
		f()
	}()
}
