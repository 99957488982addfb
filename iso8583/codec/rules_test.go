//go:build !(386 || arm || mips || mipsle)

package codec_test

import "tallystick.example/iso8583/codec"

// A rule is one difference between this codec and moov-io/iso8583 v0.26.1 that is
// meant to be: what moov does, and what makes it wrong or lax. docs/codec.md is
// written from this table, every rule has a case in TestRules, and a difference
// that is none of these fails the fuzz tests.
type rule struct {
	id     string
	moov   string // what moov does
	clause string // what says otherwise
	ours   string
	// reasons are ours for refusing what moov accepts under this rule.
	reasons []string
	// keeps: moov writes the bytes that it read. Under the other rules it loses
	// something, which the harness wants to see.
	keeps bool
}

var rules = []rule{
	{id: "trailing", moov: "ignores bytes behind the last element", clause: "ISO 8583:1987, 4.2: a message is MTI, bitmaps and the elements they announce",
		ours: "refuses them", reasons: []string{codec.ReasonTrailing}},
	{id: "bcd-nibble", moov: "reads a last nibble F of packed digits as a NUL character", clause: "ISO 8583:1987, 4.3: n is the digits 0 to 9",
		ours: "refuses a nibble above 9", reasons: []string{codec.ReasonNibble}},
	{id: "bcd-filler", moov: "ignores the nibble that fills an odd number of packed digits, in values, tags and lengths", clause: "ISO 8583-1:2003, 6.2.1: lengths are right-justified and zero-filled; ISO 8583:1987, 4.3: so are numeric elements. The sender's digit would be lost",
		ours: "wants a 0 in front of BCD, a 0 or F behind LBCD, and a 0 before a length of an odd number of digits", reasons: []string{codec.ReasonFiller}},
	{id: "length-sign", moov: "accepts a sign in a length of characters", clause: "ISO 8583-1:2003, 6.2.1: the length is numeric positions, zero-filled",
		ours: "wants digits", reasons: []string{codec.ReasonLengthDigits}},
	{id: "number-sign", moov: "accepts a sign in a numeric field, and packs negative numbers", clause: "ISO 8583:1987, 4.3: n is digits; a signed amount is x+n",
		ours: "wants digits", reasons: []string{codec.ReasonNotNumber}, keeps: true},
	{id: "binary-length", moov: "reads only the first four bytes of a binary length of five or six, and writes the number at their end", clause: "moov's own packing: it does not read what it writes",
		ours: "reads and writes all bytes"},
	{id: "bitmaps", moov: "reads any number of bitmaps", clause: "ISO 8583-1:2003: three bitmaps, 192 elements; ISO 8583:1987, 4.2: no third bitmap",
		ours: "reads up to element 192, and up to two bitmaps at the terminal interface", reasons: []string{codec.ReasonManyMaps}, keeps: true},
	{id: "ber-length", moov: "reads the indefinite length 80 as 0, and a length of more than 63 bits without its upper ones", clause: "EMV 4.4 Book 3, B2: definite lengths; ISO/IEC 8825-1, 8.1.3.5",
		ours: "refuses both", reasons: []string{codec.ReasonLengthBER}},
	{id: "panic", moov: "panics on a negative or huge length of a composite or hexadecimal field", clause: "no input may end a program",
		ours: "refuses it with the reason"},
	{id: "size", moov: "has no limits of its own", clause: "no input may take memory without bound",
		ours: "refuses messages of more than 65,535 bytes (4,096 at the terminal interface), 8,192 subfields, or tags of more than 255 bytes", reasons: []string{codec.ReasonTooLong, codec.ReasonManySubfields, codec.ReasonEndsInTag}, keeps: true},
	{id: "track", moov: "takes white space off the parts of a track, drops discretionary data that are ^ or white space, and makes a track of separators from an empty one; a Track3 value that is none is dropped", clause: "ISO/IEC 7813: spaces are characters of the track; what is packed is not what was read",
		ours: "keeps the track as it is", reasons: []string{codec.ReasonTrack}},
	{id: "hex-fixed", moov: "demands, when packing with prefix Hex.Fixed, twice the length that it demands when unpacking", clause: "moov's own unpacking: it does not write what it reads",
		ours: "the length is that of unpacking in both directions"},
	{id: "hex-count", moov: "counts hexadecimal digits when packing ASCIIToHex, bytes when unpacking", clause: "moov's own unpacking",
		ours: "the length counts bytes"},
	{id: "utf8-count", moov: "counts and pads an EBCDIC1047 value by its UTF-8 bytes when packing", clause: "ISO 8583-1:2003, 6.2.1: the length is the number of characters",
		ours: "counts characters"},
	{id: "ber-empty", moov: "packs an empty BER-TLV value without its length byte", clause: "ISO/IEC 8825-1, 8.1.3: every object has a length",
		ours: "packs the length 00"},
	{id: "number-fill", moov: "refuses to pack a fixed numeric field that is shorter than its length and has no padder", clause: "ISO 8583:1987, 4.3: fixed numeric elements are right-justified with leading zeros",
		ours: "fills with zeros"},
	{id: "unreadable", moov: "packs (or drops) an element that no bitmap can announce, and what stands behind a field without length (None)", clause: "ISO 8583:1987, 4.2: bitmap and lengths say what a message holds",
		ours: "refuses to set or pack it", reasons: []string{codec.ReasonNoPlace, codec.ReasonBehindRest}},
	{id: "alphabet", moov: "accepts every ASCII character in an and z elements", clause: "ISO 8583:1987, 4.3: alphabets an, ans, z (terminal interface)",
		ours: "refuses others", reasons: []string{codec.ReasonChar}, keeps: true},
	{id: "empty", moov: "accepts a variable element of length 0", clause: "ISO 8583:1987, 4.2: the bit says that there is a value (terminal interface)",
		ours: "refuses it", reasons: []string{codec.ReasonLengthZero}, keeps: true},
	{id: "empty-bitmap", moov: "accepts a second bitmap that announces nothing", clause: "ISO 8583:1987, 4.2: it is there when an element above 64 is; else the MAC had two places (terminal interface)",
		ours: "refuses it", reasons: []string{codec.ReasonEmptyMap}, keeps: true},
}

// maxRules is how many differences there may be.
const maxRules = 20

func ruleOf(id string) *rule {
	for i := range rules {
		if rules[i].id == id {
			return &rules[i]
		}
	}
	return nil
}

// rulesFor lists the rules under which we refuse for a reason.
func rulesFor(reason string) (list []*rule) {
	for i := range rules {
		for _, r := range rules[i].reasons {
			if r == reason {
				list = append(list, &rules[i])
			}
		}
	}
	return list
}
