package transport

import "fmt"

type tpduState int

const (
	tpduProcedure tpduState = iota // a procedure byte comes
	tpduAll                        // all outstanding data bytes come
	tpduOne                        // one data byte comes, then a procedure byte
	tpduSW2                        // the second status byte comes
	tpduDone
)

// tpdu is one command of T=0 after its header has been sent (ISO/IEC 7816-3,
// 10.3).
type tpdu struct {
	ins   byte
	rest  []byte // data not yet sent
	want  int    // data bytes that may still come
	got   []byte // data received, in the end with the status bytes
	nulls int
	state tpduState
}

func newTPDU(whole []byte, c Command) tpdu {
	t := tpdu{ins: c.INS, rest: whole[headerSize:]}
	if len(c.Data) == 0 && c.Le > 0 {
		t.want = c.Le
	}
	return t
}

// character takes one byte of the card and says what to send.
func (t *tpdu) character(b byte) ([]byte, error) {
	switch t.state {
	case tpduProcedure:
		return t.procedure(b)
	case tpduSW2:
		t.got = append(t.got, b)
		t.state = tpduDone
	default:
		t.got = append(t.got, b)
		t.want--
		if t.want == 0 || t.state == tpduOne {
			t.state = tpduProcedure
		}
	}
	return nil, nil
}

// procedure acts on a procedure byte (ISO/IEC 7816-3, table 11).
func (t *tpdu) procedure(b byte) ([]byte, error) {
	switch {
	case b == 0x60:
		if t.nulls++; t.nulls > maxNull {
			return nil, fmt.Errorf("%w: it asks for time again and again", ErrCard)
		}
		return nil, nil
	case b == t.ins:
		return t.transfer(len(t.rest), tpduAll)
	case b == t.ins^0xFF:
		return t.transfer(min(1, len(t.rest)), tpduOne)
	case b&0xF0 == 0x60 || b&0xF0 == 0x90:
		t.got = append(t.got, b)
		t.state = tpduSW2
		return nil, nil
	default:
		return nil, fmt.Errorf("%w: unknown procedure byte", ErrCard)
	}
}

// transfer sends the next n bytes, or lets data come.
func (t *tpdu) transfer(n int, receiving tpduState) ([]byte, error) {
	switch {
	case n > 0:
		send := t.rest[:n]
		t.rest = t.rest[n:]
		return send, nil
	case t.want > 0:
		t.state = receiving
		return nil, nil
	default:
		return nil, fmt.Errorf("%w: it asks for data of a command that has none left", ErrCard)
	}
}

// cutShort ends an answer that has fewer data bytes than asked for, where its
// last two bytes are status bytes.
func (t *tpdu) cutShort() bool {
	n := len(t.got) - swSize
	if t.state != tpduAll || n < 0 {
		return false
	}
	if sw1 := t.got[n]; sw1 == 0x60 || sw1&0xF0 != 0x60 && sw1&0xF0 != 0x90 {
		return false
	}
	t.state = tpduDone
	return true
}
