package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/boundary/client"
	"tallystick.example/host/internal/boundary/server"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/hsm/api"
)

// The variables by which a test starts its own binary anew in a role.
const (
	roleVariable      = "BOUNDARY_TEST_ROLE"
	directoryVariable = "BOUNDARY_TEST_DIRECTORY"
)

// patience bounds what a test waits for; nothing asserts it.
const patience = 30 * time.Second

// TestMain plays the boundary, or the host that spawns one.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "boundary":
		err = playBoundary(os.Stdin)
	case "boundary alone":
		err = playBoundary(nil)
	case "host":
		err = playHost()
	case "group":
		fmt.Fprint(os.Stderr, syscall.Getpgrp())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// config is that of a lab boundary with its sockets where they are by default.
func config(dir string) server.Config {
	c := server.Defaults()
	c.Mode, c.Directory, c.LMKPassphraseFile = conf.Lab, filepath.Join(dir, "hsm"), filepath.Join(dir, "passphrase")
	return c
}

func playBoundary(parent io.Reader) error {
	log := logrus.New()
	log.SetOutput(os.Stderr)
	return server.Serve(context.Background(), server.Options{
		Config: config(os.Getenv(directoryVariable)), Log: log, Random: rand.Reader, Now: time.Now, Parent: parent, Version: "test",
	})
}

// playHost spawns a boundary and waits to be killed. The boundary does not read
// its pipe: only the kernel tells it of the end.
func playHost() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Setenv(roleVariable, "boundary alone"); err != nil {
		return err
	}
	c, err := client.SpawnChild(context.Background(), exe, nil, os.Stderr)
	if err != nil {
		return err
	}
	go func() { // a test that ends leaves nothing behind
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return c.Wait()
}

// place is the directory of a boundary that runs in a process of its own.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hsm") // short, for the paths of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "passphrase"), []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// begin starts this binary in a role and answers how to kill it.
func begin(t *testing.T, role, dir string) (kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, directoryVariable+"="+dir)
	stdin, err := cmd.StdinPipe() // its end ends the process when the test dies before it
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		var killed *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &killed) {
			t.Errorf("the %s ended by itself: %v", role, err)
		}
		_ = stdin.Close() // Wait has closed it already
	})
	t.Cleanup(kill)
	return kill
}

func connect(t *testing.T, dir string) *client.Client {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	c := config(dir)
	cl, err := client.New(client.Options{Socket: c.SocketPath(), AdminSocket: c.AdminSocketPath(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// await waits until the boundary takes connections.
func await(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// A boundary that is killed and started again, as a service manager does, is
// found again by the same client; what it had promised still holds.
func TestBoundaryKilledAndStartedAgain(t *testing.T) {
	dir := place(t)
	c := connect(t, dir)
	if err := c.Release(t.Context(), 1); !errors.Is(err, api.ErrUnavailable) {
		t.Fatalf("before the first start: %v", err)
	}
	for start := range uint64(3) {
		kill := begin(t, "boundary", dir)
		await(t, c)
		if _, err := c.SignCheckpoint(t.Context(), "n", 1, start+1, [32]byte{byte(start)}); err != nil {
			t.Fatalf("start %d: %v", start, err)
		}
		if start > 0 {
			if _, err := c.SignCheckpoint(t.Context(), "n", 1, start, [32]byte{byte(start)}); !errors.Is(err, api.ErrPolicy) {
				t.Errorf("start %d: backwards: %v", start, err)
			}
		}
		kill()
		if _, err := c.SignCheckpoint(t.Context(), "n", 1, 9, [32]byte{9}); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("start %d: after the kill: %v", start, err)
		}
	}
}

// 32 goroutines share a connection, and each gets what it asked for.
func TestManyCallersGetTheirOwnAnswers(t *testing.T) {
	const callers, calls = 32, 20
	dir := place(t)
	begin(t, "boundary", dir)
	c := connect(t, dir)
	await(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	info, err := c.Info(ctx)
	for errors.Is(err, api.ErrUnavailable) && ctx.Err() == nil { // the socket for administration opens second
		time.Sleep(time.Millisecond)
		info, err = c.Info(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			node, head := fmt.Sprintf("node-%d", caller), [32]byte{byte(caller)}
			for count := range uint64(calls) {
				p, err := c.SignCheckpoint(ctx, node, 1, count+1, head)
				if err != nil {
					t.Errorf("%s: %v", node, err)
					return
				}
				if p.Node != node || p.Count != count+1 || p.Head != head || !api.VerifyCheckpoint(ed25519.PublicKey(info.CheckpointKey), p) {
					t.Errorf("%s asked for %d and got %s/%d", node, count+1, p.Node, p.Count)
					return
				}
			}
		})
	}
	wg.Wait()
}

// watch connects below the client, to see a boundary end.
func watch(t *testing.T, dir string) net.Conn {
	t.Helper()
	c := config(dir)
	nc, err := net.Dial("unix", c.SocketPath())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// gone waits for the end of the connection and until nobody listens: the kernel
// closes the sockets of a dead process in no order.
func gone(t *testing.T, nc net.Conn, dir string) {
	t.Helper()
	if _, err := nc.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
		t.Errorf("the boundary lives on: %v", err)
	}
	c := config(dir)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		left, err := net.Dial("unix", c.SocketPath())
		if err != nil {
			return
		}
		left.Close()
		if time.Now().After(end) {
			t.Fatal("somebody still listens")
		}
	}
}

// A spawned boundary ends by itself when the pipe from its parent closes.
func TestSpawnedBoundaryEndsWithThePipe(t *testing.T) {
	dir := place(t)
	t.Setenv(roleVariable, "boundary")
	t.Setenv(directoryVariable, dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	child, err := client.SpawnChild(t.Context(), exe, nil, &said)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, dir)
	await(t, c)
	nc := watch(t, dir)
	select {
	case <-child.Done():
		t.Fatalf("the child ended: %v", child.Wait())
	default:
	}
	if err := child.Stop(); err != nil {
		t.Errorf("the child ended with %v: %s", err, said.String())
	}
	gone(t, nc, dir)
	if err := c.Release(t.Context(), 1); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
}

// When the host is killed the kernel ends its boundary, even one that does not
// read its pipe: no boundary is left that nobody watches.
func TestBoundaryEndsWithAKilledHost(t *testing.T) {
	dir := place(t)
	kill := begin(t, "host", dir)
	await(t, connect(t, dir))
	nc := watch(t, dir)
	kill()
	gone(t, nc, dir)
}

// TestChildHasAGroupOfItsOwn: what a shell sends to the group of the host, as with
// Ctrl-C, does not end the boundary before the host is done with it.
func TestChildHasAGroupOfItsOwn(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(roleVariable, "group")
	var said strings.Builder
	child, err := client.SpawnChild(t.Context(), exe, nil, &said)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if group := said.String(); group == "" || group == fmt.Sprint(syscall.Getpgrp()) {
		t.Errorf("the child is in group %q, the parent in %d", group, syscall.Getpgrp())
	}
}
