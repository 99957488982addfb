package server_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"tallystick.example/host/internal/boundary/client"
	"tallystick.example/host/internal/boundary/server"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/secret"
)

func part(b byte) secret.Secret { return secret.New(bytes.Repeat([]byte{b}, 32)) }

// Custodians unlock a boundary one after the other; until then it answers
// unavailable, and wrong components leave it locked.
func TestCustodiansUnlock(t *testing.T) {
	b := newBoundary(t)
	b.config.LMKComponents = nil
	b.start(t)
	c := b.client(t)
	locked := func(when string) {
		t.Helper()
		if _, err := c.Info(t.Context()); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("%s: %v", when, err)
		}
		if err := c.Release(t.Context(), 1); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("%s: %v", when, err)
		}
	}
	locked("before the first component")
	check, missing, err := c.Unlock(t.Context(), part(1))
	if err != nil || missing != 1 || len(check) != 10 {
		t.Fatalf("first component: %q, %d, %v", check, missing, err)
	}
	locked("after the first component")
	if _, _, err := c.Unlock(t.Context(), part(1)); !errors.Is(err, api.ErrInput) {
		t.Errorf("the same component again: %v", err)
	}
	if _, _, err := c.Unlock(t.Context(), secret.New([]byte("short"))); !errors.Is(err, api.ErrInput) {
		t.Errorf("a short component: %v", err)
	}
	if _, missing, err = c.Unlock(t.Context(), part(2)); err != nil || missing != 0 {
		t.Fatalf("second component: %d, %v", missing, err)
	}
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Unlock(t.Context(), part(4)); !errors.Is(err, api.ErrPolicy) {
		t.Errorf("unlocking an open boundary: %v", err)
	}
	b.Restart(t)
	defer b.stop(t)
	c = b.client(t)
	locked("after a restart")
	unlock := func(parts ...byte) (err error) {
		for _, p := range parts {
			_, _, err = c.Unlock(t.Context(), part(p))
		}
		return err
	}
	if err := unlock(1, 4); !errors.Is(err, api.ErrKey) {
		t.Errorf("wrong components: %v", err)
	}
	locked("after wrong components")
	if err := unlock(2, 1); err != nil {
		t.Fatal(err)
	}
	again, err := c.Info(t.Context())
	if err != nil || again.LMKCheck != info.LMKCheck || !bytes.Equal(again.CheckpointKey, info.CheckpointKey) {
		t.Errorf("another boundary after unlocking: %+v, %v", again, err)
	}
	if strings.Contains(string(b.logged.bytes()), strings.Repeat("01", 16)) {
		t.Error("the log shows a component")
	}
}

// A child ends when its parent's pipe does.
func TestEndOfTheParent(t *testing.T) {
	b := newBoundary(t)
	r, w := io.Pipe()
	b.parent = r
	b.start(t)
	if _, err := b.client(t).Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-b.ended; err != nil {
		t.Errorf("the boundary ended with %v", err)
	}
}

// The pipe of a real child: this test binary, started anew as one that waits
// for the end of its standard input.
func TestSpawnChild(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("BOUNDARY_TEST_CHILD", "1")
	var out lockedBuffer
	c, err := client.SpawnChild(t.Context(), exe, []string{"-test.run=TestMain"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("the child ended with %v", err)
	}
	if !strings.Contains(string(out.bytes()), "the parent is gone") {
		t.Errorf("the child said %q", out.bytes())
	}
	if _, err := client.SpawnChild(t.Context(), "/nonexistent", nil, &out); err == nil {
		t.Error("a program that does not exist was started")
	}
}

// TestMain plays the child of TestSpawnChild.
func TestMain(m *testing.M) {
	if os.Getenv("BOUNDARY_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		os.Exit(3)
	}
	os.Stdout.WriteString("the parent is gone\n")
	os.Exit(0)
}

func TestConfigLimits(t *testing.T) {
	good := func() server.Config {
		c := server.Defaults()
		c.Directory = "/var/lib/x"
		return c
	}
	if c := good(); c.Check() != nil {
		t.Fatalf("defaults: %v", c.Check())
	}
	for key, change := range map[string]func(*server.Config){
		"mode":                func(c *server.Config) { c.Mode = "prod" },
		"directory":           func(c *server.Config) { c.Directory = "" },
		"wrong_pins":          func(c *server.Config) { c.WrongPINs = 2 },
		"lmk_custodians":      func(c *server.Config) { c.LMKCustodians = 4 },
		"lmk_components":      func(c *server.Config) { c.LMKComponents = []string{"one"} },
		"lmk_passphrase_file": func(c *server.Config) { c.LMKPassphraseFile = "p" },
		"exclude": func(c *server.Config) {
			c.Mode, c.LMKPassphraseFile, c.LMKComponents = conf.Lab, "p", []string{"a", "b"}
		},
		"differ": func(c *server.Config) { c.Socket, c.AdminSocket = "s", "s" },
		"longer": func(c *server.Config) { c.Socket = strings.Repeat("s", 200) },
		"users":  func(c *server.Config) { c.Users = make([]uint32, 17) },
		"admins": func(c *server.Config) { c.Admins = make([]uint32, 17) },
	} {
		c := good()
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	c := server.Defaults()
	if err := conf.Parse([]byte(server.Sample), &c); err != nil || c.Check() != nil {
		t.Errorf("the sample is refused: %v, %v", err, c.Check())
	}
}
