package codec

import "strconv"

// SetText sets element de to a value: digits or characters, which are padded as
// the layout says. 0 is the MTI. Of a composite element it is the content.
func (m *Message) SetText(de int, v string) {
	m.tmp = append(m.tmp[:0], v...)
	m.set(de)
}

// SetBytes is [Message.SetText] for a value in bytes.
func (m *Message) SetBytes(de int, v []byte) {
	m.tmp = append(m.tmp[:0], v...)
	m.set(de)
}

// SetNumber sets element de to a number, which must not be negative. A field of
// fixed length gets leading zeros, also where it is text.
func (m *Message) SetNumber(de int, v int64) {
	if v < 0 {
		m.fail(de, reasonNegative)
		return
	}
	m.tmp = strconv.AppendInt(m.tmp[:0], v, 10)
	if m.settable(de) {
		m.tmp = m.p.slots[de].zeros(m.tmp)
		m.set(de)
	}
}

// zeros puts leading zeros before digits that a fixed field would not pad.
func (s *slot) zeros(digits []byte) []byte {
	if s.prefix == Fixed && s.pad.Side == NoPad && len(digits) < int(s.max) && s.enc != ASCIIToHex {
		return padTo(digits, int(s.max), Pad{Left, '0'})
	}
	return digits
}

// SetContent sets element de to content as it stands in a message, without
// length and padding: n units, which are the bytes of content unless the
// encoding has other ones.
func (m *Message) SetContent(de int, content []byte, n int) {
	if !m.settable(de) {
		return
	}
	s := &m.p.slots[de]
	start := len(m.buf)
	m.buf = append(m.buf, content...)
	if n < 0 || n > MaxMessage || s.size(n) != len(content) || !s.fits(n, m.buf[start:]) {
		m.buf = m.buf[:start]
		m.fail(de, reasonWrongLen)
		return
	}
	m.place(de, start, n)
}

// CopyFrom takes element de over from another message of the same program, when
// that has it.
func (m *Message) CopyFrom(o *Message, de int) {
	v := o.Value(de)
	if !v.Present() {
		return
	}
	if s := &o.p.slots[de]; o.skimmed || o.p != m.p || s.kind == Composite || s.objects {
		m.SetContent(de, v.Wire(), v.Len())
		return
	}
	// What is in a message has been checked.
	start := len(m.buf)
	m.buf = append(m.buf, v.Wire()...)
	m.present(de, start, v.Len())
}

// Fail keeps a reason as [Message.Err], unless there is one already: for rules
// above the layout.
func (m *Message) Fail(de int, reason string) { m.fail(de, reason) }

func (m *Message) fail(de int, why string) {
	if m.err == nil {
		m.err = fieldError(de, -1, why)
	}
}

func (m *Message) settable(de int) bool {
	if de < 0 || de > MaxElement || m.p.slots[de].kind == 0 || !m.p.maps.holds(de) {
		m.fail(de, ReasonNoPlace)
		return false
	}
	return true
}

// holds reports whether the bitmaps can announce element de.
func (b *bitmaps) holds(de int) bool { return de <= 8*b.length*b.max }

// set encodes m.tmp as the value of element de.
func (m *Message) set(de int) {
	if !m.settable(de) {
		return
	}
	s := &m.p.slots[de]
	start := len(m.buf)
	n, why := m.encode(s)
	if why != "" {
		m.buf = m.buf[:start]
		m.fail(de, why)
		return
	}
	m.place(de, start, n)
}

// encode appends the content that says m.tmp to m.buf.
func (m *Message) encode(s *slot) (n int, why string) {
	if s.kind == Bits {
		return m.encodeBits(s)
	}
	// encode may let the scratch memory grow: padding is in it.
	before := len(m.tmp)
	m.tmp = reserve(m.tmp, int(s.fill)+20)
	m.buf, n, why = s.encode(m.buf, m.tmp[:before])
	return n, why
}

// reserve makes room for n more bytes than there are.
func reserve(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = append(make([]byte, 0, 2*cap(b)+n), b...)
	}
	return b
}

// encodeBits appends a bitmap that announces just as many as there are.
func (m *Message) encodeBits(s *slot) (n int, why string) {
	start := len(m.buf)
	m.buf, why = s.encodeUnits(m.buf, m.tmp)
	n = len(m.tmp)
	if why == "" && !s.fits(n, m.buf[start:]) {
		why = reasonWrongLen
	}
	return n, why
}

// fits reports whether the layout allows n units of this content.
func (s *slot) fits(n int, content []byte) bool {
	switch {
	case s.expand:
		return n > 0 && n%int(s.max) == 0 && s.spread(content, 0) == n
	case s.prefix == Fixed:
		return n == int(s.max)
	}
	return n >= int(s.min) && n <= int(s.max)
}

// place checks n units of content at m.buf[start:] as if they had arrived, and
// makes them the value of element de.
func (m *Message) place(de, start, n int) {
	s := &m.p.slots[de]
	var err *FieldError
	at := m.at[de]
	m.at[de] = span{}
	if s.kind == Composite || s.objects {
		err = m.p.indexElement(m, de, start, len(m.buf))
	} else if why := s.check(m.buf[start:], n, &m.tmp); why != "" {
		err = fieldError(de, -1, why)
	}
	if err != nil {
		m.buf, m.at[de] = m.buf[:start], at
		if m.err == nil {
			err.Offset = -1
			m.err = err
		}
		return
	}
	m.present(de, start, n)
}

// present makes n units of checked content at m.buf[start:] the value of element de.
func (m *Message) present(de, start, n int) {
	m.at[de].off, m.at[de].n = uint32(start), uint16(n)
	m.dirty = true
	if de == 0 {
		m.hasMTI = true
		return
	}
	m.bits.set(de)
}
