package emv

import "fmt"

// A Layout names how an issuer lays out the Issuer Application Data, tag 9F10.
// Nothing in the value tells the layout reliably: it is known from the product.
type Layout string

// The layouts.
const (
	LayoutVisa013 Layout = "visa_0_1_3" // Visa formats 0, 1 and 3
	LayoutVisa2   Layout = "visa_2"     // Visa format 2
	LayoutMChip4  Layout = "mchip4"     // Mastercard M/Chip 4 and Advance
	LayoutCCDA    Layout = "ccd_a"      // common core definitions, format A (Book 3 Annex C7)
)

// An IAD is a value of tag 9F10 taken apart. Parts that a layout does not have
// are nil.
type IAD struct {
	DKI           byte   // derivation key index
	CVN           byte   // cryptogram version number; for CCD the common core identifier
	CVR           []byte // Card Verification Results
	DACOrIDN      []byte // M/Chip: data authentication code or ICC dynamic number, 2 bytes
	Counters      []byte // M/Chip and CCD: counters, 8 bytes
	Discretionary []byte // what the issuer adds
}

// ParseIAD takes a value of tag 9F10 apart by its layout. A value that does not
// have the lengths of the layout gives ErrFormat. The result owns its memory.
func ParseIAD(layout Layout, value []byte) (IAD, error) {
	v := append([]byte(nil), value...)
	switch {
	case layout == LayoutVisa013 && len(v) >= 7 && int(v[0]) >= 6 && int(v[0]) < len(v) && v[3] == 3:
		return IAD{DKI: v[1], CVN: v[2], CVR: v[3:7], Discretionary: v[7:]}, nil
	case layout == LayoutVisa2 && len(v) >= 8 && int(v[0]) == len(v)-1:
		return IAD{CVN: v[1], DKI: v[2], CVR: v[3:8], Discretionary: v[8:]}, nil
	case layout == LayoutMChip4 && mchipLength(len(v)):
		return IAD{DKI: v[0], CVN: v[1], CVR: v[2:8], DACOrIDN: v[8:10], Counters: v[10:]}, nil
	case layout == LayoutCCDA && len(v) == 32 && v[0] == 0x0F && v[16] == 0x0F:
		return IAD{CVN: v[1], DKI: v[2], CVR: v[3:8], Counters: v[8:16], Discretionary: v[17:]}, nil
	}
	return IAD{}, fmt.Errorf("%w: Issuer Application Data of %d bytes is not of layout %s", ErrFormat, len(v), layout)
}

// mchipLength reports whether n is a length of the M/Chip layouts: 18, with 2
// bytes of spending counters 20, with the counters of M/Chip Advance 26 or 28.
func mchipLength(n int) bool { return n == 18 || n == 20 || n == 26 || n == 28 }

// guessIAD finds the layout that value has the shape of, for display only. The
// shapes are tried from the most to the least telling.
func guessIAD(value []byte) (Layout, IAD, bool) {
	for _, l := range []Layout{LayoutCCDA, LayoutVisa013, LayoutVisa2, LayoutMChip4} {
		if iad, err := ParseIAD(l, value); err == nil {
			return l, iad, true
		}
	}
	return "", IAD{}, false
}
