package card

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A card in a process of its own speaks frames over a Unix socket: two bytes of
// length (high byte first), one byte of kind, and content. The reader asks, the
// card answers each frame with one frame.
const (
	framePowerOn  = 'P' // content: the protocol to offer, one byte; answered with the ATR
	framePowerOff = 'O'
	frameTransmit = 'T' // content: a TPDU of T=0 or a block of T=1
	frameAnswer   = 'A'
	frameMute     = 'M' // the card does not answer
	frameError    = 'E' // content: why the card could not be asked
)

// maxFrame bounds kind and content: the longest TPDU has 260 bytes, the longest
// answer 258, and texts are cut.
const maxFrame = 512

type frame struct {
	kind    byte
	content []byte
}

func writeFrame(w io.Writer, f frame) error {
	content := f.content[:min(len(f.content), maxFrame-1)]
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 3+len(content)), uint16(1+len(content)))
	if _, err := w.Write(append(append(out, f.kind), content...)); err != nil {
		return fmt.Errorf("writing to the card's socket: %w", err)
	}
	return nil
}

// readFrame gives io.EOF where the peer has gone between two frames.
func readFrame(r io.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint16(head[:])
	if n < 1 || n > maxFrame {
		return frame{}, fmt.Errorf("a frame of %d bytes on the card's socket", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return frame{}, fmt.Errorf("reading from the card's socket: %w", err)
	}
	return frame{kind: b[0], content: b[1:]}, nil
}
