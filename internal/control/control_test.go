package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/control"
)

type echo struct {
	Text string `json:"text"`
}

func start(t *testing.T, h control.Handler) string {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	path := filepath.Join(t.TempDir(), "s")
	s, err := control.Listen(path, h, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func handler(ctx context.Context, r control.Request, emit func(any) error) (any, error) {
	switch r.Command {
	case "echo":
		var a echo
		if err := control.DecodeArgs(r, &a); err != nil {
			return nil, cli.Fail(cli.ExitUsage, "bad arguments", "", err)
		}
		return a, errors.Join(emit(echo{"one"}), emit(echo{"two"}))
	case "who":
		uid, ok := control.Peer(ctx)
		return map[string]any{"uid": uid, "known": ok}, nil
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "panic":
		panic("boom")
	}
	return nil, cli.Fail(cli.ExitFailed, "no such command", "ask for another", nil)
}

func TestCall(t *testing.T) {
	path := start(t, handler)
	var events []string
	var got echo
	err := control.Call(t.Context(), path, "echo", echo{"hello"}, func(e json.RawMessage) { events = append(events, string(e)) }, &got)
	if err != nil || got.Text != "hello" || len(events) != 2 || events[1] != `{"text":"two"}` {
		t.Fatalf("got %v, %v, events %v", got, err, events)
	}
	err = control.Call(t.Context(), path, "nope", nil, nil, nil)
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Exit != cli.ExitFailed || e.Next != "ask for another" {
		t.Errorf("a refusal came as %v", err)
	}
	if err := control.Call(t.Context(), path, "echo", map[string]int{"txt": 1}, nil, nil); err == nil {
		t.Error("an unknown argument was accepted")
	}
	if err := control.Call(t.Context(), path, "panic", nil, nil, nil); err == nil {
		t.Error("a panicking handler answered")
	}
	if err := control.Call(t.Context(), path, "echo", echo{"still"}, nil, &got); err != nil || got.Text != "still" {
		t.Errorf("after a panic: %v", err)
	}
}

func TestClientThatLeavesEndsItsRequest(t *testing.T) {
	started, left := make(chan struct{}), make(chan struct{})
	path := start(t, func(ctx context.Context, _ control.Request, _ func(any) error) (any, error) {
		close(started)
		<-ctx.Done()
		close(left)
		return nil, ctx.Err()
	})
	silent, err := net.Dial("unix", path) // a second, silent client does not disturb the first
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error, 1)
	go func() { cancelled <- control.Call(ctx, path, "wait", nil, nil, nil) }()
	<-started
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call ended with %v", err)
	}
	<-left
}

func TestSocketIsPrivateAndExclusive(t *testing.T) {
	path := start(t, handler)
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if _, err := control.Listen(path, handler, logrus.New()); err == nil {
		t.Error("a second program took the socket")
	}
	if err := control.Call(t.Context(), path+"x", "echo", nil, nil, nil); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("no program: %v", err)
	}
}

// TestPeer: a handler learns from the kernel who asks.
func TestPeer(t *testing.T) {
	var who struct {
		UID   int  `json:"uid"`
		Known bool `json:"known"`
	}
	err := control.Call(t.Context(), start(t, handler), "who", nil, nil, &who)
	if err != nil || !who.Known || who.UID != os.Getuid() {
		t.Errorf("the handler was told of %+v, %v", who, err)
	}
	if uid, ok := control.Peer(t.Context()); ok {
		t.Errorf("a context without socket names user %d", uid)
	}
}
