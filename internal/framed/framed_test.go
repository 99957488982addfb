package framed_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"tallystick.example/internal/framed"
	"tallystick.example/iso8583"
)

var patient = framed.Deadlines{Idle: 15 * time.Minute, Frame: 10 * time.Second}

// pair gives a reader and the peer that feeds it.
func pair(t *testing.T, g iso8583.Framing, d framed.Deadlines) (*framed.Reader, net.Conn) {
	t.Helper()
	mine, peer := net.Pipe()
	t.Cleanup(func() { _, _ = mine.Close(), peer.Close() }) // the test is over; nothing is owed
	r, err := framed.NewReader(mine, g, d)
	if err != nil {
		t.Fatal(err)
	}
	return r, peer
}

// feed writes b and then a byte of more after each pause, until one is not taken.
// The function that it returns closes the peer and waits for the end of that.
func feed(peer net.Conn, b, more []byte, pause time.Duration) func() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := peer.Write(b)
		for i := 0; i < len(more) && err == nil; i++ {
			time.Sleep(pause)
			_, err = peer.Write(more[i : i+1])
		}
	}()
	return func() { _ = peer.Close(); <-done } // a pipe's Close cannot fail
}

// TestDribble: one byte a minute ends at the frame's deadline in every framing,
// wherever in the frame the dribbling begins.
func TestDribble(t *testing.T) {
	for _, name := range iso8583.LengthHeaderNames() {
		h, _ := iso8583.LengthHeaderOf(name)
		g := iso8583.Framing{Header: h}
		whole, err := g.Append(nil, iso8583.Frame{Body: bytes.Repeat([]byte{2}, 50)})
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{1, h.Size(), h.Size() + 1, len(whole) - 1} {
			synctest.Test(t, func(t *testing.T) {
				r, peer := pair(t, g, patient)
				start := time.Now()
				defer feed(peer, whole[:at], whole[at:], time.Minute)()
				_, err := r.Next(t.Context(), nil)
				if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, framed.ErrIdle) {
					t.Errorf("%s from byte %d: %v", name, at, err)
				}
				if waited := time.Since(start); waited != patient.Frame {
					t.Errorf("%s from byte %d: cut off after %v, want %v", name, at, waited, patient.Frame)
				}
			})
		}
	}
}

// TestFourGigabytes: a length over the limit is refused at once, by size and not
// by time, and without memory for it.
func TestFourGigabytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, peer := pair(t, iso8583.Framing{Header: iso8583.Binary4, MaxBody: 1 << 62}, patient)
		defer feed(peer, []byte{0xFF, 0xFF, 0xFF, 0xFF}, []byte{2, 0}, time.Minute)()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := r.Next(t.Context(), nil)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, iso8583.ErrFrame) || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%d bytes were allocated", took)
		}
	})
}

// TestSilence: between frames the idle deadline holds and nothing is lost; many
// frames in one write come one by one.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, peer := pair(t, iso8583.Framing{}, patient)
		time.AfterFunc(14*time.Minute, func() {
			feed(peer, []byte{0, 2, 2, 0, 0, 2, 2, 16, 0}, []byte{1, 8}, time.Second) // the third frame in pieces
		})
		for _, want := range [][]byte{{2, 0}, {2, 16}, {8}} {
			f, err := r.Next(t.Context(), nil)
			if err != nil || !bytes.Equal(f.Body, want) {
				t.Fatalf("%X, %v; want %X", f.Body, err, want)
			}
		}
		start := time.Now()
		_, err := r.Next(t.Context(), nil)
		if waited := time.Since(start); !errors.Is(err, framed.ErrIdle) || !errors.Is(err, os.ErrDeadlineExceeded) || waited < patient.Idle || waited > patient.Idle*17/16 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if framed.Closed(err) {
			t.Error("a silent peer counts as one that closed")
		}
	})
}

// TestEnds: a close between frames is told from one within.
func TestEnds(t *testing.T) {
	for sent, closed := range map[string]bool{"": true, "\x00\x04\x02": false} {
		synctest.Test(t, func(t *testing.T) {
			r, peer := pair(t, iso8583.Framing{}, patient)
			time.AfterFunc(time.Second, func() {
				_, err := io.WriteString(peer, sent)
				if err := errors.Join(err, peer.Close()); err != nil {
					t.Error(err)
				}
			})
			_, err := r.Next(t.Context(), nil)
			if framed.Closed(err) != closed || errors.Is(err, iso8583.ErrFrame) == closed {
				t.Errorf("closed after %q: %v", sent, err)
			}
		})
	}
}

// TestContext: a context that ends before is seen, and one that ends during a
// wait ends it through the deadline, which no later call undoes.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, peer := net.Pipe()
		defer peer.Close()
		defer mine.Close()
		r, err := framed.NewReader(mine, iso8583.Framing{}, patient)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		context.AfterFunc(ctx, func() {
			if err := mine.SetReadDeadline(time.Unix(1, 0)); err != nil {
				t.Error(err)
			}
		})
		time.AfterFunc(time.Minute, cancel)
		if _, err := r.Next(ctx, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("ended during a wait: %v", err)
		}
		if _, err := r.Next(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("ended before: %v", err)
		}
	})
}

// TestOverTCP: the same over a real socket, where a deadline is the kernel's.
func TestOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := framed.NewReader(c, iso8583.Framing{Header: iso8583.ASCII4}, framed.Deadlines{Idle: time.Hour, Frame: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(peer, "00040200003"); err != nil {
		t.Fatal(err)
	}
	if f, err := r.Next(t.Context(), make([]byte, 64)); err != nil || string(f.Body) != "0200" {
		t.Fatalf("%q, %v", f.Body, err)
	}
	if _, err := r.Next(t.Context(), nil); !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, framed.ErrIdle) {
		t.Errorf("half a header: %v", err)
	}
}

func TestNewReaderRefuses(t *testing.T) {
	c, _ := net.Pipe()
	for _, d := range []framed.Deadlines{{Idle: time.Second}, {Frame: time.Second}, {Idle: -1, Frame: 1}} {
		if _, err := framed.NewReader(c, iso8583.Framing{}, d); err == nil {
			t.Errorf("%+v was taken", d)
		}
	}
	if _, err := framed.NewReader(c, iso8583.Framing{Header: 77}, patient); err == nil {
		t.Error("a header that does not exist was taken")
	}
}
