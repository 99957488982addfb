package fault_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"tallystick.example/simulator/fault"
)

// echoServer answers every byte with itself.
func echoServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func proxy(t *testing.T, hook fault.Hook) (*fault.Proxy, net.Conn) {
	t.Helper()
	p, err := fault.NewProxy("127.0.0.1:0", echoServer(t), hook)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return p, c
}

func say(t *testing.T, c io.ReadWriter, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPassAndCount(t *testing.T) {
	var events atomic.Int64
	p, c := proxy(t, func(fault.Event) fault.Verdict { events.Add(1); return fault.Verdict{} })
	if got := say(t, c, "hello"); got != "hello" {
		t.Fatalf("got %q", got)
	}
	s := p.Status()
	if s.Bytes[fault.Up] != 5 || s.Bytes[fault.Down] != 5 || s.Events != events.Load() || s.Events < 2 || s.Links != 1 {
		t.Errorf("status %+v after %d events", s, events.Load())
	}
}

func TestCutAfter(t *testing.T) {
	p, c := proxy(t, nil)
	if err := p.Set(fault.Down, fault.Policy{Mode: fault.Cut, After: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if string(b) != "hel" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

// TestStallGoesOn holds an answer after two bytes and then lets the rest through.
func TestStallGoesOn(t *testing.T) {
	p, c := proxy(t, nil)
	if err := p.Set(fault.Down, fault.Policy{Mode: fault.Stall, After: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		t.Fatal(err)
	}
	if err := p.Set(fault.Down, fault.Policy{Mode: fault.Pass}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, b[2:]); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
}

// TestDropLosesOnlyWhatItShould drops an answer; the next one arrives.
func TestDropLosesOnlyWhatItShould(t *testing.T) {
	var down atomic.Int64
	seen := make(chan struct{}, 8)
	p, c := proxy(t, func(e fault.Event) fault.Verdict {
		if e.Direction == fault.Down && down.Add(int64(e.Bytes)) == 4 {
			seen <- struct{}{}
		}
		return fault.Verdict{}
	})
	if err := p.Set(fault.Down, fault.Policy{Mode: fault.Drop}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "lost"); err != nil {
		t.Fatal(err)
	}
	<-seen
	if err := p.Set(fault.Down, fault.Policy{Mode: fault.Pass}); err != nil {
		t.Fatal(err)
	}
	if got := say(t, c, "kept"); got != "kept" {
		t.Errorf("got %q", got)
	}
}

// TestHookDropsAndFollows drops one chunk before it is forwarded and acts after
// another has been.
func TestHookDropsAndFollows(t *testing.T) {
	dir := t.TempDir()
	server, err := net.Listen("unix", filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	got := make(chan string, 4)
	go func() {
		c, err := server.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 16)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			got <- string(b[:n])
		}
	}()
	after := make(chan int64, 4)
	p, err := fault.NewUnixProxy(filepath.Join(dir, "proxy"), filepath.Join(dir, "server"), func(e fault.Event) fault.Verdict {
		return fault.Verdict{Drop: e.Number == 1, After: func() { after <- e.Number }}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	c, err := net.Dial("unix", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, text := range []string{"one", "two"} {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		for p.Status().Events < int64(i+1) {
			time.Sleep(time.Millisecond)
		}
	}
	if text, n := <-got, <-after; text != "two" || n != 2 {
		t.Errorf("the server got %q, the hook followed event %d", text, n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRefuses(t *testing.T) {
	if _, err := fault.NewProxy("0.0.0.0:0", "127.0.0.1:1", nil); err == nil {
		t.Error("a public address was accepted")
	}
	p, _ := proxy(t, nil)
	if p.Set(fault.Down, fault.Policy{Mode: "brake"}) == nil || p.Set("sideways", fault.Policy{Mode: fault.Pass}) == nil {
		t.Error("nonsense was accepted")
	}
}

func TestSerialLine(t *testing.T) {
	device, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	defer tty.Close()
	if _, err := term.MakeRaw(int(tty.Fd())); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "line")
	l, err := fault.NewSerial(link, tty.Name(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx) }()
	client, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	go func() { _, _ = io.Copy(device, device) }() // the device echoes
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if got := say(t, client, string(all)); got != string(all) {
		t.Errorf("bytes changed on the line: %x", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(link); err == nil {
		t.Error("the link stayed behind")
	}
}
