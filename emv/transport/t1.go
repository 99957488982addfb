package transport

import "fmt"

// T1 is the terminal's side of T=1 for one card session (EMV Level 1 Contact
// 9.2.4, 9.2.5): it tells the card its block size, then carries commands in
// chained I-blocks, asks again for what was damaged, and grants more time.
// Begin starts a command; Send, Receive, Silence and Response work as with T0,
// but with whole blocks.
type T1 struct {
	ifsc    int
	ns, nr  byte   // sequence numbers of the next I-block sent and received
	rest    []byte // of the command, behind the block in flight
	flight  block  // the last block sent that is not an R-block
	out     []byte
	got     []byte
	settled bool // the block sizes are agreed
	tries   int  // transmissions of flight, or complaints since the last good block
	wtx     int
	command []byte
	answer  Response
	active  bool
	done    bool
	failed  bool
}

// NewT1 begins a session with a card whose block size is ifsc (TA3, 1 to 254;
// see Parameters).
func NewT1(ifsc byte) *T1 { return &T1{ifsc: max(minIFS, min(maxINF, int(ifsc)))} }

// Begin starts a command of 4 to 261 bytes. It panics while another is not
// done, and gives ErrCard after the session has failed.
func (t *T1) Begin(command []byte) error {
	if t.active && !t.done && !t.failed {
		panic("transport: a command is under way")
	}
	if t.failed {
		return fmt.Errorf("%w: the session is over", ErrCard)
	}
	if len(command) < 4 || len(command) > maxCommandSize {
		return fmt.Errorf("%w: %d bytes", ErrCommand, len(command))
	}
	t.command = append([]byte(nil), command...)
	t.active, t.done, t.got, t.wtx = true, false, nil, 0
	if !t.settled {
		t.send(block{pcb: pcbIFS, inf: []byte{maxINF}})
		return nil
	}
	t.sendCommand()
	return nil
}

// Send is the block to send now, or nil.
func (t *T1) Send() []byte {
	out := t.out
	t.out = nil
	return out
}

// Response is the answer once the command is done.
func (t *T1) Response() (Response, bool) { return t.answer, t.done }

// Receive takes one whole block from the card. ErrCard means that the session is
// over.
func (t *T1) Receive(in []byte) error {
	if !t.active || t.done || t.failed || t.out != nil {
		panic("transport: a block that nobody waits for")
	}
	b, reason, err := parseBlock(in)
	if err != nil {
		return t.complain(reason)
	}
	if err := t.take(b); err != nil {
		t.failed = true
		return err
	}
	return nil
}

// Silence says that the block waiting time has run out.
func (t *T1) Silence() error {
	if !t.active || t.done || t.failed || t.out != nil {
		return nil
	}
	return t.complain(pcbROther)
}

// WaitFactor is by what the block waiting time of the next block is multiplied,
// as the card asked for; 1 when it did not.
func (t *T1) WaitFactor() int {
	if t.out != nil && t.out[1] == pcbWTX|pcbAnswer {
		return max(1, int(t.out[3]))
	}
	return 1
}

func (t *T1) take(b block) error {
	switch b.kind() {
	case blockI:
		return t.takeI(b)
	case blockR:
		return t.takeR(b)
	default:
		return t.takeS(b)
	}
}

// takeI takes a part of the answer.
func (t *T1) takeI(b block) error {
	if len(t.rest) > 0 || t.flight.kind() != blockI || b.sequence() != t.nr {
		return t.complain(pcbROther)
	}
	if len(t.got)+len(b.inf) > maxT1Answer {
		return fmt.Errorf("%w: an answer of more than %d bytes", ErrCard, maxT1Answer)
	}
	t.got = append(t.got, b.inf...)
	t.nr ^= 1
	t.tries = 0
	if b.pcb&pcbMore != 0 {
		if len(b.inf) == 0 {
			return fmt.Errorf("%w: an empty block in a chain", ErrCard)
		}
		t.out = rBlock(t.nr, 0).bytes()
		return nil
	}
	r, err := ParseResponse(t.got)
	t.answer, t.done = r, err == nil
	return err
}

// takeR reads which I-block the card expects: the next part of the command or
// the one in flight again.
func (t *T1) takeR(b block) error {
	switch {
	case t.flight.kind() != blockI || b.sequence() != t.ns:
		return t.again()
	case len(t.rest) > 0:
		t.sendPart()
		return nil
	default:
		return t.complain(pcbROther)
	}
}

func (t *T1) takeS(b block) error {
	switch b.pcb {
	case pcbIFS | pcbAnswer:
		if t.settled || b.inf[0] != maxINF {
			return t.complain(pcbROther)
		}
		t.settled = true
		t.sendCommand()
	case pcbIFS:
		t.ifsc = int(b.inf[0])
		t.out = block{pcb: pcbIFS | pcbAnswer, inf: b.inf}.bytes()
	case pcbWTX:
		if t.wtx++; t.wtx > maxWTX {
			return fmt.Errorf("%w: it asks for time again and again", ErrCard)
		}
		t.out = block{pcb: pcbWTX | pcbAnswer, inf: b.inf}.bytes()
	default:
		return fmt.Errorf("%w: a request that EMV does not allow", ErrCard)
	}
	return nil
}

func (t *T1) sendCommand() {
	t.rest = t.command
	t.sendPart()
}

// sendPart sends the next block of the command.
func (t *T1) sendPart() {
	n := min(len(t.rest), t.ifsc)
	part := t.rest[:n]
	t.rest = t.rest[n:]
	b := iBlock(t.ns, len(t.rest) > 0, part)
	t.ns ^= 1
	t.send(b)
}

func (t *T1) send(b block) {
	t.flight, t.tries = b, 1
	t.out = b.bytes()
}

func (t *T1) again() error {
	if t.tries++; t.tries > maxT1Tries {
		t.failed = true
		return fmt.Errorf("%w: it does not take a block", ErrCard)
	}
	t.out = t.flight.bytes()
	return nil
}

// complain asks for the last block again; before the sizes are agreed the
// request itself is repeated (9.2.5.1).
func (t *T1) complain(reason byte) error {
	if t.flight.kind() == blockS {
		return t.again()
	}
	if t.tries++; t.tries > maxT1Tries {
		t.failed = true
		return fmt.Errorf("%w: no good block after %d tries", ErrCard, maxT1Tries)
	}
	t.out = rBlock(t.nr, reason).bytes()
	return nil
}
