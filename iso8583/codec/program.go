package codec

import (
	"fmt"
	"strconv"
)

// A Program is a compiled layout. It does not change and may be used by many
// goroutines at once.
type Program struct {
	layout Layout
	limit  int
	maps   bitmaps
	// slots holds the elements 0 to MaxElement at their numbers and behind them
	// the subfields, those of one composite field side by side.
	slots  []slot
	keys   []string // of the subfields, empty for elements
	names  []string
	tables []table
	rest   bool // an element has no length: nothing may follow it
}

// A slot is the compiled form of one field.
type slot struct {
	kind    Kind // 0: not defined
	enc     Encoding
	prefix  PrefixForm
	width   uint8 // bytes of the length
	odd     bool  // the length is an odd number of BCD digits
	pad     Pad
	even    bool
	sep     bool   // a nibble D may stand among the digits
	expand  bool   // a bitmap that may announce another
	min     uint16 // units
	max     uint16
	fill    uint16 // units to which a value is padded
	table   uint16 // of a composite field, or of one with TLV objects
	objects bool   // TLV
	chars   *Alphabet
}

// A bitmaps is the compiled form of Bitmaps.
type bitmaps struct {
	length  int // bytes of one bitmap
	max     int // bitmaps
	hex     bool
	expand  bool
	noEmpty bool
}

// How the subfields of a table are found.
type tableMode uint8

const (
	byPosition tableMode = iota + 1
	byBitmap
	byTag
	asObjects // BER-TLV objects of a binary field, none known
)

// A table is the compiled form of a composite field.
type table struct {
	mode    tableMode
	first   uint16 // slot of the first subfield
	count   uint16 // the slot after the last is that of unknown tags
	skip    bool   // unknown tags are accepted
	maps    bitmaps
	byBit   []uint16 // subfield of bit i+1, as its slot; 0 for none
	tag     slot     // how a tag is written, when it is not BER
	ber     bool
	byKey   map[string]uint16
	hash    []tagEntry // by the bytes of the tag; the size is a power of two
	hashLow uint32
}

// maxDepth is how deep composites may hold each other.
const maxDepth = 8

// New checks a layout and compiles it. The error is a *LayoutError.
func New(l Layout) (*Program, error) {
	p := &Program{layout: l, limit: l.Limit, slots: make([]slot, MaxElement+1), keys: make([]string, MaxElement+1), names: make([]string, MaxElement+1)}
	if p.limit == 0 {
		p.limit = MaxMessage
	}
	if p.limit < 0 || p.limit > MaxMessage {
		return nil, &LayoutError{"", fmt.Sprintf("messages of %d bytes are not supported", l.Limit)}
	}
	maps, why := compileBitmaps(l.Bitmap)
	if why != "" {
		return nil, &LayoutError{"1", why}
	}
	p.maps = maps
	if _, ok := l.Fields[0]; !ok {
		return nil, &LayoutError{"0", "the message type is not defined"}
	}
	if l.Fields[0].Kind == Composite {
		return nil, &LayoutError{"0", "the message type cannot be composite"}
	}
	for de := range l.Fields {
		if de < 0 || de == 1 || de > MaxElement {
			return nil, &LayoutError{strconv.Itoa(de), fmt.Sprintf("elements are 0 and 2 to %d", MaxElement)}
		}
	}
	for de := range MaxElement + 1 { // in order, so that programs of one layout are equal
		f, ok := l.Fields[de]
		if !ok || p.maps.announces(de) {
			continue // no message holds an element whose bit announces a bitmap
		}
		s, err := p.compile(strconv.Itoa(de), &f, 1)
		if err != nil {
			return nil, err
		}
		p.slots[de], p.names[de] = s, f.Name
		p.rest = p.rest || s.prefix == Rest
	}
	return p, nil
}

// Layout returns what the program was made from. It must not be changed.
func (p *Program) Layout() *Layout { return &p.layout }

// announces reports whether bit n says that another bitmap follows.
func (b *bitmaps) announces(n int) bool { return b.expand && n > 0 && (n-1)%(8*b.length) == 0 }

// size is the number of bytes of one bitmap in the message.
func (b *bitmaps) size() int {
	if b.hex {
		return 2 * b.length
	}
	return b.length
}

func compileBitmaps(d Bitmaps) (b bitmaps, why string) {
	b = bitmaps{length: d.Length, hex: d.Enc == HexToASCII, expand: d.Expand, noEmpty: d.NoEmpty, max: 1}
	switch {
	case d.Length < 1 || 8*d.Length > MaxElement:
		return b, fmt.Sprintf("bitmaps of %d bytes are not supported, only 1 to %d", d.Length, MaxElement/8)
	case d.Enc != Binary && d.Enc != HexToASCII:
		return b, "a bitmap is binary or hexadecimal"
	}
	if d.Expand {
		b.max = MaxElement / (8 * d.Length)
		if d.Max != 0 {
			b.max = min(b.max, d.Max)
		}
	}
	return b, ""
}

