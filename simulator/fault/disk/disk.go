// Package disk is a bad disk: a FUSE file system in front of a folder that
// numbers every durable operation, can refuse any of them, and can say what the
// disk would hold if the power went now.
//
// What it knows of a disk: a write is durable when a sync of its file has
// returned; until then any part of it may or may not be there, in any order and
// torn. A new name is durable with the sync of its file or of its folder.
package disk

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A Kind is what an operation does.
type Kind string

// The kinds of operations that are events.
const (
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "sync"
	Create   Kind = "create"
	Remove   Kind = "remove"
	Rename   Kind = "rename"
	Mkdir    Kind = "mkdir"
	SyncDir  Kind = "syncdir"
)

// An Event is one operation that is about to happen.
type Event struct {
	Number int64  `json:"event"` // from 1 since the mount
	Kind   Kind   `json:"kind"`
	Path   string `json:"path"` // below the mount point
	Bytes  int    `json:"bytes,omitempty"`
}

// A Verdict is what a hook makes of an event. The zero value lets it happen.
type Verdict struct {
	// Errno, when it is not 0, refuses the operation with that error, such as EIO
	// or ENOSPC: nothing of it happens.
	Errno syscall.Errno
	// After, when it is not nil, runs once the operation has been carried out and
	// before the program learns of it.
	After func()
}

// A Hook is called before each operation, one operation at a time. It may take
// its time, for instance to kill the program that asked, and may call PowerLoss.
type Hook func(Event) Verdict

// Options say how a disk behaves.
type Options struct {
	// Hook sees every operation; nil lets all happen.
	Hook Hook
	// Volatile picks files that mean nothing after a restart, such as the shared
	// memory of SQLite's WAL index, which the kernel writes back whenever it likes:
	// their operations are no events and no image holds them. nil picks none.
	Volatile func(path string) bool
}

// A Disk is a mounted bad disk. Its methods are safe for concurrent use.
type Disk struct {
	turn sync.Mutex // held by the operation that is under way

	mu       sync.Mutex
	hook     Hook
	model    *model
	events   int64
	volatile func(string) bool
	server   *fuse.Server
	at       string // mount point
}

// Mount shows the folder backing at mountpoint, both existing folders. What
// backing holds counts as durable. It needs /dev/fuse and the right to mount.
//
// A program that maps files of the disk into its memory must be another process
// than the one that calls Mount: the runtime would wait for a page that only it
// could bring.
func Mount(backing, mountpoint string, o Options) (*Disk, error) {
	if o.Volatile == nil {
		o.Volatile = func(string) bool { return false }
	}
	m, err := load(backing, o.Volatile)
	if err != nil {
		return nil, fmt.Errorf("bad disk: %w", err)
	}
	d := &Disk{hook: o.Hook, model: m, volatile: o.Volatile, at: mountpoint}
	root, err := fs.NewLoopbackRoot(backing)
	if err != nil {
		return nil, fmt.Errorf("bad disk: %w", err)
	}
	inner, ok := root.(*fs.LoopbackNode)
	if !ok {
		return nil, errors.New("bad disk: the root is no loop-back node")
	}
	// Attributes are not cached, so that sizes are right for every opener.
	none := time.Duration(0)
	server, err := fs.Mount(mountpoint, &node{LoopbackNode: inner, d: d}, &fs.Options{
		AttrTimeout: &none, EntryTimeout: &none,
		MountOptions: fuse.MountOptions{DirectMount: true, FsName: "bad-disk", Name: "bad-disk", DisableXAttrs: true},
	})
	if err != nil {
		return nil, fmt.Errorf("bad disk: %w", err)
	}
	d.server = server
	return d, nil
}

// Unmount ends the disk. Files that are still open lose their disk.
func (d *Disk) Unmount() error {
	if err := unix.Unmount(d.at, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("bad disk: %w", err)
	}
	d.server.Wait()
	return nil
}

// SetHook changes the hook from the next operation on.
func (d *Disk) SetHook(h Hook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = h
}

// Events is the number of operations so far.
func (d *Disk) Events() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.events
}

// do numbers an operation, asks the hook, carries the operation out and tells
// the model, one operation at a time: the order of events is the order on the
// disk. A volatile file is left alone.
func (d *Disk) do(k Kind, path string, bytes int, act func() syscall.Errno, note func(*model)) syscall.Errno {
	if d.volatile(path) {
		return act()
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	d.mu.Lock()
	d.events++
	hook, e := d.hook, Event{Number: d.events, Kind: k, Path: path, Bytes: bytes}
	d.mu.Unlock()
	var v Verdict
	if hook != nil {
		v = hook(e)
	}
	if v.Errno != 0 {
		return v.Errno
	}
	if errno := act(); errno != 0 {
		return errno
	}
	d.mu.Lock()
	note(d.model)
	d.mu.Unlock()
	if v.After != nil {
		v.After()
	}
	return 0
}

// PowerLoss writes into the folder dir, which must not exist, what the disk may
// hold after a power cut now: everything that was synced, and of what was not a
// part that choose picks. choose(n) returns a number from 0 to n-1; the same
// answers give the same image. Files are 0600 and folders 0700.
func (d *Disk) PowerLoss(dir string, choose func(n int) int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("power loss: %w", err)
	}
	return d.model.image(dir, choose)
}
