package serialline

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLineIsTransparent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tty")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for range 2 { // the host may come again
		host, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []struct {
			from io.Writer
			to   io.Reader
		}{{l, host}, {host, l}} {
			if _, err := d.from.Write(all); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(all))
			if _, err := io.ReadFull(d.to, got); err != nil || !bytes.Equal(got, all) {
				t.Fatalf("got %X, %v", got, err)
			}
		}
		host.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the link is still there: %v", err)
	}
}

// TestCloseEndsRead closes a line that a read waits on, while a host holds it.
func TestCloseEndsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tty")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	done := make(chan error)
	go func() { _, err := l.Read(make([]byte, 1)); done <- err }()
	time.Sleep(10 * time.Millisecond) // let the read begin; the test holds either way
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("the read ended without an error")
	}
}

func TestOpenReplacesOnlyLinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tty")
	if err := os.Symlink("/nowhere", path); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil {
		t.Error("a file was replaced by a link")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
}
