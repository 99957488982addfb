package iso8583

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Framing: two bytes of big-endian length, which counts what follows; then, when
// the first byte is 60, a TPDU of five bytes; then the message.

// A TPDU is the transport header that some networks put before a message:
// identifier 60, destination NII (2), source NII (2). The zero value is none.
type TPDU [5]byte

// tpduID begins every TPDU. No MTI begins with it.
const tpduID = 0x60

// IsZero reports whether there is no TPDU.
func (t TPDU) IsZero() bool { return t == TPDU{} }

// Swap returns the TPDU of the answer: destination and source exchanged.
func (t TPDU) Swap() TPDU { return TPDU{t[0], t[3], t[4], t[1], t[2]} }

// A Frame is one message on the stream, with its TPDU when it has one.
type Frame struct {
	TPDU TPDU
	Body []byte
}

// Limits bound the frames that are read. The zero value takes the defaults.
type Limits struct {
	MaxBody int // bytes of a message without TPDU; default and most MaxMessage
}

// ErrFrame means that the stream holds no frame where one should be: a length of
// zero, one over the limit, or a body that ends early. The stream cannot be read
// on; the connection is to be closed.
var ErrFrame = errors.New("iso8583: bad frame")

// ReadFrame reads one frame from r. buf is memory for it, which the body refers
// to; when it is too small, new memory is used. The error is io.EOF when the
// stream ends between frames, [ErrFrame] for a bad frame, wrapped together with
// io.ErrUnexpectedEOF when it ends within one, and otherwise that of r, such as
// a deadline.
func ReadFrame(r io.Reader, buf []byte, lim Limits) (Frame, error) {
	most := lim.MaxBody
	if most <= 0 || most > MaxMessage {
		most = MaxMessage
	}
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, frameError(err, "length")
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n == 0 {
		return Frame{}, fmt.Errorf("%w: the length is zero", ErrFrame)
	}
	if n > most+len(TPDU{}) {
		return Frame{}, fmt.Errorf("%w: the length %d is over the limit", ErrFrame, n)
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, frameError(err, "body")
	}
	f := Frame{Body: buf}
	if buf[0] == tpduID {
		if n <= len(TPDU{}) {
			return Frame{}, fmt.Errorf("%w: nothing follows the TPDU", ErrFrame)
		}
		f.TPDU, f.Body = TPDU(buf), buf[len(TPDU{}):]
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

// AppendFrame appends f as it goes over the stream. The error is [ErrFrame] when
// the message is empty, longer than [MaxMessage], or when the TPDU does not begin
// with 60.
func AppendFrame(dst []byte, f Frame) ([]byte, error) {
	n := len(f.Body)
	if n == 0 || n > MaxMessage {
		return nil, fmt.Errorf("%w: a message of %d bytes", ErrFrame, n)
	}
	if !f.TPDU.IsZero() {
		if f.TPDU[0] != tpduID {
			return nil, fmt.Errorf("%w: the TPDU does not begin with 60", ErrFrame)
		}
		n += len(f.TPDU)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	if !f.TPDU.IsZero() {
		dst = append(dst, f.TPDU[:]...)
	}
	return append(dst, f.Body...), nil
}

// WriteFrame writes f to w in one Write, so that a frame is one TLS record. The
// error is that of [AppendFrame] or of w; after an error of w an unknown part of
// the frame has left.
func WriteFrame(w io.Writer, f Frame) error {
	b, err := AppendFrame(make([]byte, 0, 2+len(TPDU{})+len(f.Body)), f)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}
