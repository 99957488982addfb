package codec

import "strconv"

// A Composer builds the value of a composite element, subfield by subfield:
//
//	c := m.Compose(48)
//	c.SetText("1", "…")
//	c.Begin("2") // a composite subfield
//	c.SetNumber("1", 7)
//	c.End()
//	c.End()
//
// By position the subfields come without gaps from the first, by bitmap in
// ascending order; tagged ones stand in the message as they are added, and may
// repeat. Errors go to the message, as with its own setters.
type Composer struct {
	m      *Message
	de     int
	depth  int
	levels [maxDepth]level
}

// A level is one composite field that is being built.
type level struct {
	slot  uint16
	start int  // of its content in m.buf
	next  int  // the least subfield that may follow
	shut  bool // a field without length was added: nothing may follow
	bits  Bitmap
}

// Compose begins the value of composite element de. The Composer belongs to m;
// there is one at a time, and m is not packed before its last End.
func (m *Message) Compose(de int) *Composer {
	c := &m.open
	c.m, c.de, c.depth = m, de, 0
	if !m.settable(de) {
		return c
	}
	if m.p.slots[de].kind != Composite {
		m.fail(de, reasonComposite)
		return c
	}
	c.push(uint16(de))
	return c
}

// push begins a composite field; its bitmap has its place before the subfields.
func (c *Composer) push(si uint16) {
	m := c.m
	l := &c.levels[c.depth]
	*l = level{slot: si, start: len(m.buf)}
	c.depth++
	if t := c.table(); t.mode == byBitmap {
		for range t.maps.size() {
			m.buf = append(m.buf, 0)
		}
	}
}

func (c *Composer) table() *table {
	p := c.m.p
	return &p.tables[p.slots[c.levels[c.depth-1].slot].table]
}

// SetText adds a subfield with a value as [Message.SetText] takes it.
func (c *Composer) SetText(key, v string) {
	c.m.tmp = append(c.m.tmp[:0], v...)
	c.add(key)
}

// SetBytes adds a subfield with a value in bytes. A tag that the layout skips may
// be added too, by the key that it reads as.
func (c *Composer) SetBytes(key string, v []byte) {
	c.m.tmp = append(c.m.tmp[:0], v...)
	c.add(key)
}

// SetNumber adds a subfield with a number, as [Message.SetNumber] does.
func (c *Composer) SetNumber(key string, v int64) {
	if v < 0 {
		c.fail(key, reasonNegative)
		return
	}
	c.m.tmp = strconv.AppendInt(c.m.tmp[:0], v, 10)
	if c.depth > 0 {
		if si, ok := c.table().byKey[key]; ok {
			c.m.tmp = c.m.p.slots[si].zeros(c.m.tmp)
		}
	}
	c.add(key)
}

// Begin begins a composite subfield; what is added next belongs to it, up to End.
func (c *Composer) Begin(key string) {
	si, ok := c.tag(key)
	if !ok {
		return
	}
	if c.m.p.slots[si].kind != Composite || c.depth == maxDepth {
		c.fail(key, reasonComposite)
		return
	}
	c.push(si)
}

// End finishes the element, or the subfield that was begun last.
func (c *Composer) End() {
	m := c.m
	if m.err != nil || c.depth == 0 {
		c.depth = 0
		return
	}
	l := &c.levels[c.depth-1]
	if t := c.table(); t.mode == byBitmap {
		t.maps.append(m.buf[l.start:l.start], l.bits)
	}
	s := &m.p.slots[l.slot]
	n := len(m.buf) - l.start
	if n > int(s.max) || s.prefix == Fixed && n != int(s.max) || n < int(s.min) {
		c.fail("", reasonWrongLen)
		return
	}
	c.depth--
	if c.depth > 0 {
		c.levels[c.depth-1].shut = s.prefix == Rest
	}
	if c.depth == 0 {
		m.place(c.de, l.start, n)
		return
	}
	m.tmp = append(m.tmp[:0], m.buf[l.start:]...)
	m.buf = append(s.appendLength(m.buf[:l.start], n), m.tmp...)
}

// add adds the subfield of key with the value m.tmp.
func (c *Composer) add(key string) {
	m := c.m
	si, ok := c.tag(key)
	if !ok {
		return
	}
	s := &m.p.slots[si]
	c.levels[c.depth-1].shut = s.prefix == Rest
	start := len(m.buf)
	n, why := m.encode(s)
	if why == "" && s.kind != Composite {
		why = s.check(m.buf[start:], n, &m.tmp)
	}
	if why != "" {
		c.fail(key, why)
		return
	}
	if s.prefix == Fixed || s.prefix == Rest {
		return
	}
	m.tmp = append(m.tmp[:0], m.buf[start:]...)
	m.buf = append(s.appendLength(m.buf[:start], n), m.tmp...)
}

// tag finds the slot of key, holds it to the order and writes its tag.
func (c *Composer) tag(key string) (si uint16, ok bool) {
	if c.m.err != nil {
		return 0, false
	}
	if c.depth == 0 {
		c.fail(key, reasonOpen)
		return 0, false
	}
	t, l := c.table(), &c.levels[c.depth-1]
	if l.shut {
		c.fail(key, ReasonBehindRest)
		return 0, false
	}
	si, ok = t.byKey[key]
	if !ok && (t.mode != byTag || !t.skip) {
		c.fail(key, ReasonTagUndefined)
		return 0, false
	}
	switch t.mode {
	case byTag:
		wire, known := t.encodeTag(key)
		if !known || !ok && t.find(wire) != 0 {
			c.fail(key, ReasonTagUndefined)
			return 0, false
		}
		c.m.buf = append(c.m.buf, wire...)
		if !ok {
			si = t.first + t.count
		}
		return si, true
	case byBitmap:
		n, err := strconv.Atoi(key)
		if err != nil || n > len(t.byBit) {
			c.fail(key, ReasonNoPlace)
			return 0, false
		}
		if n < l.next {
			c.fail(key, reasonOrder)
			return 0, false
		}
		l.bits.set(n)
		l.next = n + 1
	default:
		if int(si-t.first) != l.next {
			c.fail(key, reasonOrder)
			return 0, false
		}
		l.next++
	}
	return si, true
}

// fail gives the message its first error and ends the building.
func (c *Composer) fail(key, why string) {
	m := c.m
	if m.err == nil {
		path := strconv.Itoa(c.de)
		for i := 1; i < c.depth; i++ {
			path = join(path, m.p.keys[c.levels[i].slot])
		}
		m.err = &FieldError{c.de, join(path, key), -1, why}
	}
	if c.depth > 0 {
		m.buf = m.buf[:c.levels[0].start]
	}
	c.depth = 0
}
