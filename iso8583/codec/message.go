package codec

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A Bitmap holds which elements are present, element 1 in the highest bit of the
// first word. The bits that announce bitmaps are clear.
type Bitmap [MaxElement / 64]uint64

// Has reports whether the bit of element de is set.
func (b *Bitmap) Has(de int) bool {
	return de >= 1 && de <= MaxElement && b[(de-1)/64]>>(63-(de-1)%64)&1 == 1
}

func (b *Bitmap) set(de int)   { b[(de-1)/64] |= 1 << (63 - (de-1)%64) }
func (b *Bitmap) clear(de int) { b[(de-1)/64] &^= 1 << (63 - (de-1)%64) }

// Last is the highest element, 0 for none.
func (b *Bitmap) Last() int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return i*64 + 64 - bits.TrailingZeros64(b[i])
		}
	}
	return 0
}

// A Message is one message of a program's dialect: one that was unpacked, or one
// that is being built. Its memory is used again and again, so that a long-lived
// one allocates nothing. Its methods must not be called by several goroutines
// while one of them changes it.
//
// A setter that is given what its element cannot hold keeps the first such
// error; [Message.AppendTo] and [Message.Err] return it.
type Message struct {
	p      *Program
	bits   Bitmap
	hasMTI bool
	dirty  bool // differs from what was received
	// skimmed: the contents have not been checked.
	skimmed bool
	raw     int // bytes received
	at      [MaxElement + 1]span
	buf     []byte // what was received, then the contents that were set
	nodes   []node
	tmp     []byte
	err     error
	open    Composer
}

// NewMessage returns an empty message.
func NewMessage(p *Program) *Message { return &Message{p: p} }

// Reset empties m for program p and keeps its memory.
func (m *Message) Reset(p *Program) {
	m.p, m.bits, m.hasMTI, m.dirty, m.raw, m.err = p, Bitmap{}, false, true, 0, nil
	m.buf, m.nodes, m.open.depth, m.skimmed = m.buf[:0], m.nodes[:0], 0, false
}

// Program returns the program of m.
func (m *Message) Program() *Program { return m.p }

// Unpack reads one message: MTI, bitmaps, elements, nothing behind them. m keeps
// its own copy of raw. Every element and subfield is checked. The error is a
// *FieldError, and then m is empty.
func (m *Message) Unpack(raw []byte) error {
	m.load(raw)
	if err := m.p.run(m, MaxElement, false); err != nil {
		m.Reset(m.p)
		return err
	}
	return nil
}

// Skim is like [Message.Unpack] for a message that was refused: it reads MTI and
// elements up to last by their lengths only, so that a wrong character or an
// element behind hides nothing. What it finds must be looked at with
// [Value.Valid] before use.
func (m *Message) Skim(raw []byte, last int) error {
	m.load(raw)
	err := m.p.run(m, last, true)
	if err != nil {
		m.Reset(m.p)
		return err
	}
	for de := last + 1; de <= MaxElement; de++ {
		m.bits.clear(de)
	}
	m.dirty, m.skimmed = true, true
	return nil
}

func (m *Message) load(raw []byte) {
	m.Reset(m.p)
	m.buf = append(m.buf, raw[:min(len(raw), m.p.limit+1)]...)
	m.raw, m.hasMTI, m.dirty = len(m.buf), true, false
}

// Bitmaps reads only MTI and bitmaps of raw, and where the elements begin. The
// error is a *FieldError.
func (p *Program) Bitmaps(raw []byte) (set Bitmap, next int, err error) {
	s := &p.slots[0]
	off, n, why := s.length(raw, 0)
	end := off + s.size(n)
	switch {
	case len(raw) > p.limit:
		why = ReasonTooLong
	case why == "" && end > len(raw):
		why = ReasonEndsInField
	case why == "":
		why = s.check(raw[off:end], n, new([]byte))
	}
	if why != "" {
		return set, 0, fieldError(0, 0, why)
	}
	set, next, ferr := p.bitmapsAt(raw, end)
	if ferr != nil {
		return set, 0, ferr
	}
	return set, next, nil
}

// Raw returns the bytes that were received, nil for a message that was built.
// They belong to m: the caller must not change them.
func (m *Message) Raw() []byte {
	if m.raw == 0 {
		return nil
	}
	return m.buf[:m.raw:m.raw]
}

// Err is the error of the first setter that failed, nil when none did.
func (m *Message) Err() error { return m.err }

// Has reports whether element de is present; 0 is the MTI.
func (m *Message) Has(de int) bool {
	if de == 0 {
		return m.hasMTI
	}
	return m.bits.Has(de)
}

// Present returns the bitmap of m.
func (m *Message) Present() Bitmap { return m.bits }

// Clear takes element de out.
func (m *Message) Clear(de int) {
	if de > 1 && m.Has(de) {
		m.bits.clear(de)
		m.dirty = true
	}
}

// Clone returns an independent copy.
func (m *Message) Clone() *Message {
	c := *m
	c.buf, c.nodes, c.tmp = slices.Clone(m.buf), slices.Clone(m.nodes), nil
	c.open = Composer{}
	return &c
}

// AppendTo appends the message to dst. One that was received and not changed
// gives the bytes that came; in a changed one the contents of the elements that
// were not set are those that came. The error is that of the first setter that
// failed, or says that the MTI is missing or the message too long.
func (m *Message) AppendTo(dst []byte) ([]byte, error) {
	switch {
	case m.err != nil:
		return nil, m.err
	case !m.hasMTI:
		return nil, fieldError(0, -1, reasonNoMTI)
	case !m.dirty:
		return append(dst, m.buf[:m.raw]...), nil
	case m.open.depth != 0:
		return nil, fieldError(m.open.de, -1, reasonOpen)
	}
	if m.p.rest {
		if err := m.p.lengthless(m); err != nil {
			return nil, err
		}
	}
	start := len(dst)
	dst = m.p.pack(dst, m)
	if len(dst)-start > m.p.limit {
		return nil, fieldError(0, -1, ReasonTooLong)
	}
	return dst, nil
}

// lengthless refuses an element behind one that takes all that is left.
func (p *Program) lengthless(m *Message) error {
	last := m.bits.Last()
	for de := range last {
		if m.Has(de) && p.slots[de].prefix == Rest {
			return fieldError(de, -1, ReasonBehindRest)
		}
	}
	return nil
}

// pack writes MTI, bitmaps and elements.
func (p *Program) pack(dst []byte, m *Message) []byte {
	dst = p.appendElement(dst, m, 0)
	dst = p.maps.append(dst, m.bits)
	for w, set := range m.bits {
		for set != 0 {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << (63 - lead)
			dst = p.appendElement(dst, m, w*64+lead+1)
		}
	}
	return dst
}

func (p *Program) appendElement(dst []byte, m *Message, de int) []byte {
	s, at := &p.slots[de], m.at[de]
	n := int(at.n)
	if s.prefix != Fixed {
		dst = s.appendLength(dst, n)
	}
	return append(dst, m.buf[at.off:int(at.off)+s.size(n)]...)
}

// append appends as many bitmaps as the elements need.
func (b *bitmaps) append(dst []byte, set Bitmap) []byte {
	count := 1
	if b.expand {
		count = max(1, (set.Last()+8*b.length-1)/(8*b.length))
		for i := range count - 1 {
			set.set(i*8*b.length + 1)
		}
	}
	var data [MaxElement / 8]byte
	for i, w := range set {
		binary.BigEndian.PutUint64(data[8*i:], w)
	}
	if b.hex {
		return appendHex(dst, data[:count*b.length])
	}
	return append(dst, data[:count*b.length]...)
}
