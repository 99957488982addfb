package journal

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	// reserveBytes is the room that must be allocated on the disk and unused
	// before a sale may begin: enough for the records of that sale, a hundred
	// repeats of every reversal that may be owed, and bbolt's copied pages.
	reserveBytes = 512 << 10
	// growBytes is how much is allocated at a time.
	growBytes = 1 << 20
	// maxBytes bounds the file; Prune keeps a journal far below it.
	maxBytes = 256 << 20
)

// ensureRoom makes sure that reserveBytes of the file are allocated and unused.
// Allocating ahead is what lets reversals and closings be written on a full
// disk: their blocks are there already. mu is held.
func (j *Journal) ensureRoom() error {
	used, err := j.usedBytes()
	if err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err != nil {
		return errNoRoom(err)
	}
	if info.Size()-used >= reserveBytes {
		return nil
	}
	want := (used + reserveBytes + growBytes - 1) / growBytes * growBytes
	if want > maxBytes {
		return errNoRoom(fmt.Errorf("the journal would grow beyond %d MiB: settle and prune it", maxBytes>>20))
	}
	return j.allocate(info.Size(), want)
}

// usedBytes is what bbolt uses of the file: everything below its high-water mark
// that is not on its free list.
func (j *Journal) usedBytes() (used int64, err error) {
	err = j.guard(func() error {
		return j.db.View(func(tx *bolt.Tx) error {
			used = tx.Size()
			return nil
		})
	})
	if err != nil {
		return 0, err
	}
	stats := j.db.Stats()
	free := int64(stats.FreePageN+stats.PendingPageN) * int64(j.db.Info().PageSize)
	return max(used-free, 0), nil
}

// allocate extends the file to size bytes with real blocks and syncs it.
func (j *Journal) allocate(from, size int64) error {
	err := unix.Fallocate(int(j.file.Fd()), 0, from, size-from)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		err = j.fillZeros(from, size)
	}
	if err != nil {
		return errNoRoom(err)
	}
	if err := j.file.Sync(); err != nil {
		j.dead = fmt.Errorf("journal: growing: %w: %w", ErrUnknown, err)
		return j.dead
	}
	return nil
}

// fillZeros allocates blocks on file systems without fallocate. Only bytes
// beyond the end of the file are written, never those of a page.
func (j *Journal) fillZeros(from, size int64) error {
	zeros := make([]byte, 64<<10)
	for from < size {
		n, err := j.file.WriteAt(zeros[:min(int64(len(zeros)), size-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}
