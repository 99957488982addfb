package device

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
)

// pair opens a pseudo-terminal: the device's end and a Port on the other.
func pair(t *testing.T) (peer *os.File, p *Port, line Line) {
	t.Helper()
	peer, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	line = Line{Path: tty.Name(), Baud: 115200, TwoStops: true, LockDir: t.TempDir()}
	p, err = OpenPort(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(); _ = peer.Close() })
	return peer, p, line
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryByteValuePasses(t *testing.T) {
	peer, p, _ := pair(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	ok(t, p.Write(t.Context(), all))
	got := make([]byte, 256)
	for n := 0; n < 256; {
		k, err := peer.Read(got[n:])
		ok(t, err)
		n += k
	}
	if !bytes.Equal(got, all) {
		t.Errorf("the device got %x", got)
	}
	_, err := peer.Write(all)
	ok(t, err)
	var back []byte
	buf := make([]byte, 64)
	for len(back) < 256 {
		n, err := p.Read(t.Context(), buf)
		ok(t, err)
		back = append(back, buf[:n]...)
	}
	if !bytes.Equal(back, all) {
		t.Errorf("read %x", back)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	_, p, _ := pair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if n, err := p.Read(ctx, make([]byte, 1)); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d, %v", n, err)
	}
}

func TestUnplugEndsARead(t *testing.T) {
	peer, p, _ := pair(t)
	ok(t, peer.Close())
	if _, err := p.Read(t.Context(), make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := p.Write(t.Context(), []byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

func TestCloseEndsARead(t *testing.T) {
	_, p, _ := pair(t)
	done := make(chan error, 1)
	go func() { _, err := p.Read(t.Context(), make([]byte, 1)); done <- err }()
	ok(t, p.Close())
	ok(t, p.Close())
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("a read ended with %v", err)
	}
}

// TestWriteAfterCloseReachesNoOtherFile is the trap of the library: after Close
// the next file opened gets the descriptor, and a late Write would go there.
func TestWriteAfterCloseReachesNoOtherFile(t *testing.T) {
	_, p, _ := pair(t)
	ok(t, p.Close())
	<-p.released
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"a", "b", "c", "d"} {
		f, err := os.Create(filepath.Join(dir, name))
		ok(t, err)
		defer f.Close()
		files = append(files, f.Name())
	}
	if err := p.Write(t.Context(), []byte("READER-FRAME")); !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if err := p.writeAll([]byte("READER-FRAME")); !errors.Is(err, ErrClosed) {
		t.Errorf("a write already on its way: %v", err)
	}
	for _, name := range files {
		if b, err := os.ReadFile(name); err != nil || len(b) > 0 {
			t.Errorf("%s got %q, %v", name, b, err)
		}
	}
}

func TestPeerThatTakesNothing(t *testing.T) {
	_, p, _ := pair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.Write(ctx, make([]byte, 1<<20)); !errors.Is(err, ErrWriteTimeout) {
		t.Fatalf("a write that nobody takes: %v", err)
	}
	if err := p.Write(t.Context(), []byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("the line lives on in an unknown state: %v", err)
	}
	if _, err := p.Read(t.Context(), make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("a read beside the write that is stuck: %v", err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	_, _, line := pair(t)
	if _, err := OpenPort(line); !errors.Is(err, ErrLineLocked) {
		t.Errorf("opened twice: %v", err)
	}
	line.Path = filepath.Join(t.TempDir(), "none")
	if _, err := OpenPort(line); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a device that is not there: %v", err)
	}
}

func TestReopenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Reopener
		var waits []time.Duration
		for range 7 {
			before := time.Now()
			ok(t, r.Wait(t.Context()))
			waits = append(waits, time.Since(before))
		}
		want := []time.Duration{250, 500, 1000, 2000, 4000, 5000, 5000}
		for i := range want {
			if waits[i] != want[i]*time.Millisecond {
				t.Fatalf("waits %v", waits)
			}
		}
		r.Opened()
		before := time.Now()
		ok(t, r.Wait(t.Context()))
		if time.Since(before) != 250*time.Millisecond {
			t.Error("after a success the wait starts anew")
		}
	})
}
