package transport

import "fmt"

// A PPS asks the card for a protocol and a bit rate (ISO/IEC 7816-3, clause 9).
// EMV terminals need none: without it they go on with the default rate.
type PPS struct {
	Protocol byte // 0 to 14
	FiDi     byte // as TA1; 0 leaves it to the default
}

const (
	ppss     = 0xFF
	ppsFiDi  = 0x10 // bit of PPS0: PPS1 is there
	maxProto = 14
)

// Request is the request to send, at the default rate.
func (p PPS) Request() ([]byte, error) {
	if p.Protocol > maxProto {
		return nil, fmt.Errorf("%w: PPS for protocol %d", ErrCommand, p.Protocol)
	}
	out := []byte{ppss, p.Protocol}
	if p.FiDi != 0 {
		out = []byte{ppss, p.Protocol | ppsFiDi, p.FiDi}
	}
	return append(out, checkXOR(out)), nil
}

// Accept reads the card's answer and says at which rate to go on: the one asked
// for when the card echoes it, the default when it leaves PPS1 out (9.3).
// Anything else gives ErrCard.
func (p PPS) Accept(answer []byte) (fiDi byte, err error) {
	if len(answer) < 3 || answer[0] != ppss || checkXOR(answer) != 0 || answer[1]&0x0F != p.Protocol {
		return 0, fmt.Errorf("%w: PPS answer refused", ErrCard)
	}
	switch {
	case answer[1]>>4 == 0 && len(answer) == 3:
		return defaultFiDi, nil
	case answer[1]>>4 == 1 && len(answer) == 4 && answer[2] == p.FiDi && p.FiDi != 0:
		return p.FiDi, nil
	default:
		return 0, fmt.Errorf("%w: PPS answer with other parameters", ErrCard)
	}
}

func checkXOR(b []byte) byte {
	var sum byte
	for _, v := range b {
		sum ^= v
	}
	return sum
}
