package card

import (
	"fmt"

	"tallystick.example/emv/cryptogram"
)

// iadLayout is a layout of tag 9F10.
type iadLayout int

const (
	iadVisa  iadLayout = iota // length, DKI, CVN, CVR of 4 bytes (VIS, formats 0, 1 and 3)
	iadVisa2                  // length, CVN, DKI, CVR of 5 bytes, 24 bytes (VIS, format 2)
	iadMChip                  // DKI, CVN, CVR of 6 bytes, DAC, counters (M/Chip 4)
	iadCCD                    // EMV Book 3, Annex C7.1, format A
)

// versionBytes are the cryptogram version numbers as they stand in 9F10.
var versionBytes = map[cryptogram.Profile]struct {
	layout iadLayout
	cvn    byte
}{
	cryptogram.VisaCVN10:  {iadVisa, 0x0A},
	cryptogram.VisaCVN18:  {iadVisa, 0x12},
	cryptogram.VisaCVN22:  {iadVisa2, 0x22},
	cryptogram.CCDA5:      {iadCCD, 0xA5},
	cryptogram.MChipCVR:   {iadMChip, 0x10},
	cryptogram.MChipCVN16: {iadMChip, 0x10},
	cryptogram.MChipCVN17: {iadMChip, 0x11},
	cryptogram.MChipCVN20: {iadMChip, 0x14},
	cryptogram.MChipCVN21: {iadMChip, 0x15},
}

func iadLayoutOf(p cryptogram.Profile) (iadLayout, error) {
	v, ok := versionBytes[p]
	if !ok {
		return 0, fmt.Errorf("the card has no issuer application data for %q", string(p))
	}
	return v.layout, nil
}

// issuerApplicationData is tag 9F10 for what the card found in this transaction.
func (c *Card) issuerApplicationData() []byte {
	a := c.selected
	cvn := versionBytes[a.version].cvn
	switch a.layout {
	case iadVisa:
		return append([]byte{6, a.dki, cvn}, c.visaCVR()...)
	case iadVisa2:
		out := make([]byte, 32)
		copy(out, []byte{0x1F, cvn, a.dki})
		copy(out[3:], c.visaCVR()[1:])
		return out
	case iadCCD:
		out := make([]byte, 32)
		copy(out, []byte{0x0F, cvn, a.dki})
		copy(out[3:], c.visaCVR()[1:])
		out[16] = 0x0F
		return out
	default:
		out := make([]byte, 18)
		copy(out, []byte{a.dki, cvn})
		copy(out[2:], c.mchipCVR())
		out[17] = byte(a.state.Offline)
		return out
	}
}

// acBits tells of both cryptograms as VIS and M/Chip do: bits 8 and 7 for the
// second GENERATE AC (10 not asked for yet), bits 6 and 5 for the first.
func (c *Card) acBits() byte {
	second := byte(2)
	if c.tx.second != nil {
		second = byte(*c.tx.second) >> 6
	}
	return second<<6 | byte(c.tx.first)>>6<<4
}

// visaCVR are the card verification results of VIS: their length and 3 bytes.
func (c *Card) visaCVR() []byte {
	s, tx := c.selected.state, &c.tx
	b2 := c.acBits() | flag(tx.issuerAuth == authFailed, 0x08) | flag(tx.pinTried, 0x04) | flag(tx.pinTried && !tx.pinRight, 0x02) | flag(tx.unableOnline, 0x01)
	b3 := flag(s.OnlineOpen && tx.second == nil, 0x80) | flag(c.store.state.PINTries == 0, 0x40) | flag(c.overLimit(), 0x20) |
		flag(s.LastOnlineATC == 0, 0x10) | flag(s.IssuerAuthFailed, 0x08) | flag(s.Blocked, 0x02)
	b4 := byte(min(s.Scripts, 15))<<4 | flag(s.ScriptFailed, 0x08)
	return []byte{3, b2, b3, b4}
}

// mchipCVR are the six bytes of M/Chip 4.
func (c *Card) mchipCVR() []byte {
	s, tx := c.selected.state, &c.tx
	return []byte{
		c.acBits() | flag(tx.pinTried, 0x04) | flag(tx.pinTried && tx.pinHidden, 0x02) | flag(tx.pinRight, 0x01),
		flag(tx.dynamic, 0x80) | flag(tx.combined[0], 0x40) | flag(tx.combined[1], 0x20) | flag(tx.issuerAuth == authRight, 0x10),
		byte(min(s.Scripts, 15))<<4 | byte(c.store.state.PINTries),
		flag(tx.unableOnline, 0x80) | flag(!tx.pinTried, 0x40) | flag(tx.pinTried && !tx.pinRight, 0x20) | flag(c.store.state.PINTries == 0, 0x10),
		flag(c.overLimit(), 0x40) | flag(tx.issuerAuth == authFailed || s.IssuerAuthFailed, 0x04) | flag(s.Scripts > 0, 0x02) | flag(s.ScriptFailed, 0x01),
		0,
	}
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}
