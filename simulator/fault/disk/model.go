package disk

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// A change is one operation on a file's content that is not durable yet: bytes
// at an offset, or a new size.
type change struct {
	off  int64
	data []byte
	size int64 // new size where data is nil
}

// An object is a file, or a folder where dir is set.
type object struct {
	dir     bool
	synced  []byte
	pending []change
	size    int64 // as programs see it
}

// A naming is one operation on names that is not durable yet: from is empty for
// a new name and to for one that goes away; a move has both and is one step, as
// on every journalling file system.
type naming struct {
	from, to string
	object   *object
}

// A model is what the disk knows of its content: what is durable, and what was
// done since.
type model struct {
	live    map[string]*object // names as programs see them
	durable map[string]*object // names after a power cut
	namings []naming           // in order, not durable yet
}

func load(backing string, volatile func(string) bool) (*model, error) {
	m := &model{live: map[string]*object{}, durable: map[string]*object{}}
	err := filepath.WalkDir(backing, func(path string, d iofs.DirEntry, err error) error {
		if err != nil || path == backing {
			return err
		}
		rel, err := filepath.Rel(backing, path)
		if err != nil {
			return err
		}
		if volatile(rel) {
			return nil
		}
		o := &object{dir: d.IsDir()}
		switch {
		case o.dir:
		case d.Type().IsRegular():
			if o.synced, err = os.ReadFile(path); err != nil {
				return err
			}
			o.size = int64(len(o.synced))
		default:
			return nil // sockets and links are not content
		}
		m.live[rel], m.durable[rel] = o, o
		return nil
	})
	return m, err
}

// name does a naming: at once for programs, later for the disk.
func (m *model) name(n naming) {
	n.apply(m.live)
	m.namings = append(m.namings, n)
}

func (m *model) create(path string) {
	if m.live[path] == nil {
		m.name(naming{to: path, object: &object{}})
	}
}

func (m *model) mkdir(path string) { m.name(naming{to: path, object: &object{dir: true}}) }

func (m *model) remove(path string) {
	if m.live[path] != nil {
		m.name(naming{from: path})
	}
}

func (m *model) rename(from, to string) {
	if o := m.live[from]; o != nil {
		m.name(naming{from: from, to: to, object: o})
	}
}

func (m *model) write(path string, off int64, b []byte) {
	o := m.live[path]
	if o == nil {
		return // the name is gone; nobody finds the content again
	}
	o.pending = append(o.pending, change{off: off, data: append([]byte(nil), b...)})
	o.size = max(o.size, off+int64(len(b)))
}

func (m *model) truncate(path string, size int64) {
	if o := m.live[path]; o != nil {
		o.pending = append(o.pending, change{size: size})
		o.size = size
	}
}

func (m *model) grow(path string, size int64) {
	if o := m.live[path]; o != nil && size > o.size {
		m.truncate(path, size)
	}
}

// sync makes the content of a file durable, and its name with it, as
// journalling file systems do for a new file.
func (m *model) sync(path string) {
	o := m.live[path]
	if o == nil {
		return
	}
	for _, c := range o.pending {
		o.synced = c.apply(o.synced)
	}
	o.pending = nil
	m.settle(func(n naming) bool { return n.to == path || n.object == o })
}

// syncDir makes the names in a folder durable; the root is the empty path.
func (m *model) syncDir(dir string) {
	in := func(path string) bool { return path != "" && filepath.Dir(path) == filepath.Clean(dir) }
	m.settle(func(n naming) bool { return in(n.from) || in(n.to) })
}

// settle makes the namings up to the last one that which picks durable: a
// journal is in order.
func (m *model) settle(which func(naming) bool) {
	last := -1
	for i, n := range m.namings {
		if which(n) {
			last = i
		}
	}
	for _, n := range m.namings[:last+1] {
		n.apply(m.durable)
	}
	m.namings = m.namings[last+1:]
}

func (n naming) apply(names map[string]*object) {
	if n.from != "" {
		delete(names, n.from)
	}
	if n.to == "" {
		return
	}
	names[n.to] = n.object
	if n.from == "" || !n.object.dir {
		return
	}
	for path, o := range names { // what is in a folder moves with it
		if rest, ok := strings.CutPrefix(path, n.from+"/"); ok {
			delete(names, path)
			names[n.to+"/"+rest] = o
		}
	}
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		return resize(b, c.size)
	}
	if end := c.off + int64(len(c.data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[c.off:], c.data)
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

// image writes one possible content after a power cut into dir.
func (m *model) image(dir string, choose func(int) int) error {
	names := map[string]*object{}
	for p, o := range m.durable {
		names[p] = o
	}
	for _, n := range m.namings[:choose(len(m.namings)+1)] {
		n.apply(names)
	}
	// Parents before children, and the same order for the same seed.
	paths := make([]string, 0, len(names))
	for p := range names {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		o, full := names[p], filepath.Join(dir, p)
		if o.dir {
			if err := os.MkdirAll(full, 0o700); err != nil {
				return fmt.Errorf("power loss: %w", err)
			}
			continue
		}
		if parent := filepath.Dir(p); parent != "." && names[parent] == nil {
			continue // the folder did not survive
		}
		if err := os.WriteFile(full, o.torn(choose), 0o600); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return fmt.Errorf("power loss: %s: %w", strings.TrimPrefix(p, "/"), err)
		}
	}
	return nil
}

// torn is the content of a file after a power cut: the synced part, and of each
// later change nothing, all, or a first part.
func (o *object) torn(choose func(int) int) []byte {
	b := append([]byte(nil), o.synced...)
	for _, c := range o.pending {
		switch choose(3) {
		case 0: // lost
		case 1: // arrived
			b = c.apply(b)
		case 2: // torn
			if c.data == nil {
				continue
			}
			if n := choose(len(c.data)); n > 0 {
				b = change{off: c.off, data: c.data[:n]}.apply(b)
			}
		}
	}
	return b
}
