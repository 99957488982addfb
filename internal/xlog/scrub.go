package xlog

import "bytes"

// Digit runs of these lengths are looked at as PANs (ISO/IEC 7812-1: up to 19
// digits; below 13 no scheme issues).
const (
	minPAN = 13
	maxPAN = 19
)

// Scrub masks what may be card data in a line of text: every run of 13 to 19
// digits that passes the Luhn check keeps its first six and last four digits,
// and a run of 20 or more hexadecimal digits is masked whole when a Luhn-valid
// PAN hides in it at either nibble, since tracks, PIN blocks and keys travel as
// hexadecimal text. Longer digit runs are masked whole. It returns a new slice
// when it changes anything.
//
// It is the last net and not the rule: the rule is that secrets travel in types
// that cannot print.
func Scrub(line []byte) []byte {
	var out []byte // nil until something is masked
	for i := 0; i < len(line); {
		j := i
		for j < len(line) && isHex(line[j]) {
			j++
		}
		if j == i {
			i++
			continue
		}
		if from, to, keep := suspicious(line[i:j]); to > from {
			if out == nil {
				out = bytes.Clone(line)
			}
			mask(out[i+from:i+to], keep)
		}
		i = j
	}
	if out == nil {
		return line
	}
	return out
}

// suspicious finds the part of a run of hexadecimal digits to mask; keep says
// that first six and last four may stay.
func suspicious(run []byte) (from, to int, keep bool) {
	if len(run) < minPAN {
		return 0, 0, false
	}
	for i := 0; i < len(run); i++ {
		n := digits(run[i:])
		if n == 0 {
			continue
		}
		whole := n == len(run)
		if n >= minPAN && hasPAN(run[i:i+n]) {
			if whole && n <= maxPAN {
				return 0, n, true
			}
			return 0, len(run), false
		}
		i += n
	}
	return 0, 0, false
}

// hasPAN reports whether a Luhn-valid number of 13 to 19 digits that begins
// with a digit of a payment scheme (2 to 6) stands at an end of the run: a PAN
// in a run of digits begins or ends where the run does, a time stamp or
// reference hardly ever passes.
func hasPAN(d []byte) bool {
	for n := minPAN; n <= maxPAN && n <= len(d); n++ {
		if isPAN(d[:n]) || isPAN(d[len(d)-n:]) {
			return true
		}
	}
	return false
}

func isPAN(d []byte) bool { return d[0] >= '2' && d[0] <= '6' && Luhn(d) }

// Luhn reports whether the digits d end in their check digit (ISO/IEC 7812-1,
// Annex B).
func Luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return len(d) > 0 && sum%10 == 0
}

func mask(b []byte, keep bool) {
	for i := range b {
		if !keep || (i >= 6 && i < len(b)-4) {
			b[i] = '*'
		}
	}
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
