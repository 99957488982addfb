package transport

import "fmt"

// Level says in which form a reader takes commands.
type Level int

// The levels of readers (CCID 1.1, dwFeatures).
const (
	// LevelAPDU readers take the APDU as it is.
	LevelAPDU Level = iota
	// LevelTPDU readers take a T=0 TPDU: header of five bytes and data, without
	// the Le of a case 4 command.
	LevelTPDU
)

const insGetResponse = 0xC0

// An Exchange carries one command through a reader and gathers its answer: it
// asks again with the exact length after 6Cxx and fetches with GET RESPONSE
// after 61xx and after a warning of a case 4 command (EMV Level 1 Contact,
// Annex A; ISO/IEC 7816-3, 12.2).
type Exchange struct {
	level   Level
	current Command // what was sent last
	case4   bool    // the command of the caller has data and expects data
	fresh   bool    // current has not been sent
	resized bool    // current was sent again after 6Cxx
	warning uint16  // status of the command itself, kept while its data are fetched
	data    []byte
	answer  Response
	done    bool
	failed  bool
}

// NewExchange prepares the exchange of an APDU of 4 to 261 bytes. What is no
// APDU gives ErrCommand. command is not kept.
func NewExchange(command []byte, level Level) (*Exchange, error) {
	c, err := ParseCommand(command)
	if err != nil {
		return nil, err
	}
	return &Exchange{level: level, current: c, case4: len(c.Data) > 0 && c.Le > 0, fresh: true}, nil
}

// Send is the command to send now; nil when an answer is awaited or the
// exchange is over.
func (x *Exchange) Send() []byte {
	if !x.fresh {
		return nil
	}
	x.fresh = false
	if x.level == LevelTPDU {
		return x.current.tpdu()
	}
	return x.current.Bytes()
}

// Receive takes the reader's answer: data and two status bytes. ErrCard means
// that the card session is over; Receive without a Send before it is a mistake
// of the program and panics.
func (x *Exchange) Receive(answer []byte) error {
	if x.done || x.fresh || x.failed {
		panic("transport: an answer without a command")
	}
	r, err := ParseResponse(answer)
	if err == nil {
		err = x.take(r)
	}
	x.failed = err != nil
	return err
}

// Response is the whole answer once the exchange is done.
func (x *Exchange) Response() (Response, bool) { return x.answer, x.done }

// sender is the command in flight, for the machine of T=0 below.
func (x *Exchange) sender() Command { return x.current }

func (x *Exchange) take(r Response) error {
	if len(x.data)+len(r.Data) > maxAnswer {
		return fmt.Errorf("%w: more than %d bytes of answer", ErrCard, maxAnswer)
	}
	x.data = append(x.data, r.Data...)
	switch sw1 := byte(r.SW >> 8); {
	case sw1 == 0x6C && x.canResize(len(r.Data)):
		x.current.Le = expected(byte(r.SW))
		x.resized, x.fresh = true, true
	case sw1 == 0x61:
		if x.fetching() && len(r.Data) == 0 {
			return fmt.Errorf("%w: 61xx without data to GET RESPONSE", ErrCard)
		}
		x.fetch(expected(byte(r.SW)))
	case x.case4 && !x.fetching() && isWarning(sw1) && len(r.Data) == 0:
		x.warning = r.SW
		x.fetch(maxAnswer)
	default:
		x.finish(r.SW)
	}
	return nil
}

// canResize allows one repetition, of a command whose length byte is an Le.
func (x *Exchange) canResize(received int) bool {
	inTPDU := x.level == LevelTPDU && len(x.current.Data) > 0
	return x.current.Le > 0 && !inTPDU && !x.resized && received == 0
}

func (x *Exchange) fetching() bool { return x.current.INS == insGetResponse && x.current.CLA == 0 }

func (x *Exchange) fetch(n int) {
	x.current = Command{INS: insGetResponse, Le: n}
	x.resized, x.fresh = false, true
}

// finish keeps the warning of the command where only its data were fetched.
func (x *Exchange) finish(sw uint16) {
	if x.warning != 0 && sw == 0x9000 {
		sw = x.warning
	}
	x.answer, x.done = Response{Data: x.data, SW: sw}, true
}

func isWarning(sw1 byte) bool { return sw1 == 0x62 || sw1 == 0x63 }
