package iso8583

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"tallystick.example/internal/pure/bcd"
)

// A LengthHeader is the way in which the length of a frame is written before it. The
// length counts what follows the header: TPDU and message.
type LengthHeader uint8

// The headers in use between terminals, acquirers and networks.
const (
	Binary2 LengthHeader = iota // two bytes, big-endian: the terminal interface
	Binary4                     // four bytes, big-endian
	ASCII4                      // four decimal digits in ASCII
	BCD2                        // four decimal digits in two bytes
	VML                         // Visa: two bytes, big-endian, then two reserved bytes
)

// headers has the properties of each header.
var headers = [...]struct {
	name string
	size int // bytes
	most int // largest length that it can say
}{
	Binary2: {"binary2", 2, 1<<16 - 1},
	Binary4: {"binary4", 4, 1<<31 - 1},
	ASCII4:  {"ascii4", 4, 9999},
	BCD2:    {"bcd2", 2, 9999},
	VML:     {"vml", 4, 1<<16 - 1},
}

// maxHeader is the size of the longest header in bytes.
const maxHeader = 4

// MaxFramed is the longest message in bytes that any [Framing] reads or writes,
// whatever its header could say.
const MaxFramed = 1 << 20

// LengthHeaderOf finds a header by its name: binary2, binary4, ascii4, bcd2, vml.
func LengthHeaderOf(name string) (LengthHeader, bool) {
	for i := range headers {
		if headers[i].name == name {
			return LengthHeader(i), true
		}
	}
	return 0, false
}

// LengthHeaderNames lists the names that [LengthHeaderOf] knows.
func LengthHeaderNames() []string {
	var names []string
	for _, h := range headers {
		names = append(names, h.name)
	}
	return names
}

// String is the name of the header.
func (h LengthHeader) String() string {
	if int(h) < len(headers) {
		return headers[h].name
	}
	return fmt.Sprintf("header %d", h)
}

// Size is the number of bytes of the header, 0 for a value that is none.
func (h LengthHeader) Size() int {
	if int(h) < len(headers) {
		return headers[h].size
	}
	return 0
}

// length reads the length in head, which has the header's size. It reports false
// when a digit is none.
func (h LengthHeader) length(head []byte) (uint64, bool) {
	switch h {
	case Binary4:
		return uint64(binary.BigEndian.Uint32(head)), true
	case ASCII4:
		n := uint64(0)
		for _, c := range head {
			if c < '0' || c > '9' {
				return 0, false
			}
			n = n*10 + uint64(c-'0')
		}
		return n, true
	case BCD2:
		n, err := bcd.Uint(head)
		return n, err == nil
	}
	return uint64(binary.BigEndian.Uint16(head)), true
}

// put appends a header that says n.
func (h LengthHeader) put(dst []byte, n int, reserved [2]byte) []byte {
	switch h {
	case Binary4:
		return binary.BigEndian.AppendUint32(dst, uint32(n))
	case ASCII4:
		return append(dst, '0'+byte(n/1000), '0'+byte(n/100%10), '0'+byte(n/10%10), '0'+byte(n%10))
	case BCD2:
		return append(dst, byte(n/1000<<4|n/100%10), byte(n/10%10<<4|n%10))
	case VML:
		return append(binary.BigEndian.AppendUint16(dst, uint16(n)), reserved[:]...)
	}
	return binary.BigEndian.AppendUint16(dst, uint16(n))
}

// A Framing is the way in which messages follow each other on a stream. The zero
// value is that of the terminal interface: two binary bytes, and a TPDU where the
// first byte after them is 60. It may be used from several goroutines at once.
type Framing struct {
	Header  LengthHeader
	NoTPDU  bool // a frame that begins with 60 is a message, not a TPDU
	MaxBody int  // bytes of a message without TPDU; default MaxMessage, most MaxFramed
}

// most is the longest body, or an error for a framing that cannot be.
func (g Framing) most() (int, error) {
	switch {
	case g.Header.Size() == 0:
		return 0, fmt.Errorf("%w: there is no such header", ErrFrame)
	case g.MaxBody <= 0:
		return MaxMessage, nil
	}
	return min(g.MaxBody, MaxFramed), nil
}

