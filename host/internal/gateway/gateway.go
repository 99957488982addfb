package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/xlog"
	"tallystick.example/internal/xtls"
)

// A Gateway serves terminals.
type Gateway struct {
	cfg     Config
	tls     *tls.Config
	counts  counts
	workers chan struct{} // one token for each message being handled
	slots   chan struct{} // one token for each connection

	mu    sync.Mutex
	conns map[*conn]struct{}
	wg    sync.WaitGroup
}

// New checks cfg and returns a gateway.
func New(cfg Config) (*Gateway, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	g := &Gateway{cfg: cfg, workers: make(chan struct{}, cfg.Limits.Workers),
		slots: make(chan struct{}, cfg.Limits.Connections), conns: map[*conn]struct{}{}}
	g.tls, err = xtls.Server(cfg.CertPEM, cfg.KeyPEM, cfg.ClientCA, func(c *x509.Certificate) error {
		_, err := g.admit(context.Background(), c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return g, nil
}

// ErrNotAdmitted is all that a refused terminal's handshake says.
var ErrNotAdmitted = errors.New("this terminal is not admitted")

// admit finds the terminal of a certificate: registered, active, and named by
// the certificate as the register does.
func (g *Gateway) admit(ctx context.Context, c *x509.Certificate) (terminals.Terminal, error) {
	id, err := xtls.IdentityOf(c)
	if err != nil {
		g.counts.add("certificate")
		return terminals.Terminal{}, ErrNotAdmitted
	}
	t, err := g.registered(ctx, fingerprint(c))
	if err != nil {
		return terminals.Terminal{}, err
	}
	if t.ID != id.Terminal || t.Merchant != id.Merchant {
		g.counts.add("certificate")
		return terminals.Terminal{}, ErrNotAdmitted
	}
	return t, nil
}

// registered finds the active terminal of a certificate's fingerprint.
func (g *Gateway) registered(ctx context.Context, print []byte) (terminals.Terminal, error) {
	var t terminals.Terminal
	err := g.cfg.Store.Read(ctx, func(q store.Querier) error {
		var err error
		t, err = terminals.ByCertificate(q, print)
		return err
	})
	if errors.Is(err, terminals.ErrNotFound) || err == nil && t.Status != terminals.Active {
		g.counts.add("not admitted")
		return terminals.Terminal{}, ErrNotAdmitted
	}
	return t, err
}

func fingerprint(c *x509.Certificate) []byte {
	sum := sha256.Sum256(c.Raw)
	return sum[:]
}

// Pauses of the accept loop after an error, such as too many open files.
const (
	acceptFirst   = 5 * time.Millisecond
	acceptLongest = time.Second
)

// Serve accepts connections from l until ctx ends, then closes l, lets the
// messages under way finish and closes the connections. An error of accepting
// is not the end: it is counted and tried again.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // the loop below sees the result
	defer stop()
	g.wg.Add(1)
	xlog.Go(g.cfg.Log, "gateway.recheck", func() { defer g.wg.Done(); g.recheck(ctx) }, nil)
	pause := acceptFirst
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = c.Close() // nothing was promised to it
			}
			g.wg.Wait()
			return nil
		}
		if err != nil {
			g.counts.add("accept")
			g.cfg.Log.WithError(err).Warn("accepting a connection failed; trying again")
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, acceptLongest)
			continue
		}
		pause = acceptFirst
		select {
		case g.slots <- struct{}{}:
		default:
			g.counts.add("too many connections")
			_ = c.Close() // the terminal tries again
			continue
		}
		g.wg.Add(1)
		xlog.Go(g.cfg.Log, "gateway.connection", func() {
			defer func() { <-g.slots; g.wg.Done() }()
			g.connection(ctx, c)
		}, nil)
	}
}

// connection makes TLS with a new connection and serves it.
func (g *Gateway) connection(ctx context.Context, raw net.Conn) {
	defer func() { _ = raw.Close() }() // either end may have closed it before
	tc := tls.Server(raw, g.tls)
	hs, cancel := context.WithTimeout(ctx, g.cfg.Limits.Handshake)
	err := tc.HandshakeContext(hs)
	cancel()
	log := g.cfg.Log.WithField("peer", raw.RemoteAddr().String())
	if err != nil {
		g.counts.add("handshake")
		log.WithError(err).Info("a TLS handshake failed")
		return
	}
	leaf := tc.ConnectionState().PeerCertificates[0]
	id, err := xtls.IdentityOf(leaf)
	if err != nil {
		return // admitted above, so this does not happen
	}
	c := newConn(g, tc, id, fingerprint(leaf), log.WithField(xlog.KeyTerminal, id.Terminal))
	g.enter(c)
	defer g.left(c)
	c.serve(ctx)
}

func (g *Gateway) enter(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = struct{}{}
}

func (g *Gateway) left(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// live is a copy of the set of connections.
func (g *Gateway) live() []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		out = append(out, c)
	}
	return out
}

// recheck cuts the connections of terminals that are no longer admitted.
func (g *Gateway) recheck(ctx context.Context) {
	t := time.NewTicker(g.cfg.Limits.Recheck)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			g.Cut(ctx)
		}
	}
}

// Cut holds every live connection against the register and closes those whose
// terminal is blocked or whose certificate is revoked. It is called after such a
// change, so that nobody waits for the next round.
func (g *Gateway) Cut(ctx context.Context) {
	for _, c := range g.live() {
		if _, err := g.registered(ctx, c.print); errors.Is(err, ErrNotAdmitted) {
			c.log.Warn("the terminal is not admitted any more; its connection is cut")
			c.end()
		}
	}
}

// Stats are counters since the start, by reason.
func (g *Gateway) Stats() map[string]int64 {
	m := g.counts.all()
	m["connections"] = int64(len(g.live()))
	return m
}

// counts are counters by reason; reasons are constants, so that the map is
// bounded.
type counts struct {
	mu sync.Mutex
	m  map[string]int64
}

func (c *counts) add(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]int64{}
	}
	c.m[reason]++
}

func (c *counts) all() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int64, len(c.m)+1)
	for k, v := range c.m {
		out[k] = v
	}
	return out
}