// compile makes the slot of one field, and those of its subfields.
func (p *Program) compile(path string, f *Field, depth int) (slot, error) {
	bad := func(why string) (slot, error) { return slot{}, &LayoutError{path, why} }
	s := slot{kind: f.Kind, enc: f.Enc, prefix: f.Prefix.Form, pad: f.Pad, even: f.Even, sep: f.Separator, chars: f.Chars, objects: f.TLV}
	if why := s.compileLength(f); why != "" {
		return bad(why)
	}
	if s.pad.Side > Right || s.pad.Side != NoPad && s.pad.Char >= 0x80 {
		return bad("the pad character is none of ASCII")
	}
	switch f.Kind {
	case Composite:
		if depth == maxDepth {
			return bad(fmt.Sprintf("composites are nested more than %d deep", maxDepth))
		}
		if f.Pad.Side != NoPad || f.Even {
			return bad("a composite field has no padding")
		}
		s.enc = Binary
		return s, p.compileTable(path, f, &s, depth)
	case Bits:
		if f.Bitmap == nil {
			return bad("it has no description of the bitmap")
		}
		b, why := compileBitmaps(*f.Bitmap)
		if why != "" || s.prefix != Fixed || f.Pad.Side != NoPad || f.Even {
			return bad("a bitmap of its own has fixed length, no padding, and is binary or hexadecimal")
		}
		s.enc, s.expand, s.max, s.fill = f.Bitmap.Enc, b.expand, uint16(b.length), uint16(b.length)
		return s, nil
	case Text, Number, Bytes, Track1, Track2, Track3:
	default:
		return bad("its kind is not known")
	}
	if why := s.compileContent(); why != "" {
		return bad(why)
	}
	if f.TLV {
		if s.kind != Bytes || s.enc != Binary {
			return bad("only a binary field holds BER-TLV objects")
		}
		s.table = uint16(len(p.tables))
		unknown := p.addSlot("", "", slot{kind: Bytes, enc: Binary, prefix: BERLength, max: MaxMessage})
		p.tables = append(p.tables, table{mode: asObjects, first: unknown, skip: true, ber: true, hash: make([]tagEntry, 1)})
	}
	return s, nil
}

// compileContent checks what encoding and padding do with each other.
func (s *slot) compileContent() (why string) {
	switch s.enc {
	case ASCII:
		if s.chars == nil {
			s.chars = &allASCII
		}
	case BCD, LBCD, Binary, EBCDIC, EBCDIC1047:
	case HexToASCII, ASCIIToHex:
		if s.even {
			return "a value of even length cannot be hexadecimal"
		}
		if s.enc == ASCIIToHex && s.pad.Side != NoPad {
			return "padding would split a byte of two hexadecimal digits"
		}
	case BERTag:
		return "BerTLVTag is an encoding of tags, not of values"
	default:
		return "its encoding is not known"
	}
	if s.sep && (s.kind != Text || s.enc != BCD && s.enc != LBCD) {
		return "only text in BCD has a separator"
	}
	if s.enc != ASCII && s.chars != nil {
		return "only ASCII text has an alphabet"
	}
	if s.prefix == Rest && s.enc != ASCII && s.enc != Binary && s.enc != EBCDIC && s.enc != EBCDIC1047 && s.enc != ASCIIToHex {
		return "without a length its units must be whole bytes"
	}
	if s.even && (s.pad.Side == NoPad || s.prefix == Fixed || s.prefix == Rest) {
		return "filling to even length needs a pad character and a length"
	}
	return ""
}

// compileLength finds the bounds of a field.
func (s *slot) compileLength(f *Field) (why string) {
	if f.Length < 0 || f.Min < 0 || f.Min > MaxMessage {
		return fmt.Sprintf("the length %d is not possible", f.Length)
	}
	limit := min(f.Length, MaxMessage)
	digits := f.Prefix.Digits
	switch f.Prefix.Form {
	case Fixed:
		if f.Length > MaxMessage {
			return fmt.Sprintf("the length %d is above that of a message", f.Length)
		}
	case Rest:
		limit = MaxMessage
	case BERLength:
		if f.Length == 0 {
			limit = MaxMessage // moov reads 0 as no maximum
		}
	case ASCIILength, BCDLength, BinaryLength, HexLength, EBCDICLength:
		if digits < 1 || digits > 6 {
			return fmt.Sprintf("a length of %d digits is not supported", digits)
		}
		limit = min(limit, capacity(f.Prefix.Form, digits))
		s.width = uint8(prefixWidth(f.Prefix.Form, digits))
		s.odd = f.Prefix.Form == BCDLength && digits%2 == 1
	default:
		return "its length prefix is not known"
	}
	s.min, s.max, s.fill = uint16(f.Min), uint16(limit), uint16(min(f.Length, MaxMessage))
	return ""
}

func (p *Program) addSlot(key, name string, s slot) uint16 {
	p.slots, p.keys, p.names = append(p.slots, s), append(p.keys, key), append(p.names, name)
	return uint16(len(p.slots) - 1)
}

// Encoding is how element de is written, 0 for one that is not defined.
func (p *Program) Encoding(de int) Encoding {
	if de < 0 || de > MaxElement {
		return 0
	}
	return p.slots[de].enc
}

// Fixed reports whether element de is defined and has a fixed length.
func (p *Program) Fixed(de int) bool {
	return p.Encoding(de) != 0 && p.slots[de].prefix == Fixed
}

// Length is the fixed or greatest number of units of element de, 0 for one that
// is not defined.
func (p *Program) Length(de int) int {
	if p.Encoding(de) == 0 {
		return 0
	}
	return int(p.slots[de].max)
}
