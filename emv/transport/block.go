package transport

import "fmt"

// Protocol control bytes of T=1 (ISO/IEC 7816-3, 11.3.2.2).
const (
	pcbSequence = 0x40 // I-block: N(S)
	pcbMore     = 0x20 // I-block: the chain goes on
	pcbR        = 0x80
	pcbRNumber  = 0x10 // R-block: N(R)
	pcbRParity  = 0x01
	pcbROther   = 0x02
	pcbResynch  = 0xC0
	pcbIFS      = 0xC1
	pcbAbort    = 0xC2
	pcbWTX      = 0xC3
	pcbAnswer   = 0x20 // S-block: response
)

// Sizes of T=1 blocks.
const (
	maxINF      = 254
	blockFrame  = 4 // NAD, PCB, LEN and LRC
	minIFS      = 1
	maxT1Tries  = 3   // EMV Level 1 Contact 9.2.5: transmissions of one block
	maxWTX      = 600 // requests for more time within one command
	maxT1Answer = maxAnswer + swSize
)

// A block is one block of T=1.
type block struct {
	pcb byte
	inf []byte
}

type blockKind int

const (
	blockI blockKind = iota
	blockR
	blockS
)

func (b block) kind() blockKind {
	switch b.pcb >> 6 {
	case 0, 1:
		return blockI
	case 2:
		return blockR
	default:
		return blockS
	}
}

// sequence is N(S) of an I-block or N(R) of an R-block: 0 or 1.
func (b block) sequence() byte {
	if b.kind() == blockI {
		return b.pcb >> 6 & 1
	}
	return b.pcb >> 4 & 1
}

// bytes is the block with node address 00 and its check byte.
func (b block) bytes() []byte {
	out := append([]byte{0, b.pcb, byte(len(b.inf))}, b.inf...)
	return append(out, checkXOR(out))
}

func iBlock(sequence byte, more bool, inf []byte) block {
	b := block{pcb: sequence * pcbSequence, inf: inf}
	if more {
		b.pcb |= pcbMore
	}
	return b
}

func rBlock(sequence, reason byte) block { return block{pcb: pcbR | sequence*pcbRNumber | reason} }

// parseBlock reads one whole block. The reason of an error is what an R-block
// says of it.
func parseBlock(b []byte) (block, byte, error) {
	if len(b) < blockFrame || len(b) != blockFrame+int(b[2]) || b[2] == 0xFF {
		return block{}, pcbROther, fmt.Errorf("%w: block of %d bytes", ErrCard, len(b))
	}
	if checkXOR(b) != 0 {
		return block{}, pcbRParity, fmt.Errorf("%w: block with a wrong check byte", ErrCard)
	}
	p := block{pcb: b[1], inf: append([]byte(nil), b[3:len(b)-1]...)}
	if b[0] != 0 || !p.known() {
		return block{}, pcbROther, fmt.Errorf("%w: block of an unknown kind", ErrCard)
	}
	return p, 0, nil
}

// known checks the control byte and what belongs to it.
func (b block) known() bool {
	switch b.kind() {
	case blockI:
		return b.pcb&0x1F == 0
	case blockR:
		return b.pcb&^pcbRNumber <= pcbR|pcbROther && len(b.inf) == 0
	}
	switch b.pcb &^ pcbAnswer {
	case pcbResynch, pcbAbort:
		return len(b.inf) == 0
	case pcbIFS:
		return len(b.inf) == 1 && b.inf[0] >= minIFS && b.inf[0] <= maxINF
	case pcbWTX:
		return len(b.inf) == 1
	}
	return false
}
