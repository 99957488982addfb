package codec

import (
	"math/bits"
	"strconv"
)

// indexElement reads the subfields of element de, whose content is m.buf[start:end].
func (p *Program) indexElement(m *Message, de, start, end int) *FieldError {
	s := &p.slots[de]
	if len(m.nodes) == 0 {
		m.nodes = append(m.nodes, node{}) // no span refers to node 0
	}
	root := len(m.nodes)
	if root >= maxNodes {
		return fieldError(de, start, ReasonManySubfields)
	}
	m.nodes = append(m.nodes, node{off: uint32(start), n: uint16(end - start), slot: uint16(de)})
	if err := p.subfields(m, s, start, end); err != nil {
		if !s.objects {
			err.DE, err.Path = de, join(strconv.Itoa(de), err.Path)
			return err
		}
		m.nodes = m.nodes[:root] // no BER-TLV: the element has no objects
		return nil
	}
	m.nodes[root].next = uint16(len(m.nodes))
	m.at[de].sub = uint16(root)
	return nil
}

func fieldError(de, off int, why string) *FieldError {
	return &FieldError{DE: de, Path: strconv.Itoa(de), Offset: off, Reason: why}
}

func subError(key string, off int, why string) *FieldError {
	return &FieldError{Path: key, Offset: off, Reason: why}
}

// join makes a path of an element and what lies in it.
func join(outer, inner string) string {
	if inner == "" {
		return outer
	}
	return outer + "." + inner
}

// subfields reads the content m.buf[off:end] of a composite field.
func (p *Program) subfields(m *Message, s *slot, off, end int) *FieldError {
	if off == end && s.prefix != Fixed && s.prefix != Rest {
		return nil // a variable field without content has no subfields
	}
	t := &p.tables[s.table]
	var err *FieldError
	switch t.mode {
	case byPosition:
		variable := s.prefix != Fixed && s.prefix != Rest
		for i := range t.count {
			if off, err = p.subfield(m, t.first+i, off, end, 0); err != nil {
				return err
			}
			if variable && off >= end {
				break
			}
		}
	case byBitmap:
		off, err = p.bitSubfields(m, t, off, end)
	default:
		for off < end && err == nil {
			off, err = p.tagged(m, t, off, end)
		}
	}
	if err != nil {
		return err
	}
	if off != end {
		return subError("", off, ReasonSubTrailing)
	}
	return nil
}

// bitSubfields reads a bitmap and the subfields that it announces.
func (p *Program) bitSubfields(m *Message, t *table, off, end int) (next int, err *FieldError) {
	if off+t.maps.size() > end {
		return off, subError("", off, ReasonEndsInBitmap)
	}
	var data [MaxElement / 8]byte
	one := data[:t.maps.length]
	if why := t.maps.read(one, m.buf[off:]); why != "" {
		return off, subError("", off, why)
	}
	off += t.maps.size()
	for i, b := range one {
		for b != 0 {
			lead := bits.LeadingZeros8(b)
			b &^= 0x80 >> lead
			si := t.byBit[8*i+lead]
			if si == 0 {
				return off, subError(strconv.Itoa(8*i+lead+1), off, ReasonUndefined)
			}
			if off, err = p.subfield(m, si, off, end, 0); err != nil {
				return off, err
			}
		}
	}
	return off, nil
}

// tagged reads one tag and its subfield.
func (p *Program) tagged(m *Message, t *table, off, end int) (next int, err *FieldError) {
	raw := m.buf[:end]
	var n int
	if t.ber {
		if t.mode == asObjects && raw[off] == 0 {
			return off + 1, nil // filler between objects: EMV Book 3 Annex B
		}
		var ok bool
		if n, ok = berTag(raw[off:]); !ok {
			return off, subError("", off, ReasonEndsInTag)
		}
	} else if n = t.tag.size(int(t.tag.max)); off+n > end {
		return off, subError("", off, ReasonEndsInTag)
	}
	wire := raw[off : off+n]
	var si uint16
	if t.ber {
		si = t.find(wire)
	} else {
		if why := t.tag.check(wire, int(t.tag.max), nil); why != "" {
			return off, subError("", off, why)
		}
		var scratch [maxTag]byte
		si = t.find(t.tag.normal(scratch[:0], wire))
	}
	if si == 0 {
		if !t.skip {
			return off, subError(t.tagText(wire), off, ReasonTagUndefined)
		}
		si = t.first + t.count
	}
	if n > 255 {
		return off, subError("", off, ReasonEndsInTag)
	}
	next, err = p.subfield(m, si, off+n, end, n)
	if err != nil && p.keys[si] == "" {
		err.Path = join(t.tagText(wire), err.Path)
	}
	return next, err
}

// normal is a checked tag in the one form that encode gives it.
func (s *slot) normal(dst, wire []byte) []byte {
	switch {
	case s.enc == HexToASCII:
		for _, b := range wire {
			if b >= 'a' {
				b -= 0x20
			}
			dst = append(dst, b)
		}
		return dst
	case s.enc == LBCD && s.max%2 == 1:
		dst = append(dst, wire...)
		dst[len(dst)-1] &= 0xF0
		return dst
	}
	return wire
}

// tagText is the key that a tag reads as.
func (t *table) tagText(wire []byte) string {
	if t.ber {
		return string(appendHex(nil, wire))
	}
	return string(t.tag.decode(nil, wire, int(t.tag.max)))
}

// subfield reads the subfield of slot si that begins at off, behind a tag of tagN
// bytes, and must end at or before end.
func (p *Program) subfield(m *Message, si uint16, off, end, tagN int) (next int, err *FieldError) {
	s := &p.slots[si]
	start, n := off, int(s.max)
	if s.prefix != Fixed {
		var why string
		if start, n, why = s.length(m.buf[:end], off); why != "" {
			return off, subError(p.keys[si], off, why)
		}
	}
	if s.expand {
		n = s.spread(m.buf[:end], start)
	}
	stop := start + s.size(n)
	if stop > end {
		return off, subError(p.keys[si], off, ReasonEndsInField)
	}
	if len(m.nodes) >= maxNodes {
		return off, subError(p.keys[si], off, ReasonManySubfields)
	}
	i := len(m.nodes)
	m.nodes = append(m.nodes, node{off: uint32(start), tag: uint32(off - tagN), n: uint16(n), slot: si, tagN: uint8(tagN)})
	if s.kind == Composite {
		if err := p.subfields(m, s, start, stop); err != nil {
			err.Path = join(p.keys[si], err.Path)
			return off, err
		}
	} else if why := s.check(m.buf[start:stop], n, &m.tmp); why != "" {
		return off, subError(p.keys[si], off, why)
	}
	m.nodes[i].next = uint16(len(m.nodes))
	return stop, nil
}
