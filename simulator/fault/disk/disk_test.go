package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"tallystick.example/simulator/fault/disk"
)

func mount(t *testing.T, hook disk.Hook) (d *disk.Disk, at string) {
	t.Helper()
	backing, at := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(backing, "old"), []byte("durable"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := disk.Mount(backing, at, disk.Options{Hook: hook})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d, at
}

// image cuts the power with a seed and returns the folder.
func image(t *testing.T, d *disk.Disk, seed uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "image")
	if err := d.PowerLoss(dir, rand.New(rand.NewPCG(seed, 1)).IntN); err != nil {
		t.Fatal(err)
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSyncedStaysUnsyncedMay writes a synced and an unsynced part and looks at
// many images: the synced part is in all, the unsynced one in some, torn in some.
func TestSyncedStaysUnsyncedMay(t *testing.T) {
	d, at := mount(t, nil)
	f, err := os.Create(filepath.Join(at, "f"))
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("safe")
	must(t, err)
	must(t, f.Sync())
	_, err = f.WriteString("later")
	must(t, err)
	u, err := os.Create(filepath.Join(at, "unsynced"))
	must(t, errors.Join(err, u.Close()))
	var all, none, torn, named int
	for seed := range uint64(60) {
		dir := image(t, d, seed)
		b, err := os.ReadFile(filepath.Join(dir, "f"))
		must(t, err)
		switch {
		case string(b) == "safelater":
			all++
		case string(b) == "safe":
			none++
		case bytes.HasPrefix([]byte("safelater"), b) && len(b) > 4:
			torn++
		default:
			t.Fatalf("image holds %q", b)
		}
		if _, err := os.Stat(filepath.Join(dir, "unsynced")); err == nil {
			named++
		}
		old, err := os.ReadFile(filepath.Join(dir, "old"))
		if err != nil || string(old) != "durable" {
			t.Fatalf("what was there before: %q, %v", old, err)
		}
	}
	if all == 0 || none == 0 || torn == 0 || named == 0 || named == 60 {
		t.Errorf("all %d, none %d, torn %d, named %d of 60", all, none, torn, named)
	}
}

// TestRenameNeedsFolderSync replaces a file the usual way, without and with a
// sync of the folder.
func TestRenameNeedsFolderSync(t *testing.T) {
	d, at := mount(t, nil)
	must(t, os.WriteFile(filepath.Join(at, "new"), []byte("replaced"), 0o600))
	f, err := os.OpenFile(filepath.Join(at, "new"), os.O_RDWR, 0)
	must(t, err)
	must(t, errors.Join(f.Sync(), f.Close()))
	must(t, os.Rename(filepath.Join(at, "new"), filepath.Join(at, "old")))
	seen := map[string]bool{}
	for seed := range uint64(30) {
		b, err := os.ReadFile(filepath.Join(image(t, d, seed), "old"))
		if err != nil {
			seen["gone"] = true
			continue
		}
		seen[string(b)] = true
	}
	if !seen["durable"] || !seen["replaced"] {
		t.Errorf("before the sync of the folder: %v", seen)
	}
	dir, err := os.Open(at)
	must(t, err)
	must(t, errors.Join(dir.Sync(), dir.Close()))
	for seed := range uint64(30) {
		b, err := os.ReadFile(filepath.Join(image(t, d, seed), "old"))
		if err != nil || string(b) != "replaced" {
			t.Fatalf("after the sync of the folder: %q, %v", b, err)
		}
	}
}

func TestHookRefuses(t *testing.T) {
	var full atomic.Bool
	d, at := mount(t, func(e disk.Event) disk.Verdict {
		if full.Load() && e.Kind == disk.Write {
			return disk.Verdict{Errno: syscall.ENOSPC}
		}
		return disk.Verdict{}
	})
	f, err := os.Create(filepath.Join(at, "f"))
	must(t, err)
	defer f.Close()
	full.Store(true)
	if _, err := f.WriteString("x"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write on a full disk: %v", err)
	}
	full.Store(false)
	if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
	if d.Events() < 3 {
		t.Errorf("%d events", d.Events())
	}
}

// TestMoveIsOneStep moves a file to a new name: after a power cut it has one of
// the two, and what is in a folder goes with it.
func TestMoveIsOneStep(t *testing.T) {
	d, at := mount(t, nil)
	must(t, os.Rename(filepath.Join(at, "old"), filepath.Join(at, "moved")))
	must(t, os.Mkdir(filepath.Join(at, "a"), 0o700))
	must(t, os.Rename(filepath.Join(at, "moved"), filepath.Join(at, "a", "f")))
	must(t, os.Rename(filepath.Join(at, "a"), filepath.Join(at, "b")))
	seen := map[string]bool{}
	for seed := range uint64(60) {
		dir, found := image(t, d, seed), 0
		for _, name := range []string{"old", "moved", "a/f", "b/f"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && string(b) == "durable" {
				seen[name] = true
				found++
			}
		}
		if found != 1 {
			t.Fatalf("seed %d: the file is there %d times", seed, found)
		}
	}
	if len(seen) != 4 {
		t.Errorf("seen only %v", seen)
	}
}

// TestVolatileIsNoContent writes a file that means nothing after a restart.
func TestVolatileIsNoContent(t *testing.T) {
	backing, at := t.TempDir(), t.TempDir()
	d, err := disk.Mount(backing, at, disk.Options{Volatile: func(p string) bool { return p == "x-shm" }})
	must(t, err)
	defer func() { must(t, d.Unmount()) }()
	must(t, os.WriteFile(filepath.Join(at, "x-shm"), []byte("index"), 0o600))
	if n := d.Events(); n != 0 {
		t.Errorf("%d events", n)
	}
	if _, err := os.Stat(filepath.Join(image(t, d, 1), "x-shm")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in the image: %v", err)
	}
}

// TestAppendersKeepTheirOffsets has two descriptors append to one file: the
// image after a sync is what a reader sees.
func TestAppendersKeepTheirOffsets(t *testing.T) {
	d, at := mount(t, nil)
	path := filepath.Join(at, "log")
	var files [2]*os.File
	for i := range files {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		must(t, err)
		defer f.Close()
		files[i] = f
	}
	for i := range 10 {
		_, err := fmt.Fprintf(files[i%2], "%d;", i)
		must(t, err)
	}
	must(t, files[0].Sync())
	b, err := os.ReadFile(filepath.Join(image(t, d, 1), "log"))
	if err != nil || string(b) != "0;1;2;3;4;5;6;7;8;9;" {
		t.Errorf("%q, %v", b, err)
	}
}
