package iso8583

import (
	"errors"
	"io"
)

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
	// Reserved are the last two bytes of a VML header, zeros with every other.
	Reserved [2]byte
}

// IsControl reports whether f is no ISO 8583 message but a poll or another
// session control message of a VML stream: it is empty, or its header says so.
func (f Frame) IsControl() bool { return len(f.Body) == 0 || f.Reserved[1]>>4 == 2 }

// Limits bound the frames that are read. The zero value takes the defaults.
type Limits struct {
	MaxBody int // bytes of a message without TPDU; default and most MaxMessage
}

// ErrFrame means that the stream holds no frame where one should be: a length of
// zero, one over the limit or of no digits, or a body that ends early. The stream
// cannot be read on; the connection is to be closed.
var ErrFrame = errors.New("iso8583: bad frame")

// ReadFrame reads one frame of the terminal interface from r, as
// [Framing.Read] does with the zero Framing.
func ReadFrame(r io.Reader, buf []byte, lim Limits) (Frame, error) {
	most := lim.MaxBody
	if most <= 0 || most > MaxMessage {
		most = MaxMessage
	}
	return Framing{MaxBody: most}.Read(r, buf)
}

// AppendFrame appends f as it goes over the stream of the terminal interface, as
// [Framing.Append] does with the zero Framing.
func AppendFrame(dst []byte, f Frame) ([]byte, error) { return Framing{}.Append(dst, f) }

// WriteFrame writes f to w as [Framing.Write] does with the zero Framing.
func WriteFrame(w io.Writer, f Frame) error { return Framing{}.Write(w, f) }
