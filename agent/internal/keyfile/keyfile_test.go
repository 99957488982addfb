package keyfile

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestCreateThenLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.key")
	if err := Create(path, rand.Reader); err != nil {
		t.Fatal(err)
	}
	a, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Derive("journal").Equal(b.Derive("journal")) {
		t.Error("the same file and purpose gave two keys")
	}
	if a.Derive("journal").Equal(a.Derive("registers")) {
		t.Error("two purposes gave one key")
	}
	if a.Derive("journal").Len() != Size {
		t.Error("wrong key length")
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.key")
	if err := Create(path, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, rand.Reader); !errors.Is(err, os.ErrExist) {
		t.Errorf("second Create = %v, want that the file exists", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open.key")
	if err := os.WriteFile(open, make([]byte, Size), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(open); !errors.Is(err, ErrPermissions) {
		t.Errorf("a world-readable key: %v", err)
	}
	short := filepath.Join(dir, "short.key")
	if err := os.WriteFile(short, make([]byte, Size-1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(short); err == nil {
		t.Error("a short key was loaded")
	}
	if _, err := Load(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing key: %v", err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a directory was loaded")
	}
}
