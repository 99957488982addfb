package terminal

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

// maxSTAN is the highest STAN (DE 11); the next one is 1.
const maxSTAN = 999999

// Config is what a terminal needs.
type Config struct {
	xtls.Identity
	Address string           // of the host, HOST:PORT
	TLS     *tls.Config      // with the terminal's certificate, see xtls.Client
	Keys    *dukpt.State     // advanced by every message
	Random  io.Reader        // safe for concurrent use; nil: crypto/rand
	Now     func() time.Time // nil: time.Now
	Answer  time.Duration    // how long an answer may take; 0: 25 s, as terminals wait
}

// A Terminal numbers and encrypts messages. All methods may be called at once
// from several goroutines.
type Terminal struct {
	cfg   Config
	epoch [8]byte // begin of its attempt ids

	mu      sync.Mutex
	keys    *dukpt.State
	stan    uint32
	attempt uint64
}

// New makes a terminal that starts with STAN 1 and a random epoch of attempt ids.
func New(cfg Config) (*Terminal, error) {
	if err := cfg.Identity.Check(); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	if cfg.Address == "" || cfg.TLS == nil || cfg.Keys == nil {
		return nil, errors.New("terminal: address, TLS and keys are required")
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Answer == 0 {
		cfg.Answer = 25 * time.Second
	}
	t := &Terminal{cfg: cfg, keys: cfg.Keys}
	if _, err := io.ReadFull(cfg.Random, t.epoch[:]); err != nil {
		return nil, fmt.Errorf("terminal: drawing the epoch: %w", err)
	}
	return t, nil
}

// ID is DE 41.
func (t *Terminal) ID() string { return t.cfg.Terminal }

// NextKeys advances the registers and gives the working keys of the next
// counter. The error is dukpt.ErrExhausted after the last one.
func (t *Terminal) NextKeys() (*dukpt.WorkingKeys, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, keys, err := t.keys.Advance()
	if err != nil {
		return nil, fmt.Errorf("terminal: advancing the registers: %w", err)
	}
	t.keys = next
	return keys, nil
}

// Header is what a message of the terminal carries, with the next STAN and the
// time of now.
func (t *Terminal) Header() iso8583.Header {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stan = t.stan%maxSTAN + 1
	return iso8583.Header{Terminal: t.cfg.Terminal, Merchant: t.cfg.Merchant, STAN: t.stan, At: t.cfg.Now()}
}

// NextAttempt is a fresh attempt id: epoch and number.
func (t *Terminal) NextAttempt() iso8583.AttemptID {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempt++
	var id iso8583.AttemptID
	copy(id[:8], t.epoch[:])
	binary.BigEndian.PutUint64(id[8:], t.attempt)
	return id
}

// Address is where the host listens.
func (t *Terminal) Address() string { return t.cfg.Address }
