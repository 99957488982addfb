package iso8583

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"tallystick.example/internal/pure/bcd"
)

// A span is where the content of an element lies in the buffer of a message,
// and how many digits, characters or bytes it has.
type span struct {
	off uint32
	n   uint16
}

// A Message is one ISO 8583 message: a received one from [Unpack], or one that
// is being built. Its methods must not be called from several goroutines while
// one of them changes it.
//
// A setter that is given a value that the element cannot hold keeps the first
// such error; [Pack] and [Message.Err] return it. So builders need no error
// check after each element, and no wrong message can leave.
type Message struct {
	mti  MTI
	bits [2]uint64 // element 1 is bit 63 of the first; bits of elements 1 and 65 stay clear
	at   [maxElement + 1]span
	buf  []byte // what was received, then the contents that were set
	raw  int    // length of what was received
	err  error
}

// New begins a message of type t.
func New(t MTI) *Message { return &Message{mti: t} }

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
	m.buf = append(m.buf[:0], raw[:min(len(raw), MaxMessage+1)]...)
	m.raw, m.err = len(m.buf), nil
	if err := native.unpack(m); err != nil {
		*m = Message{buf: m.buf[:0]}
		return err
	}
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
	return native.pack(dst, m), nil
}

// Err is the error of the first setter that failed, nil when none did.
func (m *Message) Err() error { return m.err }

// Raw returns the bytes that were received, nil for a message that was built.
// They belong to m: the caller must not change them.
func (m *Message) Raw() []byte {
	if m.raw == 0 {
		return nil
	}
	return m.buf[:m.raw:m.raw]
}

// Format writes message type and STAN for every verb, never an element that may
// be sensitive. [Describe] shows more.
func (m *Message) Format(f fmt.State, _ rune) {
	// The state of a formatter has no failing writer; fmt ignores it too.
	_, _ = io.WriteString(f, m.mti.String()+" STAN "+m.STAN())
}

// Clone returns an independent copy.
func (m *Message) Clone() *Message {
	c := *m
	c.buf = slices.Clone(m.buf)
	return &c
}

// MTI is the message type.
func (m *Message) MTI() MTI { return m.mti }

// Has reports whether element de is present.
func (m *Message) Has(de int) bool {
	return de >= 2 && de <= maxElement && m.bits[(de-1)/64]>>(63-(de-1)%64)&1 == 1
}

// content is the wire form of an element without its length, nil when absent.
func (m *Message) content(de int) []byte {
	if !m.Has(de) {
		return nil
	}
	p := m.at[de]
	end := int(p.off) + native.slots[de].size(int(p.n))
	return m.buf[p.off:end:end]
}

// Digits returns a numeric element with its leading zeros, empty when it is
// absent or not numeric.
func (m *Message) Digits(de int) string {
	c := m.content(de)
	if c == nil || native.slots[de].kind != kindDigits {
		return ""
	}
	return digits(c, int(m.at[de].n))
}

// digits writes out n packed digits that have been checked before.
func digits(packed []byte, n int) string {
	var scratch [maxDigits]byte
	d, err := bcd.AppendDigits(scratch[:0], packed, n)
	if err != nil {
		panic("iso8583: a message holds digits that were not checked")
	}
	return string(d)
}

// maxDigits is the length of the longest numeric element.
const maxDigits = 42

// Text returns a text element, a fixed one without the spaces that fill it on
// the right; empty when it is absent or not a text.
func (m *Message) Text(de int) string {
	c := m.content(de)
	if c == nil || native.slots[de].kind != kindText {
		return ""
	}
	if native.slots[de].prefix == 0 {
		return strings.TrimRight(string(c), " ")
	}
	return string(c)
}

// Bytes returns a copy of a binary element, nil when it is absent or not binary.
func (m *Message) Bytes(de int) []byte {
	if c := m.content(de); c != nil && native.slots[de].kind == kindBinary {
		return slices.Clone(c)
	}
	return nil
}

// Number returns a numeric element of up to 18 digits as a number, 0 when it is
// absent.
func (m *Message) Number(de int) int64 {
	n, err := strconv.ParseInt(m.Digits(de), 10, 64)
	if err != nil {
		return 0 // absent, or longer than any number of the interface
	}
	return n
}

// Clear takes element de out.
func (m *Message) Clear(de int) {
	if m.Has(de) {
		m.bits[(de-1)/64] &^= 1 << (63 - (de-1)%64)
	}
}

// fail keeps the first error of a setter.
func (m *Message) fail(de int, reason string) {
	if m.err == nil {
		m.err = &FieldError{de, -1, reason}
	}
}

// set puts n digits, characters or bytes of element de, which have been
// appended to m.buf from start on, in place.
func (m *Message) set(de, start, n int) {
	m.at[de] = span{uint32(start), uint16(n)}
	m.bits[(de-1)/64] |= 1 << (63 - (de-1)%64)
}

// fits finds the slot of an element that is being set and checks kind and length.
func (m *Message) fits(de, n int, k kind) (*slot, bool) {
	if de < 2 || de > maxElement || native.slots[de].kind != k {
		m.fail(de, "the element does not hold such a value")
		return nil, false
	}
	s := &native.slots[de]
	if s.prefix == 0 && n != int(s.max) || n == 0 || n > int(s.max) {
		m.fail(de, "the value has a wrong length")
		return nil, false
	}
	return s, true
}

// SetDigits sets a numeric element: all digits of a fixed one, with leading zeros.
func (m *Message) SetDigits(de int, digits string) {
	if _, ok := m.fits(de, len(digits), kindDigits); !ok {
		return
	}
	start := len(m.buf)
	buf, err := bcd.Append(m.buf, digits)
	if err != nil {
		m.fail(de, "the value is not decimal")
		return
	}
	m.buf = buf
	m.set(de, start, len(digits))
}

// SetNumber sets a fixed numeric element, filling with zeros on the left. v must
// not be negative and must fit.
func (m *Message) SetNumber(de int, v int64) {
	if de < 2 || de > maxElement || v < 0 {
		m.fail(de, "the element does not hold such a value")
		return
	}
	d := strconv.FormatInt(v, 10)
	if fill := int(native.slots[de].max) - len(d); fill > 0 {
		d = strings.Repeat("0", fill) + d
	}
	m.SetDigits(de, d)
}

// SetText sets a text element; a fixed one is filled with spaces on the right.
func (m *Message) SetText(de int, text string) {
	if de >= 2 && de <= maxElement && native.slots[de].prefix == 0 && text != "" {
		if fill := int(native.slots[de].max) - len(text); fill > 0 {
			text += strings.Repeat(" ", fill)
		}
	}
	s, ok := m.fits(de, len(text), kindText)
	if !ok {
		return
	}
	if reason := s.check([]byte(text), len(text)); reason != "" {
		m.fail(de, reason)
		return
	}
	start := len(m.buf)
	m.buf = append(m.buf, text...)
	m.set(de, start, len(text))
}

// SetBytes sets a binary element to a copy of b.
func (m *Message) SetBytes(de int, b []byte) {
	if _, ok := m.fits(de, len(b), kindBinary); !ok {
		return
	}
	start := len(m.buf)
	m.buf = append(m.buf, b...)
	m.set(de, start, len(b))
}

// copyFrom takes element de over from another message, when that has it.
func (m *Message) copyFrom(o *Message, de int) {
	if c := o.content(de); c != nil {
		start := len(m.buf)
		m.buf = append(m.buf, c...)
		m.set(de, start, int(o.at[de].n))
	}
}
