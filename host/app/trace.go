package app

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/gateway"
	"tallystick.example/iso8583"
)

// A trace writes what a lab wants to see: every message (wire.jsonl) and every
// decision with its reasons (decisions.jsonl). Production refuses a trace.
type trace struct {
	mu              sync.Mutex
	wire, decisions *os.File
	log             logrus.FieldLogger
}

func newTrace(dir string, log logrus.FieldLogger) (*trace, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the trace directory: %w", err)
	}
	t := &trace{log: log}
	var err error
	if t.wire, err = appendTo(filepath.Join(dir, "wire.jsonl")); err != nil {
		return nil, err
	}
	if t.decisions, err = appendTo(filepath.Join(dir, "decisions.jsonl")); err != nil {
		return nil, errors.Join(err, t.wire.Close())
	}
	return t, nil
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// line writes one JSON line; a trace that cannot be written is logged and never
// stops a payment.
func (t *trace) line(f *os.File, v any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := bufio.NewWriter(f)
	err := json.NewEncoder(w).Encode(v)
	if err := errors.Join(err, w.Flush()); err != nil {
		t.log.WithError(err).Warn("the trace cannot be written")
	}
}

// wired is the gateway's Wire.
func (t *trace) wired(e gateway.WireEvent) {
	dir := "out"
	if e.In {
		dir = "in"
	}
	t.line(t.wire, map[string]any{"at": e.At, "terminal": e.Terminal, "peer": e.Peer, "direction": dir,
		"bytes": len(e.Raw), "raw": masked(e), "verdict": e.Verdict})
}

// masked is a message in hexadecimal with zeros in place of PIN block and card
// data, which no disk may hold although they are enciphered (rule 10 of the tally).
// A message that cannot be read or breaks a rule of the interface is not shown: it
// may hold card data in clear, anywhere.
func masked(e gateway.WireEvent) string {
	m, err := iso8583.Unpack(e.Raw)
	if err != nil || e.In && iso8583.Validate(m, iso8583.ToHost) != nil {
		return ""
	}
	b, err := iso8583.PackMasked(m)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(b)
}

// decided is the engine's Decided.
func (t *trace) decided(r authorize.Record) { t.line(t.decisions, view(r)) }

func (t *trace) close() error { return errors.Join(t.wire.Close(), t.decisions.Close()) }
