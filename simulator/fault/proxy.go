package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Limits of a proxy.
const (
	chunk    = 4096
	maxLinks = 1024
)

// dialWithin bounds the connection to the real server.
const dialWithin = 5 * time.Second

// A Proxy stands between the clients of a stream and its server. Its methods
// are safe for concurrent use.
type Proxy struct {
	s       *state
	l       net.Listener
	network string // of both sides
	target  string
	links   sync.WaitGroup
}

// NewProxy listens on listen, a loopback TCP address, and forwards each
// connection to target. hook may be nil.
func NewProxy(listen, target string, hook Hook) (*Proxy, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("fault proxy: %s is no loopback address", listen)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	return &Proxy{s: newState(hook), l: l, network: "tcp", target: target}, nil
}

// NewUnixProxy is NewProxy between Unix sockets. The socket at listen is made
// with mode 0600 and removed when Serve ends; the server sees the proxy's user.
func NewUnixProxy(listen, target string, hook Hook) (*Proxy, error) {
	l, err := net.Listen("unix", listen)
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	if err := os.Chmod(listen, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("fault proxy: %w", err), l.Close())
	}
	return &Proxy{s: newState(hook), l: l, network: "unix", target: target}, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Set changes what happens to one direction, at once and for all connections.
func (p *Proxy) Set(d Direction, pol Policy) error { return p.s.set(d, pol) }

// Status tells what the proxy has seen.
func (p *Proxy) Status() Status { return p.s.status() }

// Serve forwards until ctx ends, then closes all connections and waits for
// them.
func (p *Proxy) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.l.Close() })
	defer stop()
	defer p.links.Wait()
	for {
		c, err := p.l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("fault proxy: %w", err)
		}
		if p.s.status().Links >= maxLinks {
			c.Close()
			continue
		}
		p.s.link(1)
		p.links.Add(1)
		go func() {
			defer p.links.Done()
			defer p.s.link(-1)
			p.forward(ctx, c)
		}()
	}
}

func (p *Proxy) forward(ctx context.Context, client net.Conn) {
	defer client.Close()
	d := net.Dialer{Timeout: dialWithin}
	server, err := d.DialContext(ctx, p.network, p.target)
	if err != nil {
		return // the client sees its connection end, as with a dead server
	}
	defer server.Close()
	Join(ctx, p.s, client, server)
}

// Join carries bytes between two streams under the policies of s until either
// ends or ctx does, and closes both.
func Join(ctx context.Context, s *state, client, server io.ReadWriteCloser) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { defer cancel(); pump(ctx, s, Up, client, server) })
	both.Go(func() { defer cancel(); pump(ctx, s, Down, server, client) })
	both.Wait()
}

// errCut ends a connection by policy.
var errCut = errors.New("cut")

func pump(ctx context.Context, s *state, d Direction, from io.Reader, to io.Writer) {
	buf := make([]byte, chunk)
	for {
		if !wait(ctx, s, d) {
			return
		}
		n, err := from.Read(buf)
		if n > 0 {
			if pass(ctx, s, d, to, buf[:n]) != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait holds a direction that is stalled; it reports false when the connection
// is to end.
func wait(ctx context.Context, s *state, d Direction) bool {
	for {
		p, changed := s.now(d)
		if p.Mode != Stall || p.After > 0 {
			return !(p.Mode == Cut && p.After == 0)
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

func pass(ctx context.Context, s *state, d Direction, to io.Writer, b []byte) error {
	for {
		n, p, after := s.arrived(d, len(b))
		if p.Delay > 0 {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(p.Delay):
			}
		}
		if _, err := to.Write(b[:n]); err != nil {
			return err
		}
		if after != nil {
			after()
		}
		b = b[n:]
		switch {
		case len(b) == 0 || p.Mode == Drop:
			return nil
		case p.Mode == Cut:
			return errCut
		case !wait(ctx, s, d): // stalled with bytes in hand: they go on later
			return errCut
		}
	}
}