// Size tells how many bytes the frame has that begins with head, its header
// included, so that a reader knows whether all of it has come. head has
// LengthHeader.Size bytes or more. The error is [ErrFrame] for a length over the
// limit or of no digits, and for one of zero, which only VML has: a poll.
func (g Framing) Size(head []byte) (int, error) {
	most, err := g.most()
	if err != nil {
		return 0, err
	}
	size := g.Header.Size()
	if len(head) < size {
		return 0, fmt.Errorf("%w: the header is not whole", ErrFrame)
	}
	n, ok := g.Header.length(head[:size])
	switch {
	case !ok:
		return 0, fmt.Errorf("%w: the length is not decimal", ErrFrame)
	case n == 0 && g.Header != VML:
		return 0, fmt.Errorf("%w: the length is zero", ErrFrame)
	case n > uint64(g.withTPDU(most)):
		return 0, fmt.Errorf("%w: the length %d is over the limit", ErrFrame, n)
	}
	return size + int(n), nil
}

// withTPDU is the longest that may follow a header when the body has most bytes.
func (g Framing) withTPDU(most int) int {
	if g.NoTPDU {
		return most
	}
	return most + len(TPDU{})
}

// Read reads one frame from r. buf is memory for it, which the body refers to;
// when it is too small, new memory is used. What r holds beyond the frame is not
// touched. The error is io.EOF when the stream ends between frames, [ErrFrame]
// for a bad frame, wrapped together with io.ErrUnexpectedEOF when it ends within
// one, and otherwise that of r, such as a deadline.
//
// A length over the limit is refused before memory is taken or anything of the
// body is read. How long the frame may take is the caller's to bound.
func (g Framing) Read(r io.Reader, buf []byte) (Frame, error) {
	size := g.Header.Size()
	if cap(buf) < maxHeader {
		buf = make([]byte, maxHeader, 256)
	}
	head := buf[:size]
	if _, err := io.ReadFull(r, head); err != nil {
		return Frame{}, frameError(err, "length")
	}
	whole, err := g.Size(head)
	if err != nil {
		return Frame{}, err
	}
	var f Frame
	if g.Header == VML {
		f.Reserved = [2]byte(head[2:])
	}
	n := whole - size
	if n == 0 {
		return f, nil // a poll, which only VML has
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	f.Body = buf[:n]
	if _, err := io.ReadFull(r, f.Body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, frameError(err, "body")
	}
	return g.split(f)
}

// split takes the TPDU off the body.
func (g Framing) split(f Frame) (Frame, error) {
	most, err := g.most()
	if err != nil {
		return Frame{}, err
	}
	if f.Body[0] == tpduID && !g.NoTPDU {
		if len(f.Body) <= len(TPDU{}) {
			return Frame{}, fmt.Errorf("%w: nothing follows the TPDU", ErrFrame)
		}
		f.TPDU, f.Body = TPDU(f.Body), f.Body[len(TPDU{}):]
	}
	if len(f.Body) > most {
		return Frame{}, fmt.Errorf("%w: the message is over the limit", ErrFrame)
	}
	return f, nil
}

// frameError tells a frame that ends early from an end between frames and from
// an error of the stream.
func frameError(err error, part string) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the stream ends within the %s: %w", ErrFrame, part, err)
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return fmt.Errorf("reading the %s of a frame: %w", part, err)
}

// Append appends f as it goes over the stream. The error is [ErrFrame] when the
// message is empty (but for a poll of VML), over the limit, or more than the header can say, when the
// TPDU does not begin with 60 or the framing has none, and when a frame without
// a VML header has reserved bytes.
func (g Framing) Append(dst []byte, f Frame) ([]byte, error) {
	most, err := g.most()
	if err != nil {
		return nil, err
	}
	n := len(f.Body)
	poll := n == 0 && g.Header == VML && f.TPDU.IsZero()
	if n == 0 && !poll || n > most {
		return nil, fmt.Errorf("%w: a message of %d bytes", ErrFrame, n)
	}
	if !f.TPDU.IsZero() {
		if f.TPDU[0] != tpduID || g.NoTPDU {
			return nil, fmt.Errorf("%w: the TPDU does not begin with 60, or none is meant to be", ErrFrame)
		}
		n += len(f.TPDU)
	}
	if n > headers[g.Header].most {
		return nil, fmt.Errorf("%w: a length of %d does not fit its header", ErrFrame, n)
	}
	if g.Header != VML && f.Reserved != [2]byte{} {
		return nil, fmt.Errorf("%w: reserved bytes without a VML header", ErrFrame)
	}
	dst = g.Header.put(dst, n, f.Reserved)
	if !f.TPDU.IsZero() {
		dst = append(dst, f.TPDU[:]...)
	}
	return append(dst, f.Body...), nil
}

// Write writes f to w in one Write, so that a frame is one TLS record. The error
// is that of [Framing.Append] or of w; after an error of w an unknown part of the
// frame has left.
func (g Framing) Write(w io.Writer, f Frame) error {
	b, err := g.Append(make([]byte, 0, maxHeader+len(TPDU{})+len(f.Body)), f)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}
