package issue

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
)

// Stream is an endless row of bytes that depends on seed alone: SHA-256 over seed
// and a counter. It is for keys of test cards and for nothing that must be secret.
func Stream(seed string) io.Reader { return &stream{seed: []byte(seed)} }

type stream struct {
	seed  []byte
	count uint64
	left  []byte
}

func (s *stream) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(s.left) == 0 {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte{}, s.seed...), s.count))
			s.left, s.count = sum[:], s.count+1
		}
		c := copy(p[n:], s.left)
		n, s.left = n+c, s.left[c:]
	}
	return n, nil
}
