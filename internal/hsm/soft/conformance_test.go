package soft_test

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/hsmtest"
	"tallystick.example/internal/hsm/soft"
	"tallystick.example/internal/pure/secret"
)

// boundary runs the suite on sessions of the software HSM itself.
type boundary struct {
	options  soft.Options
	hsm      *soft.HSM
	sessions []*soft.Session
	clock    atomic.Int64 // nanoseconds
}

func open(t testing.TB, o hsmtest.Options) hsmtest.Boundary {
	b := &boundary{}
	b.clock.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).UnixNano())
	components := make([]secret.Secret, 2)
	for i := range components {
		c := make([]byte, soft.ComponentLen)
		if _, err := rand.Read(c); err != nil {
			t.Fatal(err)
		}
		components[i] = secret.Take(c)
	}
	b.options = soft.Options{
		Directory: filepath.Join(t.TempDir(), "boundary"), Lab: !o.Production, Components: components,
		Random: rand.Reader, WrongPINs: o.WrongPINs, Version: "test",
		Now: func() time.Time { return time.Unix(0, b.clock.Load()) },
	}
	b.start(t)
	t.Cleanup(func() { b.stop(t) })
	return b
}

func (b *boundary) start(t testing.TB) {
	t.Helper()
	h, err := soft.New(b.options)
	if err != nil {
		t.Fatal(err)
	}
	b.hsm = h
}

func (b *boundary) stop(t testing.TB) {
	t.Helper()
	for _, s := range b.sessions {
		s.Close()
	}
	b.sessions = nil
	if err := b.hsm.Close(); err != nil {
		t.Error(err)
	}
}

// Connect opens a session.
func (b *boundary) Connect(testing.TB) (api.HSM, func()) {
	s := b.hsm.NewSession()
	b.sessions = append(b.sessions, s)
	return s, s.Close
}

// Restart closes and opens the HSM over its directory.
func (b *boundary) Restart(t testing.TB) {
	b.stop(t)
	b.start(t)
}

// Advance moves the clock.
func (b *boundary) Advance(d time.Duration) { b.clock.Add(int64(d)) }

// Written is the content of all files.
func (b *boundary) Written(t testing.TB) []byte { return files(t, b.options.Directory) }

func files(t testing.TB, dir string) (all []byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		c, err := os.ReadFile(path)
		all = append(all, c...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("the boundary wrote nothing")
	}
	return all
}

func TestConformance(t *testing.T) { hsmtest.Run(t, opener()) }

// BenchmarkPayment measures Open, Verify (PIN and cryptogram) and Seal.
func BenchmarkPayment(b *testing.B) { hsmtest.Benchmark(b, open) }
