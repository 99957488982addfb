package transport

// CardT0 is the card's side of T=0: it takes characters from the terminal,
// hands whole commands to the application and turns the application's answer
// into procedure bytes, 61xx with GET RESPONSE, or 6Cxx.
type CardT0 struct {
	takesData func(cla, ins byte) bool
	in        []byte // header, then data
	want      int    // bytes that complete in
	pending   []byte // answer data not yet fetched
	last      uint16 // status after the last byte of pending
	held      bool   // pending waits for the same command with the exact length
	heldBy    [4]byte
}

// NewCardT0 makes a card that has just been reset. takesData tells for a class
// and instruction whether P3 counts data from the terminal (cases 3 and 4);
// T=0 has no other way to know the direction.
func NewCardT0(takesData func(cla, ins byte) bool) *CardT0 {
	return &CardT0{takesData: takesData, want: headerSize}
}

// Receive takes characters from the terminal. It returns what the card sends,
// and the command when one is complete: the application's answer to it goes
// through Answer. Characters after a complete command are dropped, as a card
// that is busy drops them.
func (c *CardT0) Receive(in []byte) (send []byte, command *Command) {
	for i, b := range in {
		c.in = append(c.in, b)
		if len(c.in) < c.want {
			continue
		}
		if out, wait := c.header(); wait {
			send = append(send, out...)
			continue
		}
		done, cmd := c.complete()
		if cmd != nil || i == len(in)-1 {
			return append(send, done...), cmd
		}
		send = append(send, done...)
	}
	return send, nil
}

// header acknowledges a command that brings data.
func (c *CardT0) header() (send []byte, wait bool) {
	if c.want != headerSize || c.in[4] == 0 || !c.takesData(c.in[0], c.in[1]) {
		return nil, false
	}
	c.want += int(c.in[4])
	return []byte{c.in[1]}, true
}

// complete acts on a whole command: it answers GET RESPONSE and repetitions
// itself and hands over the rest.
func (c *CardT0) complete() (send []byte, command *Command) {
	in := c.in
	c.in, c.want = nil, headerSize
	header := [4]byte(in)
	cmd := &Command{CLA: in[0], INS: in[1], P1: in[2], P2: in[3]}
	switch {
	case header == [4]byte{0, insGetResponse, 0, 0}:
		return c.getResponse(expected(in[4])), nil
	case c.held && header == c.heldBy && expected(in[4]) == len(c.pending):
		return c.give(in[1], len(c.pending)), nil
	case len(in) > headerSize:
		cmd.Data = in[headerSize:]
		cmd.Le = maxAnswer // T=0 does not say; what comes is fetched by GET RESPONSE
	case !c.takesData(in[0], in[1]):
		cmd.Le = expected(in[4])
	}
	c.pending, c.held = nil, false
	c.heldBy = header
	return nil, cmd
}

// Answer gives what the card sends for the application's answer r to command.
func (c *CardT0) Answer(command Command, r Response) []byte {
	if len(r.Data) == 0 {
		return sw(r.SW)
	}
	c.pending = append([]byte(nil), r.Data...)
	c.last = r.SW
	warned := isWarning(byte(r.SW >> 8))
	switch {
	case len(command.Data) > 0 && warned:
		c.last = 0x9000 // the warning was given; the data follow it plainly
		return sw(r.SW)
	case len(command.Data) > 0:
		return []byte{0x61, byte(len(c.pending))}
	case command.Le == len(c.pending):
		return c.give(command.INS, len(c.pending))
	default:
		c.held = true
		return []byte{0x6C, byte(len(c.pending))}
	}
}

func (c *CardT0) getResponse(le int) []byte {
	if len(c.pending) == 0 || c.held {
		return sw(0x6985) // nothing to fetch
	}
	if le > len(c.pending) {
		return []byte{0x6C, byte(len(c.pending))}
	}
	return c.give(insGetResponse, le)
}

// give sends n bytes of the pending answer behind a procedure byte.
func (c *CardT0) give(ins byte, n int) []byte {
	out := append([]byte{ins}, c.pending[:n]...)
	c.pending = c.pending[n:]
	c.held = false
	if rest := len(c.pending); rest > 0 {
		return append(out, 0x61, byte(rest))
	}
	return append(out, sw(c.last)...)
}

func sw(v uint16) []byte { return []byte{byte(v >> 8), byte(v)} }
