package spec

import "strings"

// A jposClass is how a field packager of jPOS writes a field, in our terms.
type jposClass struct {
	typ, enc, prefix string
	pad              *Pad
	// bcd: an odd number of digits is filled on the side that the attribute pad
	// names, left when it is true.
	bcd bool
	// filledF: as bcd, but what fills on the right is F, which the specification
	// cannot say.
	filledF bool
	amount  bool // a sign as a character, then digits
	hex     bool // the length counts hexadecimal digits
	tag     int  // characters of the tag before it, in a tagged packager
}

var spaces = &Pad{Type: "Right", Pad: " "}

// jposClasses are the field packagers that have an equal. Text without padding is
// given in its full length, as the values that jPOS reads are.
var jposClasses = func() map[string]jposClass {
	m := map[string]jposClass{
		"IF_CHAR":     {typ: "String", enc: "ASCII", prefix: "ASCII.Fixed", pad: spaces},
		"IFA_NUMERIC": {typ: "String", enc: "ASCII", prefix: "ASCII.Fixed"},
		"IFA_AMOUNT":  {typ: "String", enc: "ASCII", prefix: "ASCII.Fixed"},
		"IFA_BINARY":  {typ: "Binary", enc: "HexToASCII", prefix: "Binary.Fixed"},
		"IFB_BINARY":  {typ: "Binary", enc: "Binary", prefix: "Binary.Fixed"},
		"IFB_NUMERIC": {typ: "String", enc: "BCD", prefix: "BCD.Fixed", bcd: true},
		"IFB_AMOUNT":  {typ: "Composite", enc: "BCD", prefix: "Binary.Fixed", bcd: true, amount: true},
		"IFB_HEX":     {typ: "Hex", enc: "Binary", prefix: "Binary.Fixed", hex: true},
		"IFE_CHAR":    {typ: "String", enc: "EBCDIC1047", prefix: "EBCDIC.Fixed", pad: spaces},
		"IF_ECHAR":    {typ: "String", enc: "EBCDIC1047", prefix: "EBCDIC.Fixed", pad: spaces},
		"IFE_NUMERIC": {typ: "String", enc: "EBCDIC1047", prefix: "EBCDIC.Fixed"},
		"IFE_AMOUNT":  {typ: "String", enc: "EBCDIC1047", prefix: "EBCDIC.Fixed"},

		"IFB_LLHNUM":    {typ: "String", enc: "BCD", prefix: "Binary.L", bcd: true},
		"IFB_LLLHNUM":   {typ: "String", enc: "BCD", prefix: "Binary.LL", bcd: true},
		"IFB_LLHCHAR":   {typ: "String", enc: "ASCII", prefix: "Binary.L"},
		"IFB_LLLHCHAR":  {typ: "String", enc: "ASCII", prefix: "Binary.LL"},
		"IFB_LLHECHAR":  {typ: "String", enc: "EBCDIC1047", prefix: "Binary.L"},
		"IFB_LLLHECHAR": {typ: "String", enc: "EBCDIC1047", prefix: "Binary.LL"},
		"IFB_LLHBINARY": {typ: "Binary", enc: "Binary", prefix: "Binary.L"},
		// Its two bytes hold a number, unlike those of IFB_LLLBINARY.
		"IFB_LLLHBINARY": {typ: "Binary", enc: "Binary", prefix: "Binary.LL"},
		"IFB_FNUMERIC":   {typ: "String", enc: "BCD", prefix: "BCD.Fixed", bcd: true, filledF: true},
		"IFB_FLLNUM":     {typ: "String", enc: "BCD", prefix: "BCD.LL", bcd: true, filledF: true},
		"IFA_LLABINARY":  {typ: "Binary", enc: "HexToASCII", prefix: "ASCII.LL"},
		"IFA_LLLABINARY": {typ: "Binary", enc: "HexToASCII", prefix: "ASCII.LLL"},
		"IFEA_LLCHAR":    {typ: "String", enc: "ASCII", prefix: "EBCDIC.LL"},
		"IFEB_LLNUM":     {typ: "String", enc: "BCD", prefix: "EBCDIC.LL", bcd: true},
		"IFEB_LLLNUM":    {typ: "String", enc: "BCD", prefix: "EBCDIC.LLL", bcd: true},
	}
	for _, l := range []string{"L", "LL", "LLL", "LLLL"} {
		m["IFA_"+l+"CHAR"] = jposClass{typ: "String", enc: "ASCII", prefix: "ASCII." + l}
		m["IFA_"+l+"NUM"] = m["IFA_"+l+"CHAR"]
		m["IFA_"+l+"BINARY"] = jposClass{typ: "Binary", enc: "Binary", prefix: "ASCII." + l}
		m["IFE_"+l+"CHAR"] = jposClass{typ: "String", enc: "EBCDIC1047", prefix: "EBCDIC." + l}
		m["IFE_"+l+"NUM"] = m["IFE_"+l+"CHAR"]
		m["IFE_"+l+"BINARY"] = jposClass{typ: "Binary", enc: "Binary", prefix: "EBCDIC." + l}
		m["IFA_TT"+l+"CHAR"] = tagged(m["IFA_"+l+"CHAR"], 2)
		m["IFA_TT"+l+"BINARY"] = tagged(m["IFA_"+l+"BINARY"], 2)
		if l != "L" { // jPOS has none of these for one digit
			m["IFB_"+l+"NUM"] = jposClass{typ: "String", enc: "BCD", prefix: "BCD." + l, bcd: true}
			m["IFB_"+l+"CHAR"] = jposClass{typ: "String", enc: "ASCII", prefix: "BCD." + l}
			m["IFB_"+l+"BINARY"] = jposClass{typ: "Binary", enc: "Binary", prefix: "BCD." + l}
		}
	}
	m["IFA_TTTLLLCHAR"] = tagged(m["IFA_LLLCHAR"], 3)
	m["IFA_AMOUNT2003"], m["IFB_AMOUNT2003"] = m["IFA_NUMERIC"], m["IFB_NUMERIC"]
	return m
}()

func tagged(c jposClass, size int) jposClass {
	c.tag = size
	return c
}

// jposBitmaps are the packagers of bitmaps, by their encoding.
var jposBitmaps = map[string]string{"IFA_BITMAP": "HexToASCII", "IFB_BITMAP": "Binary"}

// Packages of jPOS, whose classes have their own or one of these before their name.
const (
	jposISO       = "org.jpos.iso."
	jposPackagers = "org.jpos.iso.packager."
)

// jposName is the name of a class of jPOS without its package.
func jposName(class, pkg string) (string, bool) {
	return strings.CutPrefix(strings.TrimSpace(class), pkg)
}
