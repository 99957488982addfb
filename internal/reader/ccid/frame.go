package ccid

import (
	"encoding/binary"
	"fmt"
)

// Bytes that start things on the line.
const (
	syncByte   = 0x03
	ackByte    = 0x06
	nakByte    = 0x15
	nakEnd     = 0x16
	notifyByte = 0x50
	slotAbsent = 0x02
	slotIn     = 0x03
	timeByte   = 0x80 // and above
)

// NAK asks the other side to send its last frame again.
func NAK() []byte { return []byte{syncByte, nakByte, nakEnd} }

// Notification is what a reader sends when a card comes or goes.
func Notification(inserted bool) []byte {
	if inserted {
		return []byte{notifyByte, slotIn}
	}
	return []byte{notifyByte, slotAbsent}
}

// AppendFrame appends the frame of m to dst. More than MaxData bytes of data
// give ErrData.
func AppendFrame(dst []byte, m Message) ([]byte, error) {
	if len(m.Data) > MaxData {
		return dst, ErrData
	}
	start := len(dst)
	dst = append(dst, syncByte, ackByte, byte(m.Type))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(m.Data)))
	dst = append(dst, m.Slot, m.Seq, m.Params[0], m.Params[1], m.Params[2])
	dst = append(dst, m.Data...)
	return append(dst, xor(dst[start:])), nil
}

// ParseFrame reads exactly one frame. Anything else gives ErrFrame. The result
// does not alias b.
func ParseFrame(b []byte) (Message, error) {
	size, err := frameSize(b)
	if err != nil {
		return Message{}, err
	}
	if size == 0 || len(b) != size {
		return Message{}, fmt.Errorf("%w: %d bytes, want %d", ErrFrame, len(b), size)
	}
	if xor(b) != 0 {
		return Message{}, fmt.Errorf("%w: wrong check byte", ErrFrame)
	}
	m := Message{Type: Type(b[2]), Slot: b[7], Seq: b[8], Params: [3]byte(b[9:12])}
	m.Data = append([]byte{}, b[12:size-1]...)
	return m, nil
}

// frameSize is the whole size of the frame that begins with b, or 0 while b is
// too short to tell.
func frameSize(b []byte) (int, error) {
	if len(b) > 0 && b[0] != syncByte || len(b) > 1 && b[1] != ackByte {
		return 0, fmt.Errorf("%w: it does not begin with 03 06", ErrFrame)
	}
	if len(b) < 7 {
		return 0, nil
	}
	n := binary.LittleEndian.Uint32(b[3:7])
	if n > MaxData {
		return 0, fmt.Errorf("%w: length of %d", ErrFrame, n)
	}
	return 2 + headerSize + int(n) + 1, nil
}

func xor(b []byte) byte {
	var sum byte
	for _, v := range b {
		sum ^= v
	}
	return sum
}
