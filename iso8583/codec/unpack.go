package codec

import (
	"encoding/binary"
	"math/bits"
)

// A span is where an element lies in the buffer of a message.
type span struct {
	off uint32 // content
	n   uint16 // units
	sub uint16 // its node, for an element with subfields; 0 for none
}

// A node is one subfield that was found, or the root of those of one element.
// Nodes stand in the order of the message, what a subfield holds right behind it.
type node struct {
	off  uint32 // content
	tag  uint32 // the bytes of its tag
	n    uint16 // units
	slot uint16
	next uint16 // the node behind it and all that it holds
	tagN uint8  // bytes of the tag
}

// maxNodes bounds the subfields of one message.
const maxNodes = 8192

// run reads m.buf, the whole message, into m: the program's main loop. With skim
// it stops behind element last and looks at lengths only.
func (p *Program) run(m *Message, last int, skim bool) *FieldError {
	raw := m.buf
	if len(raw) > p.limit {
		return &FieldError{0, "0", 0, ReasonTooLong}
	}
	off, err := p.element(m, 0, 0, skim)
	if err != nil {
		return err
	}
	m.bits, off, err = p.bitmapsAt(raw, off)
	if err != nil {
		return err
	}
	for w, set := range m.bits {
		for set != 0 {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << (63 - lead)
			de := w*64 + lead + 1
			if de > last {
				return nil
			}
			if off, err = p.element(m, de, off, skim); err != nil {
				return err
			}
		}
	}
	if off != len(raw) && !skim {
		return &FieldError{0, "0", off, ReasonTrailing}
	}
	return nil
}

// element reads one element that begins at off.
func (p *Program) element(m *Message, de, off int, skim bool) (next int, err *FieldError) {
	s := &p.slots[de]
	if s.kind == 0 {
		return off, fieldError(de, off, ReasonUndefined)
	}
	start, n := off, int(s.max)
	if s.prefix != Fixed {
		var why string
		if start, n, why = s.length(m.buf, off); why != "" {
			return off, fieldError(de, off, why)
		}
	}
	if s.expand {
		n = s.spread(m.buf, start)
	}
	end := start + s.size(n)
	if end > len(m.buf) {
		return off, fieldError(de, off, ReasonEndsInField)
	}
	m.at[de] = span{off: uint32(start), n: uint16(n)}
	if skim {
		return end, nil
	}
	if s.kind == Composite || s.objects {
		return end, p.indexElement(m, de, start, end)
	}
	if why := s.check(m.buf[start:end], n, &m.tmp); why != "" {
		return off, fieldError(de, off, why)
	}
	return end, nil
}

// spread is the length of a bitmap whose first bit announces another one.
func (s *slot) spread(raw []byte, at int) (n int) {
	one := int(s.max)
	for {
		first := at + s.size(n)
		n += one
		if n > MaxMessage-one || first >= len(raw) || !announced(raw[first:], s.enc) {
			return n
		}
	}
}

// announced reports whether the first bit of a bitmap is set.
func announced(raw []byte, enc Encoding) bool {
	if enc == HexToASCII {
		v, _ := unhex(raw[0])
		return v&8 != 0
	}
	return raw[0]&0x80 != 0
}

// bitmapsAt reads the bitmaps at off. The bits that announce bitmaps are cleared.
func (p *Program) bitmapsAt(raw []byte, off int) (set Bitmap, next int, err *FieldError) {
	b := &p.maps
	var data [MaxElement / 8]byte
	for i := range b.max {
		one := data[i*b.length : (i+1)*b.length]
		if off+b.size() > len(raw) {
			return set, off, fieldError(1, off, ReasonEndsInBitmap)
		}
		if why := b.read(one, raw[off:]); why != "" {
			return set, off, fieldError(1, off, why)
		}
		if b.noEmpty && i > 0 && empty(one) {
			return set, off, fieldError(1, off, ReasonEmptyMap)
		}
		off += b.size()
		more := b.expand && one[0]&0x80 != 0
		if b.expand {
			one[0] &^= 0x80
		}
		if !more {
			break
		}
		if i+1 == b.max {
			return set, off, fieldError(1+8*b.length*i, off-b.size(), ReasonManyMaps)
		}
	}
	for i := range set {
		set[i] = binary.BigEndian.Uint64(data[8*i:])
	}
	if !b.expand {
		set[0] &^= 1 << 63 // bit 1 says nothing where bitmaps are fixed
	}
	return set, off, nil
}

// read reads one bitmap.
func (b *bitmaps) read(dst, raw []byte) (why string) {
	if !b.hex {
		copy(dst, raw)
		return ""
	}
	if _, ok := appendUnhex(dst[:0], raw[:2*len(dst)]); !ok {
		return ReasonHexDigit
	}
	return ""
}

func empty(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
