package codec

import (
	"fmt"
	"strconv"
	"strings"
)

// maxSubfields bounds the subfields that one program may define.
const maxSubfields = 16384

// compileTable makes the table of a composite field and its subfields' slots.
func (p *Program) compileTable(path string, f *Field, s *slot, depth int) error {
	bad := func(why string) error { return &LayoutError{path, why} }
	if len(f.Subfields) > maxSubfields || len(p.slots)+len(f.Subfields) > maxSubfields {
		return bad("it has too many subfields")
	}
	t := table{mode: byPosition, byKey: make(map[string]uint16, len(f.Subfields)), count: uint16(len(f.Subfields))}
	s.table = uint16(len(p.tables))
	p.tables = append(p.tables, t)
	t.first = uint16(len(p.slots))
	for i := range f.Subfields { // side by side, before what they hold themselves
		sub := &f.Subfields[i]
		if sub.Key == "" {
			return bad("a subfield has no key")
		}
		if _, twice := t.byKey[sub.Key]; twice {
			return bad("the subfield " + sub.Key + " is there twice")
		}
		t.byKey[sub.Key] = p.addSlot(sub.Key, sub.Name, slot{})
	}
	switch {
	case f.Bitmap != nil && f.Tags != nil:
		return bad("it has both a bitmap and tags")
	case f.Bitmap != nil:
		if why := t.compileBits(f); why != "" {
			return bad(why)
		}
	case f.Tags != nil:
		if why := p.compileTags(&t, f); why != "" {
			return bad(why)
		}
	}
	for i := range f.Subfields {
		sub := &f.Subfields[i]
		child, err := p.compile(path+"."+sub.Key, sub, depth+1)
		if err != nil {
			return err
		}
		p.slots[int(t.first)+i] = child
	}
	p.tables[s.table] = t
	return nil
}

// compileBits joins the bits of a bitmap with the subfields of their numbers.
func (t *table) compileBits(f *Field) (why string) {
	b, why := compileBitmaps(*f.Bitmap)
	if why != "" {
		return why
	}
	if b.expand {
		return "the bitmap of a composite field cannot expand"
	}
	t.mode, t.maps, t.byBit = byBitmap, b, make([]uint16, 8*b.length)
	last := 0
	for i, sub := range f.Subfields {
		n, err := strconv.Atoi(sub.Key)
		if err != nil || n < 1 || strconv.Itoa(n) != sub.Key {
			return "the subfield " + sub.Key + " is not named by a bit number"
		}
		if n <= last {
			return "the subfields are not in the order of their bits"
		}
		last = n
		if n <= len(t.byBit) { // moov allows definitions that no bit can announce
			t.byBit[n-1] = t.first + uint16(i)
		}
	}
	return ""
}

// A tagEntry is one cell of a hash table: the bytes of a tag as a big-endian
// number, and its slot; slot 0 is an empty cell.
type tagEntry struct {
	tag  uint64
	slot uint16
}

// maxTag is the longest tag of a subfield, in bytes of the message.
const maxTag = 8

func (p *Program) compileTags(t *table, f *Field) (why string) {
	d := f.Tags
	t.mode, t.skip, t.ber = byTag, d.Skip, d.Enc == BERTag
	if d.Pad.Side > Right || d.Pad.Side != NoPad && d.Pad.Char >= 0x80 {
		return "the pad character of its tags is none of ASCII"
	}
	if !t.ber {
		t.tag = slot{kind: Text, enc: d.Enc, prefix: Fixed, max: uint16(d.Length), fill: uint16(d.Length), pad: d.Pad}
		if d.Length < 1 || d.Length > maxTag {
			return fmt.Sprintf("tags of %d units are not supported, only 1 to %d", d.Length, maxTag)
		}
		if why := t.tag.compileContent(); why != "" {
			return "its tags: " + why
		}
		if t.tag.size(d.Length) > maxTag {
			return fmt.Sprintf("its tags are longer than %d bytes", maxTag)
		}
	} else if d.Pad.Side != NoPad {
		return "tags of BER have no padding"
	}
	size := 4
	for size < 2*len(f.Subfields) {
		size *= 2
	}
	t.hash, t.hashLow = make([]tagEntry, size), uint32(size-1)
	for i, sub := range f.Subfields {
		wire, ok := t.encodeTag(sub.Key)
		if !ok {
			return "no tag in a message can mean the subfield " + sub.Key
		}
		t.put(tagEntry{packTag(wire), t.first + uint16(i)})
	}
	unknown := slot{kind: Bytes, enc: Binary}
	if d.Skip {
		// A tag that no subfield has may have any length that its prefix can say.
		u := Field{Kind: Bytes, Enc: Binary, Prefix: d.Unknown, Length: MaxMessage}
		if why := unknown.compileLength(&u); why != "" || d.Unknown.Form == Fixed {
			return "the length of unknown tags is not known"
		}
		unknown.prefix = d.Unknown.Form
	}
	p.addSlot("", "", unknown)
	return ""
}

// encodeTag is the tag of a subfield as it stands in a message. It reports false
// when a tag in a message never reads as key.
func (t *table) encodeTag(key string) (wire []byte, ok bool) {
	if t.ber {
		wire, ok := appendUnhex(nil, []byte(key))
		if !ok || len(wire) == 0 || len(wire) > maxTag || strings.ToUpper(key) != key {
			return nil, false
		}
		n, ok := berTag(wire)
		return wire, ok && n == len(wire)
	}
	var tmp []byte
	wire, n, why := t.tag.encode(nil, append(tmp, key...))
	if why != "" || n != int(t.tag.max) || t.tag.check(wire, n, nil) != "" {
		return nil, false
	}
	return wire, string(t.tag.decode(nil, wire, n)) == key
}

// packTag makes one number of the bytes of a tag, at most maxTag.
func packTag(wire []byte) (v uint64) {
	for _, b := range wire {
		v = v<<8 | uint64(b)
	}
	return v
}

func (t *table) place(tag uint64) uint32 { return uint32(tag*0x9E3779B97F4A7C15>>40) & t.hashLow }

func (t *table) put(e tagEntry) {
	i := t.place(e.tag)
	for t.hash[i].slot != 0 {
		i = (i + 1) & t.hashLow
	}
	t.hash[i] = e
}

// find gives the slot of a tag, 0 for an unknown one.
func (t *table) find(wire []byte) uint16 {
	if len(wire) > maxTag {
		return 0
	}
	tag := packTag(wire)
	for i := t.place(tag); ; i = (i + 1) & t.hashLow {
		e := &t.hash[i]
		if e.slot == 0 || e.tag == tag {
			return e.slot
		}
	}
}

// berTag is the number of bytes of the tag at the beginning of b: one, or more
// when its low five bits are all 1, up to the first with bit 8 clear (ISO/IEC
// 8825-1, 8.1.2). It reports false when b ends before.
func berTag(b []byte) (n int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	if b[0]&0x1F != 0x1F {
		return 1, true
	}
	for n = 1; n < len(b); n++ {
		if b[n]&0x80 == 0 {
			return n + 1, true
		}
	}
	return 0, false
}
