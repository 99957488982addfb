package client

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/wire"
)

// peer is a boundary that a test plays frame by frame.
type peer struct {
	t *testing.T
	l net.Listener
	c net.Conn
}

func newPeer(t *testing.T) (*peer, *Client) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hsm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	log := logrus.New()
	log.SetOutput(io.Discard)
	c, err := New(Options{Socket: l.Addr().String(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &peer{t: t, l: l}, c
}

// accept takes the next connection of the client.
func (p *peer) accept() {
	p.t.Helper()
	c, err := p.l.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	p.c = c
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil { // a silent client fails the test
		p.t.Fatal(err)
	}
}

// greet accepts the client and answers its hello with w.
func (p *peer) greet(w wire.Welcome) {
	p.t.Helper()
	p.accept()
	f := p.read()
	h, err := wire.Greet.Req.Decode(f.Payload)
	if err != nil || h.Magic != wire.Magic {
		p.t.Fatalf("the client greets with %x", f.Payload)
	}
	b, err := wire.Greet.Res.Append([]byte{byte(wire.OK)}, w)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(wire.Frame{Op: f.Op, Answer: true, ID: f.ID, Payload: b})
}

func (p *peer) read() wire.Frame {
	p.t.Helper()
	f, err := wire.ReadFrame(p.c)
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

func (p *peer) write(f wire.Frame) {
	p.t.Helper()
	if err := wire.WriteFrame(p.c, f); err != nil {
		p.t.Fatal(err)
	}
}

var payments = wire.Welcome{Version: wire.Version}

// An Open whose caller has left gives a handle that nobody knows: the client
// releases it when it comes.
func TestAbandonedOpenIsReleased(t *testing.T) {
	p, c := newPeer(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Open(ctx, api.OpenRequest{Message: []byte("0200")})
		done <- err
	}()
	p.greet(payments)
	f := p.read()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("an abandoned call: %v", err)
	}
	res, err := wire.Open.Res.Append([]byte{byte(wire.OK)}, api.Opened{MAC: api.MACValid, Handle: 4711})
	if err != nil {
		t.Fatal(err)
	}
	p.write(wire.Frame{Op: f.Op, Answer: true, ID: f.ID, Payload: res})
	r := p.read()
	h, err := wire.Release.Req.Decode(r.Payload)
	if err != nil || r.Op != wire.Release.Code || h != 4711 {
		t.Errorf("the client sent operation %d for handle %d, %v", r.Op, h, err)
	}
}

// Answers come in any order and find their calls.
func TestAnswersInAnyOrder(t *testing.T) {
	p, c := newPeer(t)
	type answered struct {
		err  error
		node string
	}
	results := make(chan answered, 2)
	for _, node := range []string{"a", "b"} {
		go func() {
			cp, err := c.SignCheckpoint(t.Context(), node, 1, 1, [32]byte{})
			if err == nil && cp.Node != node {
				err = errors.New("an answer of another call")
			}
			results <- answered{err, node}
		}()
	}
	p.greet(payments)
	frames := []wire.Frame{p.read(), p.read()}
	for _, f := range []wire.Frame{frames[1], frames[0]} {
		r, err := wire.SignCheckpoint.Req.Decode(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		b, err := wire.SignCheckpoint.Res.Append([]byte{byte(wire.OK)}, api.Checkpoint{Node: r.Node})
		if err != nil {
			t.Fatal(err)
		}
		p.write(wire.Frame{Op: f.Op, Answer: true, ID: f.ID, Payload: b})
	}
	for range 2 {
		if r := <-results; r.err != nil {
			t.Errorf("%s: %v", r.node, r.err)
		}
	}
}

// Whatever a peer answers outside the protocol is unavailable, never a result.
func TestPeerOutOfStep(t *testing.T) {
	for name, spoil := range map[string]func(wire.Frame) wire.Frame{
		"unknown number":      func(f wire.Frame) wire.Frame { f.ID += 5; return f },
		"another operation":   func(f wire.Frame) wire.Frame { f.Op = wire.Seal.Code; return f },
		"a request":           func(f wire.Frame) wire.Frame { f.Answer = false; return f },
		"no status":           func(f wire.Frame) wire.Frame { f.Payload = nil; return f },
		"unknown status":      func(f wire.Frame) wire.Frame { f.Payload = []byte{99}; return f },
		"more than a refusal": func(f wire.Frame) wire.Frame { f.Payload = []byte{byte(wire.Refused), 1}; return f },
		"a cut result":        func(f wire.Frame) wire.Frame { f.Payload = []byte{byte(wire.OK), 1}; return f },
	} {
		t.Run(name, func(t *testing.T) {
			p, c := newPeer(t)
			done := make(chan error, 1)
			go func() {
				_, err := c.Verify(t.Context(), api.VerifyRequest{Handle: 1})
				done <- err
			}()
			p.greet(payments)
			f := p.read()
			p.write(spoil(wire.Frame{Op: f.Op, Answer: true, ID: f.ID, Payload: []byte{byte(wire.OK)}}))
			if err := <-done; !errors.Is(err, api.ErrUnavailable) {
				t.Errorf("the call ended with %v", err)
			}
		})
	}
}

func TestGreetings(t *testing.T) {
	for name, w := range map[string]wire.Welcome{
		"another version": {Version: wire.Version + 1}, "another purpose": {Version: wire.Version, Administration: true},
	} {
		p, c := newPeer(t)
		done := make(chan error, 1)
		go func() { done <- c.Release(t.Context(), 1) }()
		p.greet(w)
		if err := <-done; !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A field that no boundary takes is refused before anything is sent.
func TestLongFields(t *testing.T) {
	_, c := newPeer(t)
	if _, err := c.Open(t.Context(), api.OpenRequest{Message: make([]byte, 1<<16)}); !errors.Is(err, api.ErrInput) {
		t.Errorf("a long message: %v", err)
	}
	c.Close()
	if err := c.Release(t.Context(), 1); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("a closed client: %v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a client without socket")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := c.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for nobody: %v", err)
	}
}
