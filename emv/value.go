package emv

import (
	"fmt"
	"strings"
)

// FormatDigits writes decimal digits into a field of length bytes (Book 3 4.3).
// FormatN keeps the right-hand digits and fills on the left with 0; FormatCN
// keeps the left-hand ones and fills on the right with F. Another format, text
// with anything but digits and a negative length give ErrFormat.
func FormatDigits(format Format, digits string, length int) ([]byte, error) {
	if length < 0 || strings.Trim(digits, "0123456789") != "" {
		return nil, fmt.Errorf("%w: not a decimal digit", ErrFormat)
	}
	width := 2 * length
	switch format {
	case FormatN:
		digits = digits[max(0, len(digits)-width):]
		digits = strings.Repeat("0", width-len(digits)) + digits
	case FormatCN:
		digits = digits[:min(width, len(digits))]
		digits += strings.Repeat("?", width-len(digits)) // '?' is 3F: the nibble F
	default:
		return nil, fmt.Errorf("%w: %v has no digits", ErrFormat, format)
	}
	out := make([]byte, length)
	for i := range out {
		out[i] = digits[2*i]<<4 | digits[2*i+1]&0x0F
	}
	return out, nil
}

// Digits reads a value of format n or cn: decimal digits, then filler F only.
// Anything else gives ErrFormat.
func Digits(value []byte) (string, error) {
	out := make([]byte, 0, 2*len(value))
	filler := false
	for _, b := range value {
		for _, nibble := range [2]byte{b >> 4, b & 0x0F} {
			switch {
			case nibble == 0x0F:
				filler = true
			case nibble > 9 || filler:
				return "", fmt.Errorf("%w: not a decimal digit", ErrFormat)
			default:
				out = append(out, '0'+nibble)
			}
		}
	}
	return string(out), nil
}

// maxNumberBytes keeps a number of format n within 18 digits and so an int64.
const maxNumberBytes = 9

// Number reads a value of format n of at most nine bytes, such as an amount in
// minor units. Filler and other nibbles above 9 give ErrFormat.
func Number(value []byte) (int64, error) {
	if len(value) > maxNumberBytes {
		return 0, fmt.Errorf("%w: more than 18 digits", ErrFormat)
	}
	var n int64
	for _, b := range value {
		if b>>4 > 9 || b&0x0F > 9 {
			return 0, fmt.Errorf("%w: not a decimal digit", ErrFormat)
		}
		n = n*100 + int64(b>>4)*10 + int64(b&0x0F)
	}
	return n, nil
}

// Amount writes minor units as n 12, the format of 9F02 and 9F03. An amount
// below 0 or of more than 12 digits gives ErrFormat.
func Amount(minor int64) ([]byte, error) {
	if minor < 0 || minor > 999_999_999_999 {
		return nil, fmt.Errorf("%w: amount does not fit 12 digits", ErrFormat)
	}
	return FormatDigits(FormatN, fmt.Sprint(minor), 6)
}

// A Day is a calendar date of a card or terminal.
type Day struct{ Year, Month, Day int }

// ParseDay reads YYMMDD in format n. Years 50 to 99 are of the 1900s (Book 4
// 6.7.3). A month or day that no calendar has gives ErrFormat; whether a month
// has 29, 30 or 31 days is not asked, because cards say "31" for its end.
func ParseDay(value []byte) (Day, error) {
	n, err := Number(value)
	if err != nil {
		return Day{}, err
	}
	if len(value) != 3 {
		return Day{}, fmt.Errorf("%w: a date has 3 bytes", ErrFormat)
	}
	d := Day{Year: 2000 + int(n/10000), Month: int(n / 100 % 100), Day: int(n % 100)}
	if d.Year >= 2050 {
		d.Year -= 100
	}
	if d.Month < 1 || d.Month > 12 || d.Day < 1 || d.Day > 31 {
		return Day{}, fmt.Errorf("%w: no such day", ErrFormat)
	}
	return d, nil
}

// Bytes is d as YYMMDD in format n.
func (d Day) Bytes() []byte {
	bcd := func(v int) byte { return byte(v/10%10<<4 | v%10) }
	return []byte{bcd(d.Year), bcd(d.Month), bcd(d.Day)}
}

// Before reports whether d is earlier than o.
func (d Day) Before(o Day) bool {
	if d.Year != o.Year {
		return d.Year < o.Year
	}
	if d.Month != o.Month {
		return d.Month < o.Month
	}
	return d.Day < o.Day
}

// String is the date as 2026-11-25.
func (d Day) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }
