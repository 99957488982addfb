package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/internal/secret"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	if err := secret.WriteFile(path, []byte("00ff\n")); err != nil {
		t.Fatal(err)
	}
	s, err := secret.ReadHexFile(path)
	if err != nil || string(s.Expose()) != "\x00\xff" {
		t.Fatalf("got %d bytes, %v", s.Len(), err)
	}
	if err := secret.WriteFile(path, nil); err == nil {
		t.Error("a secret was overwritten")
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("4929000000006xyz"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{link, dir, "/dev/null", path + "x"} {
		if _, err := secret.ReadFile(p); err == nil {
			t.Errorf("%s was accepted", p)
		}
	}
	if _, err := secret.ReadHexFile(bad); err == nil || strings.Contains(err.Error(), "4929") {
		t.Errorf("not hexadecimal: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.ReadFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: %v", err)
	}
}
