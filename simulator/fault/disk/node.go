package disk

import (
	"context"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A node is a file or folder of the bad disk: a loop-back node whose changes go
// through Disk.do.
type node struct {
	*fs.LoopbackNode
	d *Disk
}

var (
	_ fs.NodeWrapChilder    = (*node)(nil)
	_ fs.NodeCreater        = (*node)(nil)
	_ fs.NodeOpener         = (*node)(nil)
	_ fs.NodeUnlinker       = (*node)(nil)
	_ fs.NodeRenamer        = (*node)(nil)
	_ fs.NodeMkdirer        = (*node)(nil)
	_ fs.NodeRmdirer        = (*node)(nil)
	_ fs.NodeSetattrer      = (*node)(nil)
	_ fs.NodeOpendirHandler = (*node)(nil)
	_ fs.NodeLinker         = (*node)(nil)
	_ fs.NodeSymlinker      = (*node)(nil)
	_ fs.NodeMknoder        = (*node)(nil)
	_ fs.NodeTmpfiler       = (*node)(nil)
	_ fs.NodeStatxer        = (*node)(nil)
	_ fs.NodeCopyFileRanger = (*node)(nil)
)

// WrapChild makes every child a node of the bad disk.
func (n *node) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	inner, ok := ops.(*fs.LoopbackNode)
	if !ok {
		return ops
	}
	return &node{LoopbackNode: inner, d: n.d}
}

func (n *node) path() string { return n.Path(n.Root()) }

func (n *node) child(name string) string { return filepath.Join(n.path(), name) }

// Create makes a file. O_TRUNC of an existing one arrives as Setattr before.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (in *fs.Inode, fh fs.FileHandle, ff uint32, errno syscall.Errno) {
	path := n.child(name)
	errno = n.d.do(Create, path, 0, func() syscall.Errno {
		var e syscall.Errno
		in, fh, ff, e = n.LoopbackNode.Create(ctx, name, flags, mode, out)
		return e
	}, func(m *model) { m.create(path) })
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return in, &handle{inner: fh, n: in, d: n.d}, ff, 0
}

// Open opens a file.
func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	fh, ff, errno := n.LoopbackNode.Open(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &handle{inner: fh, n: n.EmbeddedInode(), d: n.d}, ff, 0
}

// Unlink removes a name.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	path := n.child(name)
	return n.d.do(Remove, path, 0, func() syscall.Errno { return n.LoopbackNode.Unlink(ctx, name) },
		func(m *model) { m.remove(path) })
}

// Rename moves a name.
func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	from, dest := n.child(name), filepath.Join(to.EmbeddedInode().Path(n.Root()), newName)
	if flags != 0 {
		return syscall.EINVAL // exchange and no-replace are not modelled
	}
	return n.d.do(Rename, from, 0, func() syscall.Errno { return n.LoopbackNode.Rename(ctx, name, to, newName, flags) },
		func(m *model) { m.rename(from, dest) })
}

// Mkdir makes a folder.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (in *fs.Inode, errno syscall.Errno) {
	path := n.child(name)
	errno = n.d.do(Mkdir, path, 0, func() syscall.Errno {
		var e syscall.Errno
		in, e = n.LoopbackNode.Mkdir(ctx, name, mode, out)
		return e
	}, func(m *model) { m.mkdir(path) })
	return in, errno
}

// Rmdir removes a folder.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	path := n.child(name)
	return n.d.do(Remove, path, 0, func() syscall.Errno { return n.LoopbackNode.Rmdir(ctx, name) },
		func(m *model) { m.remove(path) })
}

// Link and Symlink are refused: none of the programs needs them in a data
// folder, and they are not modelled.
func (n *node) Link(context.Context, fs.InodeEmbedder, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, syscall.EPERM
}

// Mknod makes sockets and pipes, which are not content. A file is made by Create.
func (n *node) Mknod(ctx context.Context, name string, mode, rdev uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if mode&syscall.S_IFMT == syscall.S_IFREG {
		return nil, syscall.EPERM
	}
	return n.LoopbackNode.Mknod(ctx, name, mode, rdev, out)
}

// Tmpfile is refused: a file without a name does not survive anyway.
func (n *node) Tmpfile(context.Context, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.EOPNOTSUPP
}

// CopyFileRange is refused, so that the program copies with reads and writes.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.EOPNOTSUPP
}

