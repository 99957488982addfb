package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// chunk is how much is read at once.
const chunk = 256 << 10

// A Scanner looks for a fixed set of secrets. It is safe for concurrent use.
type Scanner struct {
	patterns []pattern
	auto     *automaton
}

// New makes a scanner for secrets. The error names a secret that is too short or
// not what its kind says.
func New(secrets ...Secret) (*Scanner, error) {
	if len(secrets) == 0 {
		return nil, errors.New("canary: there are no secrets to look for")
	}
	s := &Scanner{}
	for _, x := range secrets {
		if err := x.check(); err != nil {
			return nil, err
		}
		s.patterns = append(s.patterns, patterns(x)...)
	}
	var err error
	s.auto, err = build(s.patterns)
	return s, err
}

// A source is data with a name, of which any part can be read again.
type source struct {
	io.ReaderAt
	path, inside string
	size         int64 // -1: not known
}

// scan is one pass over a source and over the compressed streams in it.
type scan struct {
	*Scanner
	report *Report
	budget *int64 // bytes that may still come out of compressed streams
}

// stream begins a pass whose findings are those of a source.
func (s *scan) stream(src source, base int64) *stream {
	return &stream{a: s.auto, hit: func(p int, offset int64) {
		s.report.add(Finding{s.patterns[p].secret, s.patterns[p].encoding, src.path, src.inside, base + offset})
	}}
}

// raw scans a source to its end and calls each, which may be nil, with every
// chunk; a chunk begins with the last bytes of the one before.
func (s *scan) raw(ctx context.Context, src source, each func(b []byte, offset int64)) error {
	st := s.stream(src, 0)
	buf := make([]byte, overlap+chunk)
	kept := 0
	for offset := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := src.ReadAt(buf[kept:kept+chunk], offset)
		st.feed(buf[kept : kept+n])
		s.report.Bytes += int64(n)
		if each != nil {
			each(buf[:kept+n], offset-int64(kept))
		}
		offset += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("at offset %d: %w", offset, err)
		}
		kept = copy(buf, buf[max(0, kept+n-overlap):kept+n])
	}
}
