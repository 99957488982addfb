// Package ccid reads and writes the messages of smart card readers on a serial
// line: CCID messages (USB CCID 1.1, clause 6) between 03 06 and an exclusive-or
// check byte, as readers of the GemPC Twin family use them.
//
// A frame is 03 06, a header of ten bytes, 0 to 261 bytes of data, and the
// exclusive-or of all bytes before. Between frames a reader may send 50 02 (card
// removed), 50 03 (card inserted), one byte of 80 or more (the card asks for
// more time under T=0), and 03 15 16 (NAK: the last frame was not understood).
// Readers of the GemPC Twin send every command back before they answer it.
//
// The package is pure: no line and no clock. [AppendFrame] writes; a [Decoder]
// reads whatever arrives, in any division, and finds its way back after errors.
package ccid

import (
	"errors"
	"fmt"
)

// Type is the first byte of a CCID message.
type Type byte

// Commands (CCID 1.1, 6.1).
const (
	PowerOn       Type = 0x62
	PowerOff      Type = 0x63
	GetSlotStatus Type = 0x65
	XfrBlock      Type = 0x6F
	GetParameters Type = 0x6C
	SetParameters Type = 0x61
	Escape        Type = 0x6B
)

// Answers (CCID 1.1, 6.2).
const (
	DataBlock    Type = 0x80
	SlotStatus   Type = 0x81
	Parameters   Type = 0x82
	EscapeAnswer Type = 0x83
)

// Sizes in bytes.
const (
	headerSize = 10
	// MaxData is the longest data part: a short command APDU.
	MaxData = 261
	// MaxMessage is the longest message, without 03 06 and check byte.
	MaxMessage = headerSize + MaxData
	// MaxFrame is the longest frame.
	MaxFrame = 2 + MaxMessage + 1
)

// Errors of frames and answers. No text carries data of a card.
var (
	// ErrFrame means that bytes are no frame: wrong start, length or check byte.
	ErrFrame = errors.New("ccid: malformed frame")
	// ErrData means that data are too long to be sent.
	ErrData = errors.New("ccid: more than 261 bytes of data")
)

// A Message is a command or an answer.
type Message struct {
	Type Type
	Slot byte
	Seq  byte // the answer carries the number of its command
	// Params are the three bytes behind the sequence number. In an answer the
	// first is the status, the second the error.
	Params [3]byte
	Data   []byte // 0 to 261 bytes
}

// Command makes a command.
func Command(t Type, seq byte, params [3]byte, data []byte) Message {
	return Message{Type: t, Seq: seq, Params: params, Data: data}
}

// Answers tells whether m may be the answer to command c: same slot and number,
// and the type that answers it.
func (m Message) Answers(c Message) bool {
	return m.Slot == c.Slot && m.Seq == c.Seq && m.Type == c.Type.Answer()
}

// IsCommand tells a command from an answer, and so an echo on the host's side.
func (t Type) IsCommand() bool { return t < 0x80 }

// Answer is the type of the answer to a command of type t. What is no known
// command is answered with SlotStatus.
func (t Type) Answer() Type {
	switch t {
	case PowerOn, XfrBlock:
		return DataBlock
	case GetParameters, SetParameters:
		return Parameters
	case Escape:
		return EscapeAnswer
	default:
		return SlotStatus
	}
}

// Card is the state of the card in an answer (bits 1 and 2 of the status).
type Card byte

// States of a card.
const (
	CardActive   Card = 0 // present and powered
	CardInactive Card = 1 // present, not powered
	CardAbsent   Card = 2
)

// Outcome is how a command ended (bits 7 and 8 of the status).
type Outcome byte

// Outcomes of a command.
const (
	Done     Outcome = 0
	Failed   Outcome = 1
	MoreTime Outcome = 2 // not an answer yet: wait Params[1] times the block waiting time
)

// Card is the state of the card that answer m reports.
func (m Message) Card() Card { return Card(m.Params[0] & 0x03) }

// Outcome is how the command of answer m ended.
func (m Message) Outcome() Outcome { return Outcome(m.Params[0] >> 6) }

// Status makes the parameters of an answer: state of the card, outcome, error
// and the last byte, whose meaning depends on the type.
func Status(card Card, outcome Outcome, code, last byte) [3]byte {
	return [3]byte{byte(card) | byte(outcome)<<6, code, last}
}

// Codes of failed commands (CCID 1.1, table 6.2-2). Smaller values are the
// position of a parameter that was refused; 0 means an unknown command.
const (
	CodeMute             = 0xFE // the card did not answer
	CodeParity           = 0xFD
	CodeOverrun          = 0xFC
	CodeHardware         = 0xFB
	CodeBadTS            = 0xF8
	CodeBadTCK           = 0xF7
	CodeProtocol         = 0xF6
	CodeClass            = 0xF5
	CodeProcedureByte    = 0xF4
	CodeDeactivated      = 0xF3
	CodeBusy             = 0xF2
	CodeSlotBusy         = 0xE0
	CodeUnknownCommand   = 0x00
	CodeWrongLength      = 0x01
	CodeNoSuchSlot       = 0x05
	CodeWrongParameter   = 0x07
	CodeProtocolSelected = 0x0A
)

// A FailedError is the error of an answer whose command failed.
type FailedError struct {
	Card Card
	Code byte // one of the Code constants or the position of a parameter
}

// Error says what the reader reported.
func (e *FailedError) Error() string {
	text := map[byte]string{
		CodeMute: "the card does not answer", CodeParity: "parity error", CodeOverrun: "overrun",
		CodeHardware: "hardware error", CodeBadTS: "answer to reset begins wrongly", CodeBadTCK: "answer to reset has a wrong check byte",
		CodeProtocol: "protocol not supported", CodeClass: "class not supported", CodeProcedureByte: "procedure byte conflict",
		CodeDeactivated: "card deactivated", CodeBusy: "reader busy", CodeSlotBusy: "slot busy", CodeUnknownCommand: "command not supported",
	}[e.Code]
	switch {
	case e.Card == CardAbsent:
		return "ccid: no card in the reader"
	case text == "":
		return fmt.Sprintf("ccid: the reader refused the command (code %02X)", e.Code)
	default:
		return "ccid: " + text
	}
}

// Err is nil for an answer whose command was done, else a *FailedError. A
// request for more time is no error and no answer: look at Outcome first.
func (m Message) Err() error {
	switch m.Outcome() {
	case Done, MoreTime:
		return nil
	default:
		return &FailedError{Card: m.Card(), Code: m.Params[1]}
	}
}
