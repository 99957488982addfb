package codec

// A Layout says how the messages of a dialect are written: plain data, from
// which [New] makes a Program. [LayoutOf] makes one from a moov specification.
type Layout struct {
	Name string
	// Limit is the longest message in bytes; 0 stands for MaxMessage.
	Limit  int
	Bitmap Bitmaps
	// Fields are the elements by number: 0 is the MTI, the others are 2 to 192.
	Fields map[int]Field
}

// MaxMessage is the longest message of any layout, in bytes.
const MaxMessage = 65535

// MaxElement is the highest element number: three bitmaps of 64 bits, which is
// all that ISO 8583:1993 and :2003 know.
const MaxElement = 192

// Bitmaps says how the bitmaps of a message, or that of a composite element, are
// written.
type Bitmaps struct {
	Length int      // bytes of one bitmap
	Enc    Encoding // Binary, or HexToASCII for two characters a byte
	// Expand: the first bit of a bitmap announces another one of the same length.
	Expand bool
	// Max is how many there may be when they expand; 0 stands for as many as
	// MaxElement allows.
	Max int
	// NoEmpty refuses a further bitmap that announces nothing.
	NoEmpty bool
}

// A Field says how one element or subfield is written. Its lengths are counted
// in units: digits (BCD, LBCD), characters (ASCII, EBCDIC) or bytes (the other
// encodings, and the content of a composite element).
type Field struct {
	Key  string // of a subfield: its number or tag
	Name string // for people

	Kind   Kind
	Enc    Encoding
	Prefix Prefix
	Length int // exact for a fixed field, the maximum for a variable one
	Min    int // least length of a variable one
	Pad    Pad
	// Even fills a value of odd length with one pad character, which the length
	// does not count (tracks packed in nibbles).
	Even bool
	// Separator lets a text in BCD or LBCD hold the separator of track 2, a nibble D,
	// which is = in the value (ISO/IEC 7813). A moov specification cannot say it.
	Separator bool
	// Chars are the characters allowed in ASCII, nil for all 128.
	Chars *Alphabet
	// TLV indexes the BER-TLV objects of a binary field, see [Value.Objects].
	// Content that is no BER-TLV is still accepted.
	TLV bool

	// Of a composite field: its subfields in the order of the message. Bitmap or
	// Tags say which are there; with neither they follow each other by position.
	Subfields []Field
	Bitmap    *Bitmaps
	Tags      *Tags
}

// Tags says how the subfields of a tagged composite element are named.
type Tags struct {
	Enc    Encoding // BERTag, or the encoding of Length units
	Length int      // units; not used with BERTag
	Pad    Pad
	// Skip accepts tags that no subfield has. Unknown is how their lengths are
	// written.
	Skip    bool
	Unknown Prefix
}

// An Alphabet holds which bytes a text may have.
type Alphabet [256]bool

// A Kind is what a field holds.
type Kind uint8

// The kinds.
const (
	Text      Kind = iota + 1 // characters, or digits with leading zeros kept
	Number                    // digits as a number of up to 64 bits
	Bytes                     // anything
	Track1                    // ISO/IEC 7813 track 1, without sentinels
	Track2                    // ISO/IEC 7813 track 2, without sentinels
	Track3                    // ISO/IEC 4909 track 3, without sentinels
	Bits                      // a bitmap
	Composite                 // subfields
)

// An Encoding is how units become bytes.
type Encoding uint8

// The encodings, by the names that moov's JSON form has for them.
const (
	ASCII      Encoding = iota + 1
	BCD                 // two digits a byte, an odd number begins with a zero nibble
	LBCD                // two digits a byte, an odd number ends with a nibble 0 or F
	Binary              // bytes as they are
	EBCDIC              // the code page of moov's EBCDIC encoder, a unit a byte
	EBCDIC1047          // IBM code page 1047; values are UTF-8
	HexToASCII          // a byte of the value becomes two hexadecimal characters
	ASCIIToHex          // two hexadecimal digits of the value become a byte
	BERTag              // tags only: ISO/IEC 8825-1, 8.1.2; in a value upper-case hexadecimal
)

// A Prefix is how the length of a variable field is written before it.
type Prefix struct {
	Form   PrefixForm
	Digits int // L to LLLLLL: 1 to 6; not used with Fixed, BER and Rest
}

// A PrefixForm is the alphabet of a length.
type PrefixForm uint8

// The forms of a length.
const (
	Fixed        PrefixForm = iota + 1 // none: the length is that of the layout
	ASCIILength                        // decimal characters
	BCDLength                          // two decimal digits a byte
	BinaryLength                       // big-endian bytes, one for each L
	HexLength                          // two hexadecimal characters for each L
	EBCDICLength                       // decimal characters F0 to F9
	BERLength                          // ISO/IEC 8825-1, 8.1.3, definite forms
	Rest                               // none: the field is all that is left
)

// A Pad is how a value that is shorter than the length is filled. The pad
// characters are no part of the value.
type Pad struct {
	Side PadSide
	Char byte
}

// A PadSide is where pad characters stand.
type PadSide uint8

// The sides; the zero value means that nothing is filled.
const (
	NoPad PadSide = iota
	Left
	Right
)
