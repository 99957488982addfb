package codec

import "iter"

// A Value is a view of one element or subfield. It refers to the memory of its
// message and is valid until that is changed, reset or unpacked into. The zero
// Value is that of an absent field: it is empty in every way.
type Value struct {
	m    *Message
	off  uint32
	n    uint16
	slot uint16
	node uint16 // 0 for an element without subfields
}

// Value returns element de; 0 is the MTI.
func (m *Message) Value(de int) Value {
	if !m.Has(de) {
		return Value{}
	}
	at := m.at[de]
	return Value{m, at.off, at.n, uint16(de), at.sub}
}

// Present reports whether the field is there.
func (v Value) Present() bool { return v.m != nil }

func (v Value) spec() *slot { return &v.m.p.slots[v.slot] }

// Name is what the layout calls the field, empty for an unknown tag.
func (v Value) Name() string {
	if v.m == nil {
		return ""
	}
	return v.m.p.names[v.slot]
}

// Kind is what the field holds, 0 for an absent one.
func (v Value) Kind() Kind {
	if v.m == nil {
		return 0
	}
	return v.spec().kind
}

// Encoding is how its units are written, 0 for an absent field.
func (v Value) Encoding() Encoding {
	if v.m == nil {
		return 0
	}
	return v.spec().enc
}

// Offset is where the content begins in the message as received, -1 for a value
// that was set.
func (v Value) Offset() int {
	if v.m == nil || int(v.off)+v.spec().size(int(v.n)) > v.m.raw {
		return -1
	}
	return int(v.off)
}

// Len is the number of units: digits, characters or bytes.
func (v Value) Len() int { return int(v.n) }

// Wire is the content as it stands in the message, without length and tag. It is
// not a copy and must not be changed.
func (v Value) Wire() []byte {
	if v.m == nil {
		return nil
	}
	end := int(v.off) + v.spec().size(int(v.n))
	return v.m.buf[v.off:end:end]
}

// Append appends the value: digits and characters decoded and without padding,
// bytes, a number without leading zeros, or the content of a composite field.
func (v Value) Append(dst []byte) []byte {
	if v.m == nil {
		return dst
	}
	s := v.spec()
	if s.kind == Number {
		start := len(dst)
		dst = s.decode(dst, v.Wire(), int(v.n))
		zeros := start
		for zeros < len(dst)-1 && dst[zeros] == '0' {
			zeros++
		}
		if zeros > start {
			dst = dst[:start+copy(dst[start:], dst[zeros:])]
		}
		if len(dst) == start {
			dst = append(dst, '0')
		}
		return dst
	}
	return s.decode(dst, v.Wire(), int(v.n))
}

// Text is the value of [Value.Append] as a string.
func (v Value) Text() string {
	var scratch [64]byte
	return string(v.Append(scratch[:0]))
}

// Number is the value as a number, without allocation. It reports false for an
// absent field and for one that is no number of up to 64 bits.
func (v Value) Number() (n int64, ok bool) {
	if v.m == nil {
		return 0, false
	}
	s := v.spec()
	if s.enc == BCD && s.pad.Side == NoPad && !s.even && !s.sep && v.n <= 18 {
		for _, b := range v.Wire() {
			n = n*100 + int64(b>>4)*10 + int64(b&15)
		}
		return n, true
	}
	var scratch [64]byte
	return parseNumber(s.decode(scratch[:0], v.Wire(), int(v.n)))
}

// Valid checks the content of a field that [Message.Skim] found.
func (v Value) Valid() bool {
	if v.m == nil {
		return false
	}
	s := v.spec()
	return s.kind != Composite && s.check(v.Wire(), int(v.n), &v.m.tmp) == ""
}

// Key is the number or tag of a subfield, empty for an element. The key of an
// unknown tag is the tag itself and costs an allocation.
func (v Value) Key() string {
	if v.m == nil {
		return ""
	}
	if key := v.m.p.keys[v.slot]; key != "" || v.node == 0 {
		return key
	}
	tag := v.Tag()
	if t := v.m.p.tableOfUnknown(v.slot); t != nil {
		return t.tagText(tag)
	}
	return ""
}

// Known reports whether the layout defines the field; a tag that it skips is not.
func (v Value) Known() bool {
	return v.m != nil && (int(v.slot) <= MaxElement || v.m.p.keys[v.slot] != "")
}

// Tag is the tag of a subfield as it stands in the message, nil where there is
// none. It is not a copy.
func (v Value) Tag() []byte {
	if v.m == nil || v.node == 0 {
		return nil
	}
	nd := &v.m.nodes[v.node]
	if nd.tagN == 0 {
		return nil
	}
	end := nd.tag + uint32(nd.tagN)
	return v.m.buf[nd.tag:end:end]
}

// Subfields are the subfields of a composite field in the order of the message,
// and the BER-TLV objects of a binary one whose layout says TLV. Tags may repeat.
func (v Value) Subfields() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.m == nil || v.node == 0 {
			return
		}
		for i, end := v.node+1, v.m.nodes[v.node].next; i < end; i = v.m.nodes[i].next {
			if !yield(v.m.nodeValue(i)) {
				return
			}
		}
	}
}

func (m *Message) nodeValue(i uint16) Value {
	nd := &m.nodes[i]
	return Value{m, nd.off, nd.n, nd.slot, i}
}

// Sub finds a subfield by its key. Of a tag that repeats it finds the last, as
// moov does.
func (v Value) Sub(key string) Value {
	var found Value
	if v.m == nil || v.node == 0 {
		return found
	}
	for i, end := v.node+1, v.m.nodes[v.node].next; i < end; i = v.m.nodes[i].next {
		if v.m.p.keys[v.m.nodes[i].slot] == key {
			found = v.m.nodeValue(i)
		}
	}
	return found
}

// Objects reports whether a binary field whose layout says TLV is a sequence of
// BER-TLV objects; [Value.Subfields] and [Value.Object] then give them.
func (v Value) Objects() bool { return v.m != nil && v.node != 0 && v.spec().objects }

// Object finds the first subfield whose tag in the message is tag, a big-endian
// number such as 0x9F26.
func (v Value) Object(tag uint32) Value {
	if v.m == nil || v.node == 0 {
		return Value{}
	}
	for i, end := v.node+1, v.m.nodes[v.node].next; i < end; i = v.m.nodes[i].next {
		nd := &v.m.nodes[i]
		if nd.tagN > 0 && nd.tagN <= 4 && packTag(v.m.buf[nd.tag:nd.tag+uint32(nd.tagN)]) == uint64(tag) {
			return v.m.nodeValue(i)
		}
	}
	return Value{}
}

// tableOfUnknown finds the table whose unknown tags have slot si.
func (p *Program) tableOfUnknown(si uint16) *table {
	for i := range p.tables {
		if t := &p.tables[i]; t.mode >= byTag && t.first+t.count == si {
			return t
		}
	}
	return nil
}
