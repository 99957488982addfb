package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A disk watches the space of the database and keeps a reserve: a file of real
// blocks, given back when the disk fills, so that reversals and closings still
// fit. PostgreSQL's space is its server's: there disk only remembers for a while
// that the server had none.
type disk struct {
	path  string // of the reserve file; empty without one
	bytes int64
	free  func(dir string) (int64, error)

	full    atomic.Bool
	checked time.Time // by the writer only
}

// retryFull is how long a refusal without a reserve lasts before it is tried
// again, and checkEvery how often free space is looked at.
const (
	retryFull  = 5 * time.Second
	checkEvery = time.Second
)

// newDisk allocates the reserve. A disk too full for it starts as full.
func newDisk(cfg Config) (*disk, error) {
	d := &disk{free: freeBytes}
	if cfg.Path == "" || cfg.ReserveMiB < 0 || cfg.ReadOnly {
		return d, nil
	}
	d.path, d.bytes = cfg.Path+".reserve", int64(cfg.ReserveMiB)<<20
	if info, err := os.Stat(d.path); err == nil && info.Size() == d.bytes {
		return d, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking at the reserve: %w", err)
	}
	d.full.Store(true)
	return d, d.regain()
}

func (d *disk) isFull() bool { return d.full.Load() }

// check looks at the free space, at most once a second.
func (d *disk) check() {
	now := time.Now()
	if d.path == "" {
		if d.full.Load() && now.Sub(d.checked) > retryFull {
			d.full.Store(false)
		}
		return
	}
	if now.Sub(d.checked) < checkEvery {
		return
	}
	d.checked = now
	if d.full.Load() {
		// Failing to take the reserve back leaves the disk full, which is safe and
		// shown; it is tried again a second later.
		_ = d.regain()
		return
	}
	if free, err := d.free(filepath.Dir(d.path)); err == nil && free < d.bytes/2 {
		d.release()
	}
}

// release gives the reserve back and refuses new sales from now on. It reports
// whether that changed anything.
func (d *disk) release() bool {
	d.checked = time.Now()
	if d.full.Swap(true) {
		return false
	}
	return d.path == "" || os.Remove(d.path) == nil
}

// regain allocates the reserve when twice its size is free.
func (d *disk) regain() error {
	free, err := d.free(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	if free < 2*d.bytes {
		return nil
	}
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("making the reserve: %w", err)
	}
	if err := errors.Join(allocate(f, d.bytes), f.Sync(), f.Close(), syncDir(filepath.Dir(d.path))); err != nil {
		return errors.Join(fmt.Errorf("filling the reserve: %w", err), os.Remove(d.path))
	}
	d.full.Store(false)
	return nil
}

// allocate gives f real blocks; a file system without fallocate gets zeros.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	zeros := make([]byte, 1<<20)
	for range size >> 20 {
		if _, err := f.Write(zeros); err != nil {
			return err
		}
	}
	return nil
}

// freeBytes is what an ordinary user may still allocate in the file system of
// dir.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("asking for free space: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // the types differ by platform
}
