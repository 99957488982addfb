package iso8583

import (
	"errors"
	"fmt"

	"tallystick.example/iso8583/codec"
)

// A FieldError says that an element cannot be read or written: its DE, a byte
// offset into the message (-1 for an element that is being set) and a reason. It
// never holds the value.
type FieldError = codec.FieldError

// A RuleError says that a readable message breaks a rule of the message table.
// It never holds the value of an element.
type RuleError struct {
	DE     int    // element that breaks the rule, 0 for the MTI
	Tag    byte   // tag within DE 63, 0 when the rule is about the element
	Code   string // DE 39 of the refusal; empty when nothing is answered
	Reason string // without values
}

// Error names the element, the tag and the reason.
func (e *RuleError) Error() string {
	if e.Tag != 0 {
		return fmt.Sprintf("iso8583: DE %d tag %02X: %s", e.DE, e.Tag, e.Reason)
	}
	return fmt.Sprintf("iso8583: DE %d: %s", e.DE, e.Reason)
}

// ErrNoMAC means that a message has no MAC element where it should be: DE 128
// when there is a second bitmap, DE 64 otherwise.
var ErrNoMAC = errors.New("iso8583: the message has no MAC")

// RefusalCode maps an error of [Unpack] or [Validate] to the DE 39 of the
// refusal: the code of a *RuleError, 30 (format error) for any other. Empty
// means that the message gets no answer.
func RefusalCode(err error) string {
	if r, ok := errors.AsType[*RuleError](err); ok {
		return r.Code
	}
	return "30"
}
