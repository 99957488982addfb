package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// Limits bound what terminals can cost. The zero value takes the defaults.
type Limits struct {
	Connections int           // at once; default 4,096
	InFlight    int           // messages of one connection being handled; default 8
	Workers     int           // messages of all connections being handled; default 256
	BadMessages int           // bad messages in a row that end a connection; default 8
	Handshake   time.Duration // for TLS; default 10 s
	Frame       time.Duration // from its first byte to its last; default 10 s
	Idle        time.Duration // between frames; default 15 min
	Write       time.Duration // for one answer to leave; default 10 s
	Recheck     time.Duration // how often live connections are held against the register; default 500 ms
}

func (l Limits) withDefaults() (Limits, error) {
	for _, f := range []struct {
		name          string
		v             *int
		fallback, max int
	}{{"Connections", &l.Connections, 4096, 1 << 16}, {"InFlight", &l.InFlight, 8, 256},
		{"Workers", &l.Workers, 256, 1 << 14}, {"BadMessages", &l.BadMessages, 8, 1 << 10}} {
		if *f.v == 0 {
			*f.v = f.fallback
		}
		if *f.v < 1 || *f.v > f.max {
			return l, fmt.Errorf("gateway: %s is %d, want 1 to %d", f.name, *f.v, f.max)
		}
	}
	for _, f := range []struct {
		name     string
		v        *time.Duration
		fallback time.Duration
	}{{"Handshake", &l.Handshake, 10 * time.Second}, {"Frame", &l.Frame, 10 * time.Second},
		{"Idle", &l.Idle, 15 * time.Minute}, {"Write", &l.Write, 10 * time.Second}, {"Recheck", &l.Recheck, 500 * time.Millisecond}} {
		if *f.v == 0 {
			*f.v = f.fallback
		}
		if *f.v < 0 || *f.v > time.Hour {
			return l, fmt.Errorf("gateway: %s is %v, want up to 1 h", f.name, *f.v)
		}
	}
	return l, nil
}

// Engine decides what messages become; authorize.Engine is one.
type Engine interface {
	// Reply makes a call and returns its answer. An error means that nothing may
	// be answered.
	Reply(ctx context.Context, begin func(call uint64) authorize.Input) (authorize.Reply, error)
}

// A WireEvent is a message as it was on the wire, for the traces of the lab.
type WireEvent struct {
	At       int64  // microseconds UTC
	Terminal string // of the certificate
	Peer     string // remote address
	In       bool   // from the terminal
	Raw      []byte // without length header and TPDU; valid during the call
	Verdict  string // what was made of it
}

// Config is what a gateway is made of. Every field without "optional" is
// required.
type Config struct {
	// CertPEM and KeyPEM are the server's, ClientCA the authority of terminals.
	CertPEM, KeyPEM, ClientCA []byte
	Store                     *store.Store
	Boundary                  api.Boundary
	Engine                    Engine
	// Checkpoint gives the newest audit checkpoint; audit.Log.Newest fits.
	Checkpoint func() (api.Checkpoint, bool)
	Now        func() time.Time
	Log        logrus.FieldLogger
	Limits     Limits
	// Wire, optional, is told of every message. It must be quick.
	Wire func(WireEvent)
}

func (c Config) check() (Config, error) {
	if c.Store == nil || c.Boundary == nil || c.Engine == nil || c.Checkpoint == nil || c.Now == nil || c.Log == nil {
		return c, errors.New("gateway: the configuration is not complete")
	}
	if c.Wire == nil {
		c.Wire = func(WireEvent) {}
	}
	var err error
	c.Limits, err = c.Limits.withDefaults()
	return c, err
}
