package canary

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxMemory bounds what is read of a process.
const maxMemory = 16 << 30

// A region is a part of a process's memory.
type region struct {
	from, to int64
	name     string
}

// Process scans all memory of a process that it can read itself, as a core file
// would hold it. Only root may do so with a program that has made itself not
// dumpable: the error is then that of the system.
func (s *Scanner) Process(ctx context.Context, pid int) (Report, error) {
	var r Report
	budget := int64(0)
	in := &scan{s, &r, &budget}
	err := walkMemory(ctx, pid, &r, func(g region, mem io.ReaderAt) error {
		src := source{section{mem, g}, fmt.Sprintf("process %d, %s", pid, g.name), "", g.to - g.from}
		return in.raw(ctx, src, nil)
	})
	return r, err
}

// Dump writes all readable memory of a process to w, one region after the other,
// as a core file would hold it, for [Scanner.Paths].
func Dump(ctx context.Context, pid int, w io.Writer) (int64, error) {
	var n int64
	err := walkMemory(ctx, pid, &Report{}, func(g region, mem io.ReaderAt) error {
		got, err := io.Copy(w, io.NewSectionReader(section{mem, g}, 0, g.to-g.from))
		n += got
		return err
	})
	return n, err
}

// section is a region as a ReaderAt that begins at 0. Pages that the kernel does
// not give end it.
type section struct {
	mem io.ReaderAt
	g   region
}

// ReadAt reads from the region.
func (s section) ReadAt(b []byte, offset int64) (int, error) {
	left := s.g.to - s.g.from - offset
	if left <= 0 {
		return 0, io.EOF
	}
	if int64(len(b)) > left {
		b = b[:left]
	}
	n, err := s.mem.ReadAt(b, s.g.from+offset)
	if err == nil && int64(n) == left {
		err = io.EOF
	}
	return n, err
}

// walkMemory calls each for every readable region. A region that cannot be read
// to its end is noted in r.
func walkMemory(ctx context.Context, pid int, r *Report, each func(region, io.ReaderAt) error) error {
	regions, err := readMaps(pid)
	if err != nil {
		return fmt.Errorf("canary: reading the map of process %d: %w", pid, err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return fmt.Errorf("canary: reading the memory of process %d: %w", pid, err)
	}
	defer mem.Close()
	var total int64
	for _, g := range regions {
		if total += g.to - g.from; total > maxMemory {
			return fmt.Errorf("canary: process %d has more than %d bytes of memory", pid, int64(maxMemory))
		}
		if err := each(g, mem); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.Incomplete = append(r.Incomplete, fmt.Sprintf("process %d, %s: %v", pid, g.name, err))
		}
	}
	if len(regions) == 0 {
		return errors.New("canary: the process has no memory that may be read")
	}
	return nil
}

// readMaps reads /proc/PID/maps (proc_pid_maps(5)), without the regions that the
// kernel gives to nobody.
func readMaps(pid int) ([]region, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []region
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var from, to uint64
		var perm, offset, dev, inode, name string
		n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s %s %s %s %s", &from, &to, &perm, &offset, &dev, &inode, &name)
		if n < 6 || perm[0] != 'r' || strings.HasPrefix(name, "[v") || to > 1<<63 {
			continue
		}
		if name == "" {
			name = "anonymous"
		}
		out = append(out, region{int64(from), int64(to), fmt.Sprintf("%s at %x", name, from)})
	}
	return out, lines.Err()
}
