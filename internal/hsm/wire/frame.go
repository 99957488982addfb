// Package wire is the protocol between the host and the HSM boundary over a
// Unix socket.
//
// Every frame is a 4-byte big-endian length, then one byte operation, an
// 8-byte request number and the payload. The first frame of a connection is a
// [Hello] with the range of versions that the client speaks; the server answers
// with the one it chose. After that many requests may be in flight; each answer
// carries the operation with its high bit set, the number of its request, one
// byte [Status] and, when that is [OK], the result.
//
// Decoding is strict: lengths are bounded by field, a flag is 0 or 1, and
// nothing may follow the last field. The package does no I/O of its own beyond
// the reader and writer that it is given.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version is the protocol version that this package speaks.
const Version = 1

// MaxFrame is the longest frame, its length field not counted. The longest
// request is an Open with eight key sets.
const MaxFrame = 32 << 10

// headerLen is the operation byte and the request number.
const headerLen = 9

// answerBit marks the operation of an answer.
const answerBit = 0x80

// ErrFrame means that a frame does not follow the protocol: the connection is
// out of step and must be closed.
var ErrFrame = errors.New("wire: malformed frame")

// A Frame is one request or answer. Payload may hold secrets: whoever is done
// with a frame calls Wipe.
type Frame struct {
	Op      byte
	Answer  bool
	ID      uint64 // of the request; an answer repeats it
	Payload []byte
}

// Wipe overwrites the payload.
func (f Frame) Wipe() { clear(f.Payload) }

// ReadFrame reads one frame. It gives io.EOF when r ends between frames,
// io.ErrUnexpectedEOF when it ends within one, and ErrFrame for a length
// outside the limits; nothing is allocated for such a length.
func ReadFrame(r io.Reader) (Frame, error) {
	var head [4 + headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < headerLen || n > MaxFrame {
		return Frame{}, ErrFrame
	}
	f := Frame{
		Op:      head[4] &^ answerBit,
		Answer:  head[4]&answerBit != 0,
		ID:      binary.BigEndian.Uint64(head[5:]),
		Payload: make([]byte, n-headerLen),
	}
	if _, err := io.ReadFull(r, f.Payload); err != nil {
		f.Wipe()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	return f, nil
}

// WriteFrame writes f with one call of w.Write and clears its own copy. A
// payload that does not fit gives ErrFrame and nothing is written.
func WriteFrame(w io.Writer, f Frame) error {
	n := headerLen + len(f.Payload)
	if n > MaxFrame || f.Op&answerBit != 0 {
		return ErrFrame
	}
	b := make([]byte, 0, 4+n)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	op := f.Op
	if f.Answer {
		op |= answerBit
	}
	b = append(b, op)
	b = binary.BigEndian.AppendUint64(b, f.ID)
	b = append(b, f.Payload...)
	defer clear(b)
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("wire: writing a frame: %w", err)
	}
	return nil
}
