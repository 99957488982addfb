package canary

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	maxDepth  = 3         // a stream in a stream in a stream
	maxStream = 32 << 20  // bytes out of one stream
	maxBudget = 512 << 20 // bytes out of all streams of one file
	maxStarts = 1 << 20   // headers looked at in one source; most are none
	overlap   = 3         // a header has four bytes
)

// A kind of stream, by the bytes that it begins with.
type streamKind struct {
	name  string
	magic []byte
	open  func(io.Reader) (io.Reader, error)
}

// kinds are found at any offset: a stream in a database begins anywhere.
var kinds = []streamKind{
	{"gzip", []byte{0x1F, 0x8B, 8}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"zip", []byte("PK\x03\x04"), openZip},
	{"zlib", []byte{0x78, 0x01}, openZlib},
	{"zlib", []byte{0x78, 0x5E}, openZlib},
	{"zlib", []byte{0x78, 0x9C}, openZlib},
	{"zlib", []byte{0x78, 0xDA}, openZlib},
}

func openZlib(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }

// openZip opens the entry of a zip archive whose local header r begins with (ZIP
// APPNOTE 4.3.7); one that is stored is in clear and seen without opening.
func openZip(r io.Reader) (io.Reader, error) {
	var h [30]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	if m := binary.LittleEndian.Uint16(h[8:]); m != 8 {
		return nil, fmt.Errorf("compression method %d", m)
	}
	names := int64(binary.LittleEndian.Uint16(h[26:])) + int64(binary.LittleEndian.Uint16(h[28:]))
	if _, err := io.CopyN(io.Discard, r, names); err != nil {
		return nil, err
	}
	return flate.NewReader(r), nil
}

// opaque are archives that this package cannot open, by how they begin.
var opaque = map[string][]byte{
	"xz": {0xFD, '7', 'z', 'X', 'Z', 0}, "zstd": {0x28, 0xB5, 0x2F, 0xFD}, "bzip2": []byte("BZh"),
	"7z": {'7', 'z', 0xBC, 0xAF, 0x27, 0x1C}, "lz4": {0x04, 0x22, 0x4D, 0x18},
}

// A start is where a compressed stream may begin.
type start struct {
	kind streamKind
	at   int64
}

// deep scans a source, and what is compressed in it.
func (s *scan) deep(ctx context.Context, src source, depth int) error {
	var starts []start
	err := s.raw(ctx, src, func(b []byte, offset int64) {
		if offset == 0 {
			s.noteOpaque(src, b)
		}
		starts = appendStarts(starts, b, offset)
	})
	if err != nil {
		return err
	}
	for i, st := range starts {
		if *s.budget <= 0 || i >= maxStarts {
			s.report.Incomplete = append(s.report.Incomplete, src.path+": more is compressed than may be looked at")
			return nil
		}
		if err := s.inflate(ctx, src, st.kind, st.at, depth); err != nil {
			return err
		}
	}
	return nil
}

// appendStarts finds the headers in a chunk, which lies at offset and, but for the
// first, begins with the end of the one before.
func appendStarts(starts []start, b []byte, offset int64) []start {
	for _, k := range kinds {
		for i := 0; len(starts) <= maxStarts; {
			j := bytes.Index(b[i:], k.magic)
			if j < 0 {
				break
			}
			i += j + 1
			if offset > 0 && i-1+len(k.magic) <= overlap {
				continue // whole in the chunk before
			}
			starts = append(starts, start{k, offset + int64(i-1)})
		}
	}
	return starts
}

// noteOpaque looks at how a source begins.
func (s *scan) noteOpaque(src source, b []byte) {
	for name, magic := range opaque {
		if bytes.HasPrefix(b, magic) {
			s.report.Opaque = append(s.report.Opaque, fmt.Sprintf("%s: %s", src.path, name))
		}
	}
}

// inflate scans what comes out of a stream. Most headers in random data are none:
// what comes out before the stream proves broken is scanned all the same.
func (s *scan) inflate(ctx context.Context, src source, k streamKind, at int64, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := k.open(bufio.NewReader(io.NewSectionReader(src, at, 1<<62)))
	if err != nil {
		return nil // no stream begins here
	}
	limit := min(maxStream, *s.budget)
	out, err := io.ReadAll(io.LimitReader(r, limit+1)) // a broken stream gives what came before
	inside := fmt.Sprintf("%s at %d", k.name, at)
	if src.inside != "" {
		inside = src.inside + ", " + inside
	}
	if int64(len(out)) > limit {
		out = out[:limit]
		s.report.Incomplete = append(s.report.Incomplete, fmt.Sprintf("%s: %s is larger than may be looked at", src.path, inside))
	} else if len(out) == 0 && err != nil {
		return nil
	}
	*s.budget -= int64(len(out))
	in := source{bytes.NewReader(out), src.path, inside, int64(len(out))}
	if depth >= maxDepth {
		return s.raw(ctx, in, nil)
	}
	return s.deep(ctx, in, depth+1)
}