// Statx looks at the file behind a handle, which may have no name any more.
func (n *node) Statx(ctx context.Context, f fs.FileHandle, flags, mask uint32, out *fuse.StatxOut) syscall.Errno {
	if h, ok := f.(*handle); ok {
		f = h.inner
	}
	return n.LoopbackNode.Statx(ctx, f, flags, mask, out)
}

// Symlink is refused, see Link.
func (n *node) Symlink(context.Context, string, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, syscall.EPERM
}

// Setattr changes attributes; a new size is an event.
func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	inner := f
	if h, ok := f.(*handle); ok {
		inner = h.inner
	}
	act := func() syscall.Errno { return n.LoopbackNode.Setattr(ctx, inner, in, out) }
	size, ok := in.GetSize()
	if !ok {
		return act()
	}
	path := n.path()
	return n.d.do(Truncate, path, 0, act, func(m *model) { m.truncate(path, int64(size)) })
}

// Getattr looks at the file behind a handle.
func (n *node) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if h, ok := f.(*handle); ok {
		f = h.inner
	}
	return n.LoopbackNode.Getattr(ctx, f, out)
}

// OpendirHandle opens a folder, whose sync is an event.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	fh, ff, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	inner, ok := fh.(folderHandle)
	if !ok {
		return fh, ff, 0
	}
	return &folder{folderHandle: inner, path: n.path(), d: n.d}, ff, 0
}

// folderHandle is what a loop-back folder handle can do.
type folderHandle interface {
	fs.FileReaddirenter
	fs.FileSeekdirer
	fs.FileReleasedirer
	fs.FileFsyncdirer
}

type folder struct {
	folderHandle
	path string
	d    *Disk
}

// Fsyncdir makes the names in a folder durable.
func (f *folder) Fsyncdir(context.Context, uint32) syscall.Errno {
	return f.d.do(SyncDir, f.path, 0, func() syscall.Errno { return 0 }, func(m *model) { m.syncDir(f.path) })
}

// A handle is an open file. It does not offer the kernel a descriptor to pass
// through: every write must come here.
type handle struct {
	inner fs.FileHandle
	n     *fs.Inode
	d     *Disk
}

var (
	_ fs.FileReader    = (*handle)(nil)
	_ fs.FileWriter    = (*handle)(nil)
	_ fs.FileFsyncer   = (*handle)(nil)
	_ fs.FileFlusher   = (*handle)(nil)
	_ fs.FileReleaser  = (*handle)(nil)
	_ fs.FileLseeker   = (*handle)(nil)
	_ fs.FileAllocater = (*handle)(nil)
)

func (h *handle) path() string { return h.n.Path(h.n.Root()) }

// Read reads.
func (h *handle) Read(ctx context.Context, b []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	return h.inner.(fs.FileReader).Read(ctx, b, off)
}

// Write writes; it is not durable yet.
func (h *handle) Write(ctx context.Context, b []byte, off int64) (n uint32, errno syscall.Errno) {
	path := h.path()
	errno = h.d.do(Write, path, len(b), func() syscall.Errno {
		var e syscall.Errno
		n, e = h.inner.(fs.FileWriter).Write(ctx, b, off)
		return e
	}, func(m *model) { m.write(path, off, b[:n]) })
	return n, errno
}

// Fsync makes the file durable. What is durable is the model's to say, so the
// folder behind is not synced: a sweep would wait for a real disk all the time.
func (h *handle) Fsync(context.Context, uint32) syscall.Errno {
	path := h.path()
	return h.d.do(Sync, path, 0, func() syscall.Errno { return 0 }, func(m *model) { m.sync(path) })
}

// Flush is called at each close of a descriptor.
func (h *handle) Flush(ctx context.Context) syscall.Errno {
	return h.inner.(fs.FileFlusher).Flush(ctx)
}

// Release is called at the last close.
func (h *handle) Release(ctx context.Context) syscall.Errno {
	return h.inner.(fs.FileReleaser).Release(ctx)
}

// Lseek finds data and holes.
func (h *handle) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	return h.inner.(fs.FileLseeker).Lseek(ctx, off, whence)
}

// Allocate grows a file, as a change of its size.
func (h *handle) Allocate(ctx context.Context, off, size uint64, mode uint32) syscall.Errno {
	if mode != 0 {
		return syscall.EOPNOTSUPP
	}
	path := h.path()
	return h.d.do(Truncate, path, int(size), func() syscall.Errno {
		return h.inner.(fs.FileAllocater).Allocate(ctx, off, size, mode)
	}, func(m *model) { m.grow(path, int64(off+size)) })
}
