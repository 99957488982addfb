package transport

import (
	"errors"
	"fmt"
)

// Errors of the machines. No text carries data of a card.
var (
	// ErrCommand means that the bytes are no command APDU that can be sent.
	ErrCommand = errors.New("transport: malformed command")
	// ErrCard means that the card or reader broke the protocol: the card session
	// cannot go on (EMV Level 1 Contact: deactivate).
	ErrCard = errors.New("transport: the card broke the protocol")
	// ErrATR means that an answer to reset is malformed or not acceptable.
	ErrATR = errors.New("transport: answer to reset refused")
)

// Sizes of short APDUs (ISO/IEC 7816-3, 12.1).
const (
	headerSize     = 5
	maxData        = 255 // of a command
	maxAnswer      = 256 // data bytes of an answer, EMV Level 1 Contact 9.3.1
	maxCommandSize = headerSize + maxData + 1
	swSize         = 2
)

// A Command is a command APDU.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte // 0 to 255 bytes
	// Le is the number of bytes expected, 1 to 256; 0 where the command expects
	// none (cases 1 and 3).
	Le int
}

// ParseCommand reads a short command APDU of case 1 to 4 (ISO/IEC 7816-3,
// 12.1.3): 4 to 261 bytes. Anything else gives ErrCommand. The result does not
// alias b.
func ParseCommand(b []byte) (Command, error) {
	if len(b) < 4 || len(b) > maxCommandSize {
		return Command{}, fmt.Errorf("%w: %d bytes", ErrCommand, len(b))
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	switch n := len(b); {
	case n == 4:
	case n == headerSize:
		c.Le = expected(b[4])
	case b[4] != 0 && n == headerSize+int(b[4]):
		c.Data = append([]byte(nil), b[headerSize:]...)
	case b[4] != 0 && n == headerSize+int(b[4])+1:
		c.Data = append([]byte(nil), b[headerSize:n-1]...)
		c.Le = expected(b[n-1])
	default:
		return Command{}, fmt.Errorf("%w: %d bytes with a length byte of %d", ErrCommand, n, b[4])
	}
	return c, nil
}

// Bytes is the command as an APDU. It panics for more than 255 bytes of data or
// an Le outside 0 to 256, which are mistakes of the program.
func (c Command) Bytes() []byte {
	if len(c.Data) > maxData || c.Le < 0 || c.Le > maxAnswer {
		panic("transport: command of impossible size")
	}
	out := append(make([]byte, 0, headerSize+len(c.Data)+1), c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		out = append(append(out, byte(len(c.Data))), c.Data...)
	}
	if c.Le > 0 {
		out = append(out, byte(c.Le)) // 256 becomes 00
	}
	return out
}

// tpdu is the command as T=0 carries it: five bytes of header, then the data.
// The Le of a case 4 command is not sent (EMV Level 1 Contact, Annex A).
func (c Command) tpdu() []byte {
	p3 := byte(c.Le)
	if len(c.Data) > 0 {
		p3 = byte(len(c.Data))
	}
	return append([]byte{c.CLA, c.INS, c.P1, c.P2, p3}, c.Data...)
}

// expected is the number of bytes that a length byte asks for: 00 means 256.
func expected(le byte) int {
	if le == 0 {
		return maxAnswer
	}
	return int(le)
}

// A Response is the answer to a command.
type Response struct {
	Data []byte // 0 to 256 bytes
	SW   uint16 // status bytes SW1 SW2
}

// ParseResponse reads an answer of data and two status bytes. Fewer than two
// bytes or more than 258 give ErrCard. The result does not alias b.
func ParseResponse(b []byte) (Response, error) {
	n := len(b) - swSize
	if n < 0 || n > maxAnswer {
		return Response{}, fmt.Errorf("%w: answer of %d bytes", ErrCard, len(b))
	}
	return Response{Data: append([]byte(nil), b[:n]...), SW: uint16(b[n])<<8 | uint16(b[n+1])}, nil
}

// Bytes is the answer as it travels: data, then SW1 SW2.
func (r Response) Bytes() []byte {
	return append(append(make([]byte, 0, len(r.Data)+swSize), r.Data...), byte(r.SW>>8), byte(r.SW))
}
