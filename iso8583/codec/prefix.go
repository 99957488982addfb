package codec

// prefixWidth is the number of bytes of a length of L to LLLLLL.
func prefixWidth(form PrefixForm, digits int) int {
	switch form {
	case BCDLength:
		return (digits + 1) / 2
	case HexLength:
		return 2 * digits
	}
	return digits
}

// capacity is the largest length that a prefix can say, or MaxMessage.
func capacity(form PrefixForm, digits int) int {
	base := 10
	if form == BinaryLength || form == HexLength {
		base = 256
	}
	n := 1
	for range digits {
		if n *= base; n > MaxMessage {
			return MaxMessage
		}
	}
	return n - 1
}

// length reads where the content of a field at off begins and how many units it
// has, and holds both to the layout. The reason is empty when all is well.
func (s *slot) length(raw []byte, off int) (start, n int, why string) {
	switch s.prefix {
	case Fixed:
		return off, int(s.max), ""
	case Rest:
		return off, len(raw) - off, ""
	case BERLength:
		start, n, why = berLength(raw, off)
	default:
		start = off + int(s.width)
		if start > len(raw) {
			return off, 0, ReasonEndsInLength
		}
		n, why = s.number(raw[off:start])
	}
	switch {
	case why != "":
		return off, 0, why
	case n > int(s.max):
		return off, 0, ReasonLengthMax
	case n < int(s.min):
		if n == 0 {
			return off, 0, ReasonLengthZero
		}
		return off, 0, reasonWrongLen
	}
	return start, n, ""
}

// number reads a length of fixed width. It may be above any maximum, but not
// above what fits an int of 32 bits.
func (s *slot) number(b []byte) (n int, why string) {
	switch s.prefix {
	case BCDLength:
		for _, x := range b {
			if x > 0x99 || x&15 > 9 {
				return 0, ReasonLengthDigits
			}
			n = n*100 + int(x>>4)*10 + int(x&15)
		}
		if s.odd && b[0]>>4 != 0 {
			return 0, ReasonFiller
		}
	case ASCIILength, EBCDICLength:
		zero := byte('0')
		if s.prefix == EBCDICLength {
			zero = 0xF0
		}
		for _, x := range b {
			if x-zero > 9 {
				return 0, ReasonLengthDigits
			}
			n = n*10 + int(x-zero)
		}
	case BinaryLength:
		for _, x := range b {
			n = min(n<<8|int(x), MaxMessage+1)
		}
	case HexLength:
		for _, x := range b {
			v, ok := unhex(x)
			if !ok {
				return 0, ReasonLengthHex
			}
			n = min(n<<4|int(v), MaxMessage+1)
		}
	}
	return n, ""
}

// berLength reads a definite length (ISO/IEC 8825-1, 8.1.3). More bytes than
// needed are accepted, as EMV allows.
func berLength(raw []byte, off int) (start, n int, why string) {
	if off >= len(raw) {
		return off, 0, ReasonEndsInLength
	}
	first := raw[off]
	off++
	if first < 0x80 {
		return off, int(first), ""
	}
	count := int(first & 0x7F)
	if count == 0 {
		return off, 0, ReasonLengthBER
	}
	if off+count > len(raw) {
		return off, 0, ReasonEndsInLength
	}
	for _, x := range raw[off : off+count] {
		n = min(n<<8|int(x), MaxMessage+1)
	}
	if n > MaxMessage && count > 8 {
		return off, 0, ReasonLengthBER // moov reads its last 64 bits
	}
	return off + count, n, ""
}

// appendLength appends the length of n units, which the slot allows.
func (s *slot) appendLength(dst []byte, n int) []byte {
	switch s.prefix {
	case BCDLength:
		switch s.width {
		case 1:
			return append(dst, byte(n/10<<4|n%10))
		case 2:
			return append(dst, byte(n/1000<<4|n/100%10), byte(n/10%10<<4|n%10))
		}
		return append(dst, byte(n/100000<<4|n/10000%10), byte(n/1000%10<<4|n/100%10), byte(n/10%10<<4|n%10))
	case ASCIILength, EBCDICLength:
		zero := byte('0')
		if s.prefix == EBCDICLength {
			zero = 0xF0
		}
		return appendNumber(dst, n, int(s.width), 10, func(d int) byte { return zero + byte(d) })
	case BinaryLength:
		return appendNumber(dst, n, int(s.width), 256, func(d int) byte { return byte(d) })
	case HexLength:
		return appendNumber(dst, n, int(s.width), 16, func(d int) byte { return hexDigits[d] })
	case BERLength:
		switch {
		case n < 0x80:
			return append(dst, byte(n))
		case n <= 0xFF:
			return append(dst, 0x81, byte(n))
		}
		return append(dst, 0x82, byte(n>>8), byte(n))
	}
	return dst
}

// appendNumber appends n with width digits of a base.
func appendNumber(dst []byte, n, width, base int, digit func(int) byte) []byte {
	for range width {
		dst = append(dst, 0)
	}
	for i := len(dst) - 1; i >= len(dst)-width; i-- {
		dst[i] = digit(n % base)
		n /= base
	}
	return dst
}
