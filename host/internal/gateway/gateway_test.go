package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/dukpt"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/hsm/api"
)

// TestHighestKSNs: the counter sits where each scheme has it, sets that were
// never used are left out, and no more than fit are told.
func TestHighestKSNs(t *testing.T) {
	aes := terminals.Set{KeySet: api.KeySet{Scheme: api.SchemeAES, ID: []byte{1, 2, 3, 4, 5, 6, 7, 8}}, Highest: 0x10203}
	tdes := terminals.Set{KeySet: api.KeySet{Scheme: api.SchemeTDES, ID: []byte{0xFF, 0xFF, 1, 2, 3, 0, 0, 0xE0, 0, 0}}, Highest: 0x1F0001}
	unused := aes
	unused.Highest = -1
	got := highestKSNs([]terminals.Set{aes, unused, tdes})
	if len(got) != 2 {
		t.Fatalf("%d KSNs, want 2", len(got))
	}
	for i, c := range []struct {
		scheme  dukpt.Scheme
		id      []byte
		counter uint32
	}{{dukpt.AES, aes.ID, 0x10203}, {dukpt.TDES, tdes.ID, 0x1F0001}} {
		ksn, err := dukpt.ParseKSN(c.scheme, got[i])
		if err != nil || ksn.Counter() != c.counter || !bytes.Equal(ksn.ID(), c.id) {
			t.Errorf("KSN %X: counter %X, id %X, %v", got[i], ksn.Counter(), ksn.ID(), err)
		}
	}
	if tdes.ID[9] != 0 {
		t.Error("the registered id was changed")
	}
	if n := len(highestKSNs([]terminals.Set{aes, aes, aes, aes, aes})); n != maxHighest {
		t.Errorf("%d KSNs, want %d", n, maxHighest)
	}
}

func TestLimits(t *testing.T) {
	l, err := Limits{}.withDefaults()
	if err != nil || l.InFlight != 8 || l.Workers != 256 || l.Frame != 10*time.Second {
		t.Errorf("defaults %+v, %v", l, err)
	}
	for _, bad := range []Limits{{InFlight: -1}, {InFlight: 257}, {Workers: 1 << 15}, {Frame: -1}, {Idle: 2 * time.Hour}} {
		if l, err := bad.withDefaults(); err == nil {
			t.Errorf("%+v was accepted as %+v", bad, l)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
}

// flaky is a listener that fails a few times, as with too many open files, and
// then gives connections.
type flaky struct {
	mu    sync.Mutex
	fails int
	conns chan net.Conn
	done  chan struct{}
}

func (f *flaky) Accept() (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 {
		f.fails--
		return nil, errors.New("too many open files")
	}
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

func (f *flaky) Close() error   { close(f.done); return nil }
func (f *flaky) Addr() net.Addr { return &net.TCPAddr{} }

// TestAcceptErrorsAreNotTheEnd: after errors of Accept the next connection is
// served; a client that is no TLS client is closed at the end of its handshake.
func TestAcceptErrorsAreNotTheEnd(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	l, err := Limits{Handshake: 100 * time.Millisecond, Recheck: time.Hour}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{cfg: Config{Log: log, Limits: l}, slots: make(chan struct{}, 1), conns: map[*conn]struct{}{}}
	f := &flaky{fails: 3, conns: make(chan net.Conn, 1), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, f) }()
	client, server := net.Pipe()
	f.conns <- server
	if err := client.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, client); err != nil {
		t.Errorf("a silent client was not closed: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s := g.Stats(); s["accept"] != 3 || s["handshake"] != 1 {
		t.Errorf("counted %v", s)
	}
}
