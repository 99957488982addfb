package iso8583

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tallystick.example/iso8583/codec"
)

// A Message is one ISO 8583 message: a received one from [Unpack], or one that
// is being built. Its methods must not be called from several goroutines while
// one of them changes it.
//
// A setter that is given a value that the element cannot hold keeps the first
// such error; [Pack] and [Message.Err] return it. So builders need no error
// check after each element, and no wrong message can leave.
type Message struct {
	mti  MTI
	wire codec.Message
	err  error // of what is set within an element
}

// New begins a message of type t.
func New(t MTI) *Message {
	m := new(Message)
	m.Reset(t)
	return m
}

// Reset begins a message of type t in the memory of m.
func (m *Message) Reset(t MTI) {
	m.mti, m.err = t, nil
	m.wire.Reset(native)
	m.wire.SetContent(0, []byte{byte(t >> 8), byte(t)}, 4)
}

// Unpack reads one message: MTI, bitmaps, elements, nothing after them. The
// message keeps its own copy of raw. Every element is checked for its length
// and its alphabet; the rules of the message table are [Validate]'s matter.
// The error is a *FieldError.
func Unpack(raw []byte) (*Message, error) {
	m := new(Message)
	if err := m.Unpack(raw); err != nil {
		return nil, err
	}
	return m, nil
}

// Unpack is like the function [Unpack] into m, whose memory it uses again. After
// an error m is empty.
func (m *Message) Unpack(raw []byte) error {
	m.mti, m.err = 0, nil
	m.wire.Reset(native)
	if err := m.wire.Unpack(raw); err != nil {
		return err
	}
	c := m.wire.Value(0).Wire()
	m.mti = MTI(c[0])<<8 | MTI(c[1])
	return nil
}

// Pack writes m. A message that was received and not changed gives the bytes
// that came. The error is that of the first setter that failed.
func Pack(m *Message) ([]byte, error) { return m.AppendTo(nil) }

// AppendTo is like [Pack] and appends to dst.
func (m *Message) AppendTo(dst []byte) ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	return m.wire.AppendTo(dst)
}

// Err is the error of the first setter that failed, nil when none did.
func (m *Message) Err() error {
	if m.err != nil {
		return m.err
	}
	return m.wire.Err()
}

// Raw returns the bytes that were received, nil for a message that was built.
// They belong to m: the caller must not change them.
func (m *Message) Raw() []byte { return m.wire.Raw() }

// Format writes message type and STAN for every verb, never an element that may
// be sensitive. [Describe] shows more.
func (m *Message) Format(f fmt.State, _ rune) {
	// The state of a formatter has no failing writer; fmt ignores it too.
	_, _ = io.WriteString(f, m.mti.String()+" STAN "+m.STAN())
}

// Clone returns an independent copy.
func (m *Message) Clone() *Message { return &Message{m.mti, *m.wire.Clone(), m.err} }

// MTI is the message type.
func (m *Message) MTI() MTI { return m.mti }

// Has reports whether element de is present.
func (m *Message) Has(de int) bool { return de >= 2 && m.wire.Has(de) }

// second reports whether an element of the second bitmap is present.
func (m *Message) second() bool { return m.wire.Present()[1] != 0 }

// Value is a view of element de, without a copy; 0 is the MTI. Of DE 55 it has
// the chip's data objects ([codec.Value.Object]).
func (m *Message) Value(de int) codec.Value { return m.wire.Value(de) }

// content is the wire form of an element without its length, nil when absent.
func (m *Message) content(de int) []byte { return m.wire.Value(de).Wire() }

// value is element de when it is written in such a way.
func (m *Message) value(de int, enc codec.Encoding) (v codec.Value, ok bool) {
	v = m.wire.Value(de)
	return v, de != 0 && v.Encoding() == enc
}

// Digits returns a numeric element with its leading zeros, empty when it is
// absent or not numeric.
func (m *Message) Digits(de int) string {
	if v, ok := m.value(de, codec.BCD); ok {
		return v.Text()
	}
	return ""
}

// Text returns a text element, a fixed one without the spaces that fill it on
// the right; empty when it is absent or not a text.
func (m *Message) Text(de int) string {
	v, ok := m.value(de, codec.ASCII)
	if !ok {
		return ""
	}
	if native.Fixed(de) {
		return strings.TrimRight(v.Text(), " ")
	}
	return v.Text()
}

// Bytes returns a copy of a binary element, nil when it is absent or not binary.
func (m *Message) Bytes(de int) []byte {
	if v, ok := m.value(de, codec.Binary); ok {
		return slices.Clone(v.Wire())
	}
	return nil
}

// Number returns a numeric element of up to 18 digits as a number, 0 when it is
// absent or longer than any number of the interface.
func (m *Message) Number(de int) int64 {
	if v, ok := m.value(de, codec.BCD); ok {
		n, _ := v.Number()
		return n
	}
	return 0
}

// Clear takes element de out.
func (m *Message) Clear(de int) { m.wire.Clear(de) }

// fail keeps the first error of a setter.
func (m *Message) fail(de int, reason string) { m.wire.Fail(de, reason) }

// holds reports whether element de is written in such a way; it is an error of
// the message when not.
func (m *Message) holds(de int, enc codec.Encoding) bool {
	if de < 2 || native.Encoding(de) != enc {
		m.fail(de, "the element does not hold such a value")
		return false
	}
	return true
}

// SetDigits sets a numeric element: all digits of a fixed one, with leading zeros.
func (m *Message) SetDigits(de int, digits string) {
	if m.holds(de, codec.BCD) {
		m.wire.SetText(de, digits)
	}
}

// SetNumber sets a fixed numeric element, filling with zeros on the left. v must
// not be negative and must fit.
func (m *Message) SetNumber(de int, v int64) {
	if m.holds(de, codec.BCD) {
		m.wire.SetNumber(de, v)
	}
}

// SetText sets a text element; a fixed one is filled with spaces on the right.
func (m *Message) SetText(de int, text string) {
	if !m.holds(de, codec.ASCII) {
		return
	}
	if native.Fixed(de) && text != "" {
		if fill := native.Length(de) - len(text); fill > 0 {
			text += strings.Repeat(" ", fill)
		}
	}
	m.wire.SetText(de, text)
}

// SetBytes sets a binary element to a copy of b.
func (m *Message) SetBytes(de int, b []byte) {
	if m.holds(de, codec.Binary) {
		m.wire.SetBytes(de, b)
	}
}

// CopyFrom takes element de over from another message, when that has it.
func (m *Message) CopyFrom(o *Message, de int) { m.wire.CopyFrom(&o.wire, de) }
