package canary

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
)

// A value that does not fit a page of SQLite goes on in another page (SQLite
// database file format, 1.6 "Cell payload overflow pages"): a page number stands
// where the value breaks off, and the other page begins with the number of the
// next one. In a write-ahead log the pages lie in any order with headers between
// them (4.1). A secret that is cut there is in no place as a whole.
//
// The scan takes any four bytes that may be a page number for one, and looks at
// what stands before them together with how that page goes on. So it needs no
// valid tree, and finds what lies in free pages too.

const (
	sqliteMagic = "SQLite format 3\x00"
	walHeader   = 32
	frameHeader = 24
)

// A pager holds the pages of a database and of its log.
type pager struct {
	pages  map[uint32][]place // versions of each page
	size   int                // of a page
	usable int                // of it, without the reserved end
	most   uint32             // highest page number
}

// place is where a version of a page lies.
type place struct {
	src source
	at  int64
}

// joints scans the breaks between the pages of the database or log in the file at
// path. A log beside its database is scanned with the database.
func (s *scan) joints(ctx context.Context, path string) error {
	p, closeAll, err := openPager(path)
	defer closeAll()
	if err != nil || p == nil {
		return err
	}
	page := make([]byte, p.size)
	for _, versions := range p.pages {
		for _, v := range versions {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, _ := v.src.ReadAt(page, v.at) // a short last page is a part of one
			s.breaks(p, v, page[:n])
		}
	}
	return nil
}

// breaks follows every page number in a page.
func (s *scan) breaks(p *pager, v place, page []byte) {
	if len(page) < 8 {
		return
	}
	keep := s.auto.most - 1
	if next := binary.BigEndian.Uint32(page); p.pages[next] != nil {
		end := min(p.usable, len(page))
		s.joint(p, v, end, page[max(0, end-keep):end], next)
	}
	for i := minPattern - 1; i+4 <= len(page); i++ {
		if next := binary.BigEndian.Uint32(page[i:]); next != 0 && next <= p.most && p.pages[next] != nil {
			s.joint(p, v, i, page[max(0, i-keep):i], next)
		}
	}
}

// joint scans tail, which ends at offset end of page v, together with the
// beginning of a next page.
func (s *scan) joint(p *pager, v place, end int, tail []byte, next uint32) {
	head := make([]byte, s.auto.most-1)
	for _, n := range p.pages[next] {
		got, _ := n.src.ReadAt(head[:min(len(head), p.usable-4)], n.at+4)
		st := &stream{a: s.auto}
		st.hit = func(x int, offset int64) {
			if cut := int64(len(tail)); offset < cut && offset+int64(s.auto.size[x]) > cut {
				s.report.add(Finding{s.patterns[x].secret, s.patterns[x].encoding + ", over two pages", v.src.path, "",
					v.at + int64(end) - cut + offset})
			}
		}
		st.feed(tail)
		st.feed(head[:got])
	}
}

// openPager reads where the pages of the file at path are, and nil when it is
// neither a database nor a log that stands alone.
func openPager(path string) (*pager, func(), error) {
	var open []*os.File
	closeAll := func() {
		for _, f := range open {
			_ = f.Close() // only read
		}
	}
	p := &pager{pages: map[uint32][]place{}}
	names := []string{path, path + "-wal"}
	if base, isLog := strings.CutSuffix(path, "-wal"); isLog {
		if _, err := os.Stat(base); err == nil {
			return nil, closeAll, nil
		}
		names = names[:1]
	}
	for i, name := range names {
		f, err := os.Open(name)
		if err != nil {
			if i > 0 && os.IsNotExist(err) {
				continue
			}
			return nil, closeAll, err
		}
		open = append(open, f)
		st, err := f.Stat()
		if err != nil {
			return nil, closeAll, err
		}
		if err := p.add(source{f, name, "", st.Size()}); err != nil {
			return nil, closeAll, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(p.pages) == 0 {
		return nil, closeAll, nil
	}
	return p, closeAll, nil
}

// add finds the pages of one file.
func (p *pager) add(src source) error {
	head := make([]byte, 100)
	n, _ := src.ReadAt(head, 0) // shorter files are neither
	first, step, skip := int64(0), int64(0), int64(0)
	switch {
	case n >= 100 && bytes.HasPrefix(head, []byte(sqliteMagic)):
		p.size = int(binary.BigEndian.Uint16(head[16:]))
		if p.size == 1 {
			p.size = 65536
		}
		p.usable = p.size - int(head[20])
		step = int64(p.size)
	case n >= walHeader && binary.BigEndian.Uint32(head)&^1 == 0x377F0682:
		size := int(binary.BigEndian.Uint32(head[8:]))
		if p.size == 0 {
			p.size, p.usable = size, size
		}
		first, step, skip = walHeader, int64(size)+frameHeader, frameHeader
	default:
		return nil
	}
	if p.size < 512 || p.size > 65536 || p.usable < 480 {
		p.size, p.pages = 512, map[uint32][]place{} // no database: only scanned as bytes
		return nil
	}
	number := make([]byte, 4)
	for i, at := uint32(1), first; at < src.size; i, at = i+1, at+step {
		no := i
		if skip > 0 {
			if _, err := src.ReadAt(number, at); err != nil {
				return nil // the log ends within a header
			}
			no = binary.BigEndian.Uint32(number)
		}
		p.pages[no] = append(p.pages[no], place{src, at + skip})
		p.most = max(p.most, no)
	}
	return nil
}
