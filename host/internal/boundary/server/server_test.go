package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/boundary/client"
	"tallystick.example/host/internal/boundary/server"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/hsmtest"
)

// boundary is a server on real sockets with its log and clock.
type boundary struct {
	config server.Config
	log    *logrus.Logger
	logged *lockedBuffer
	clock  atomic.Int64 // nanoseconds
	parent io.Reader
	end    context.CancelFunc
	ended  chan error
}

// lockedBuffer is a log that a test reads while others write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// directory is short, for the paths of sockets.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hsm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newBoundary(t testing.TB) *boundary {
	t.Helper()
	dir := directory(t)
	b := &boundary{config: server.Defaults(), logged: new(lockedBuffer), log: logrus.New()}
	b.log.SetOutput(b.logged)
	b.clock.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).UnixNano())
	b.config.Mode = conf.Lab
	b.config.Directory = filepath.Join(dir, "hsm")
	b.config.Socket = filepath.Join(dir, "p.sock")
	b.config.AdminSocket = filepath.Join(dir, "a.sock")
	for range 2 {
		b.config.LMKComponents = append(b.config.LMKComponents, component(t, dir))
	}
	return b
}

// component writes a random component file.
func component(t testing.TB, dir string) string {
	t.Helper()
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(dir, "component")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(hex.EncodeToString(b[:]) + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func (b *boundary) start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	b.end, b.ended = cancel, ended
	go func() {
		ended <- server.Serve(ctx, server.Options{
			Config: b.config, Log: b.log, Random: rand.Reader, Version: "test", Parent: b.parent,
			Now: func() time.Time { return time.Unix(0, b.clock.Load()) }, Ready: func() { close(ready) },
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("the boundary did not start: %v", err)
	}
}

func (b *boundary) stop(t testing.TB) {
	t.Helper()
	b.end()
	if err := <-b.ended; err != nil {
		t.Error(err)
	}
}

// Connect makes a client.
func (b *boundary) Connect(t testing.TB) (api.HSM, func()) {
	t.Helper()
	c := b.client(t)
	return c, c.Close
}

func (b *boundary) client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Socket: b.config.SocketPath(), AdminSocket: b.config.AdminSocketPath(), Log: b.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Restart ends the server and starts another on the same directory.
func (b *boundary) Restart(t testing.TB) {
	b.stop(t)
	b.start(t)
}

// Advance moves the clock.
func (b *boundary) Advance(d time.Duration) { b.clock.Add(int64(d)) }

// Written is the log and the content of all files.
func (b *boundary) Written(t testing.TB) []byte {
	t.Helper()
	all := b.logged.bytes()
	err := filepath.WalkDir(b.config.Directory, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		c, err := os.ReadFile(path)
		all = append(all, c...)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("nothing was written: %v", err)
	}
	return all
}

func open(t testing.TB, o hsmtest.Options) hsmtest.Boundary {
	b := newBoundary(t)
	if o.Production {
		b.config.Mode = conf.Production
	}
	if o.WrongPINs != 0 {
		b.config.WrongPINs = o.WrongPINs
	}
	b.start(t)
	t.Cleanup(func() { b.stop(t) })
	return b
}

// TestConformance runs the whole suite through client and server.
func TestConformance(t *testing.T) { hsmtest.Run(t, open) }

// BenchmarkPayment measures Open, Verify (PIN and cryptogram) and Seal over the
// socket.
func BenchmarkPayment(b *testing.B) { hsmtest.Benchmark(b, open) }

// The client comes back by itself after the boundary was away, and says
// unavailable meanwhile.
func TestClientReconnects(t *testing.T) {
	b := newBoundary(t)
	c := b.client(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.Info(ctx); !errors.Is(err, api.ErrUnavailable) {
		t.Fatalf("without a boundary: %v", err)
	}
	b.start(t)
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignCheckpoint(ctx, "n", 1, 1, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	b.stop(t)
	if _, err := c.SignCheckpoint(ctx, "n", 1, 2, [32]byte{2}); !errors.Is(err, api.ErrUnavailable) {
		t.Fatalf("after its end: %v", err)
	}
	b.start(t)
	defer b.stop(t)
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignCheckpoint(ctx, "n", 1, 2, [32]byte{2}); err != nil {
		t.Fatal(err)
	}
}

// A user who is not on the list gets nothing, and a socket serves its own
// purpose only.
func TestPermissions(t *testing.T) {
	b := newBoundary(t)
	b.config.Users = []uint32{uint32(os.Getuid()) + 1}
	b.start(t)
	defer b.stop(t)
	c := b.client(t)
	if err := c.Release(t.Context(), 1); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("another user: %v", err)
	}
	if _, err := c.Info(t.Context()); err != nil {
		t.Errorf("the administrator: %v", err)
	}
	crossed, err := client.New(client.Options{Socket: b.config.AdminSocket, AdminSocket: b.config.Socket, Log: b.log})
	if err != nil {
		t.Fatal(err)
	}
	defer crossed.Close()
	if _, err := crossed.Info(t.Context()); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("administration over the other socket: %v", err)
	}
	without, err := client.New(client.Options{Socket: b.config.Socket, Log: b.log})
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()
	if _, err := without.Info(t.Context()); !errors.Is(err, api.ErrPolicy) {
		t.Errorf("administration without its socket: %v", err)
	}
	for path, want := range map[string]fs.FileMode{b.config.Socket: 0o666, b.config.AdminSocket: 0o600} {
		if i, err := os.Stat(path); err != nil || i.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v, %v", path, i.Mode().Perm(), want, err)
		}
	}
	if i, err := os.Stat(b.config.Directory); err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", i.Mode().Perm(), err)
	}
}

// Two boundaries never share a directory or a socket.
func TestOneBoundary(t *testing.T) {
	b := newBoundary(t)
	b.start(t)
	defer b.stop(t)
	second := server.Options{Config: b.config, Log: b.log, Random: rand.Reader, Now: time.Now}
	if err := server.Serve(t.Context(), second); err == nil {
		t.Error("a second boundary took the directory")
	}
	second.Config.Directory = filepath.Join(filepath.Dir(b.config.Directory), "other")
	if err := server.Serve(t.Context(), second); err == nil {
		t.Error("a second boundary took the socket")
	}
	if _, err := b.client(t).Info(t.Context()); err != nil {
		t.Errorf("the first boundary is disturbed: %v", err)
	}
}
