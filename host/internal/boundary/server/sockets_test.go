package server_test

import (
	"crypto/rand"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"tallystick.example/host/internal/boundary/server"
	"tallystick.example/internal/hsm/soft"
)

// inside puts the sockets where they are by default: in the boundary's own
// directory, which holds nothing that others may touch.
func inside(t *testing.T) *boundary {
	t.Helper()
	b := newBoundary(t)
	b.config.Socket, b.config.AdminSocket = "", ""
	return b
}

// leaveSocket leaves what the kernel leaves of a process that was killed: a
// socket nobody listens on.
func leaveSocket(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// A boundary that was killed opens again over the sockets that it left.
func TestOpensOverDeadSockets(t *testing.T) {
	for name, mode := range map[string]os.FileMode{"own user": 0o600, "other users": 0o666} {
		t.Run(name, func(t *testing.T) {
			b := inside(t)
			b.start(t)
			before, err := b.client(t).Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.stop(t)
			leaveSocket(t, b.config.SocketPath(), mode)
			leaveSocket(t, b.config.AdminSocketPath(), mode)
			b.start(t)
			defer b.stop(t)
			after, err := b.client(t).Info(t.Context())
			if err != nil || string(after.CheckpointKey) != string(before.CheckpointKey) {
				t.Errorf("another boundary opened: %v", err)
			}
		})
	}
}

// Custodians unlock a boundary whose living sockets lie in its directory.
func TestCustodiansUnlockBesideTheSockets(t *testing.T) {
	b := inside(t)
	b.config.LMKComponents = nil
	b.config.Users = []uint32{uint32(os.Getuid()), uint32(os.Getuid()) + 1} // the socket is open to others
	b.start(t)
	defer b.stop(t)
	c := b.client(t)
	for _, p := range []byte{1, 2} {
		if _, _, err := c.Unlock(t.Context(), part(p)); err != nil {
			t.Fatalf("component %d: %v", p, err)
		}
	}
	if _, err := c.Info(t.Context()); err != nil {
		t.Errorf("unlocked: %v", err)
	}
}

// A socket is the only thing in the directory that is neither file nor folder:
// a link could lead out of it.
func TestRefusesLinksInTheDirectory(t *testing.T) {
	b := inside(t)
	b.start(t)
	b.stop(t)
	if err := os.Symlink("/dev/null", b.config.AdminSocketPath()); err != nil {
		t.Fatal(err)
	}
	o := server.Options{Config: b.config, Log: b.log, Random: rand.Reader, Now: time.Now}
	if err := server.Serve(t.Context(), o); !errors.Is(err, soft.ErrOpenToOthers) {
		t.Errorf("a boundary opened over a link: %v", err)
	}
}
