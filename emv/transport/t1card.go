package transport

// defaultIFSD is the block size of a terminal that has told none.
const defaultIFSD = 32

// CardT1 is the card's side of T=1: it gathers chained blocks to a command,
// hands it to the application, and sends the answer in blocks that the terminal
// can take.
type CardT1 struct {
	ifsd   int
	ns, nr byte
	got    []byte
	rest   []byte // of the answer, behind the last block
	lastI  []byte // the last I-block sent
	busy   bool   // a command is with the application
}

// NewCardT1 makes a card that has just been reset.
func NewCardT1() *CardT1 { return &CardT1{ifsd: defaultIFSD} }

// Receive takes one block. It returns either what the card sends, or a whole
// command, whose answer goes through Answer.
func (c *CardT1) Receive(in []byte) (send []byte, command []byte) {
	b, reason, err := parseBlock(in)
	if err != nil {
		return rBlock(c.nr, reason).bytes(), nil
	}
	switch b.kind() {
	case blockI:
		return c.takeI(b)
	case blockR:
		return c.takeR(b), nil
	default:
		return c.takeS(b), nil
	}
}

// Answer gives the first block of the application's answer.
func (c *CardT1) Answer(r Response) []byte {
	c.busy = false
	c.rest = r.Bytes()
	return c.sendPart()
}

func (c *CardT1) takeI(b block) (send []byte, command []byte) {
	if b.sequence() != c.nr || len(c.got)+len(b.inf) > maxCommandSize || c.busy {
		return rBlock(c.nr, pcbROther).bytes(), nil
	}
	c.rest = nil // a new command means that the answer has arrived
	c.nr ^= 1
	c.got = append(c.got, b.inf...)
	if b.pcb&pcbMore != 0 {
		return rBlock(c.nr, 0).bytes(), nil
	}
	command, c.got = append([]byte{}, c.got...), nil // never nil: an empty chain is a command too, a wrong one
	c.busy = true
	return nil, command
}

// takeR reads which I-block the terminal expects: the next part of the answer,
// the last one again, or one that cannot come before the card has got the
// command, which it then asks for (ISO/IEC 7816-3, 11.6.2.3).
func (c *CardT1) takeR(b block) []byte {
	switch {
	case b.sequence() == c.ns && len(c.rest) > 0:
		return c.sendPart()
	case b.sequence() == c.ns || c.lastI == nil:
		return rBlock(c.nr, 0).bytes()
	default:
		return c.lastI
	}
}

func (c *CardT1) takeS(b block) []byte {
	switch b.pcb {
	case pcbIFS:
		c.ifsd = int(b.inf[0])
		return block{pcb: pcbIFS | pcbAnswer, inf: b.inf}.bytes()
	case pcbResynch:
		*c = CardT1{ifsd: c.ifsd}
		return block{pcb: pcbResynch | pcbAnswer}.bytes()
	default:
		return rBlock(c.nr, pcbROther).bytes()
	}
}

func (c *CardT1) sendPart() []byte {
	n := min(len(c.rest), c.ifsd)
	part := c.rest[:n]
	c.rest = c.rest[n:]
	b := iBlock(c.ns, len(c.rest) > 0, part)
	c.ns ^= 1
	c.lastI = b.bytes()
	return c.lastI
}
