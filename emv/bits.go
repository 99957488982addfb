package emv

import "fmt"

// A Bit names one bit of a field as the standard does: byte 1 is the first, bit
// 8 the highest. The number is the byte times 16 plus the bit: 0x18 is B1b8.
type Bit uint16

// Byte is the number of the byte, from 1.
func (b Bit) Byte() int { return int(b >> 4) }

// Number is the number of the bit within its byte, 8 for the highest.
func (b Bit) Number() int { return int(b & 0x0F) }

// String is "B1b8".
func (b Bit) String() string { return fmt.Sprintf("B%db%d", b.Byte(), b.Number()) }

// In reports whether the bit is set in field; a field too short has it not.
func (b Bit) In(field []byte) bool {
	i := b.Byte() - 1
	return i >= 0 && i < len(field) && field[i]&b.mask() != 0
}

// Set sets the bit in field. It panics when field is too short: fields are made
// by programs, not by cards.
func (b Bit) Set(field []byte) { field[b.Byte()-1] |= b.mask() }

// Clear clears the bit in field. It panics when field is too short.
func (b Bit) Clear(field []byte) { field[b.Byte()-1] &^= b.mask() }

func (b Bit) mask() byte { return 1 << (b.Number() - 1) }

// Bits lists the bits of field that are set, from the left.
func Bits(field []byte) []Bit {
	set := []Bit{}
	for i, v := range field {
		for n := 8; n > 0; n-- {
			if v>>(n-1)&1 == 1 {
				set = append(set, Bit((i+1)<<4|n))
			}
		}
	}
	return set
}

// Name is what the bit means in the value of tag, or "reserved" for a bit
// without a meaning.
func (b Bit) Name(tag Tag) string {
	if name, ok := bitNames[tag][b]; ok {
		return name
	}
	return "reserved"
}

// bitNames are the fields whose bits have each a meaning of its own.
var bitNames = map[Tag]map[Bit]string{
	TagTVR: tvrBits, TagIACDefault: tvrBits, TagIACDenial: tvrBits, TagIACOnline: tvrBits,
	TagTSI: tsiBits, TagAIP: aipBits, TagUsageControl: aucBits,
	TagCapabilities: capabilityBits, TagMoreCapabilities: moreCapabilityBits,
	TagTTQ: ttqBits, TagCTQ: ctqBits, 0x9F1D: riskDataBits,
}
