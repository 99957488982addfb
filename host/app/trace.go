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
)

// A trace writes what a lab wants to see: every message as it was on the wire
// (wire.jsonl) and every decision with its reasons (decisions.jsonl). Messages
// hold card data under DUKPT only, but test keys protect nothing: production
// refuses a trace.
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
		"raw": hex.EncodeToString(e.Raw), "verdict": e.Verdict})
}

// decided is the engine's Decided.
func (t *trace) decided(r authorize.Record) { t.line(t.decisions, view(r)) }

func (t *trace) close() error { return errors.Join(t.wire.Close(), t.decisions.Close()) }
