package msg

import (
	"encoding/hex"
	"regexp"
	"strings"

	"tallystick.example/emv"
)

// Elements by what they hold. The numbers mean the same in all editions, but for
// DE 49, which holds verification data in 2003 where it is binary.
var (
	// hiddenElements hold card data, PINs and keys.
	hiddenElements = numbers(14, 34, 35, 36, 40, 45, 52, 96, 102, 103)
	// freeElements have a content that partners agree on, and so may hold anything.
	freeElements = func() map[int]bool {
		m := numbers(31, 43, 44, 46, 47, 48, 54, 55, 59, 60, 61, 62, 63, 66, 72, 95, 101, 104)
		for de := 105; de < 128; de++ {
			m[de] = true
		}
		for de := 129; de <= 192; de++ {
			m[de] = true
		}
		return m
	}()
	// hiddenName finds subfields that are named after a secret.
	hiddenName = regexp.MustCompile(`(?i)\b(pan|primary account|account|track|pin|cvv2?|cvc2?|csc|cav2?|key|password|expir\w*|verification|secret)\b`)
)

func numbers(list ...int) map[int]bool {
	m := map[int]bool{}
	for _, n := range list {
		m[n] = true
	}
	return m
}

// A masker hides card data in what is shown of one message: the PANs that were
// found in their places wherever they turn up again, and what looks like one in
// free text.
type masker struct {
	unsafe bool
	broken bool // positions cannot be trusted: anything may be anywhere
	pans   []string
}

// minPAN is the shortest number that is remembered.
const minPAN = 8

func (k *masker) remember(pan string) {
	if len(pan) >= minPAN && strings.Trim(pan, "0123456789") == "" {
		k.pans = append(k.pans, pan)
	}
}

// longDigits finds what may be a PAN in text: 12 or more digits, also with blanks
// or hyphens between.
var longDigits = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){11,}`)

// known hides the PANs that were seen, as digits and as the hexadecimal of their
// characters in ASCII and EBCDIC.
func (k *masker) known(s string) string {
	for _, pan := range k.pans {
		if len(s) < len(pan) {
			continue
		}
		s = strings.ReplaceAll(s, pan, stars(len(pan)))
		for _, zone := range []string{"3", "F"} {
			coded := zone + strings.Join(strings.Split(pan, ""), zone)
			s = strings.ReplaceAll(s, coded, stars(len(coded)))
			s = strings.ReplaceAll(s, strings.ToLower(coded), stars(len(coded)))
		}
	}
	return s
}

// free hides what may be a PAN in free text.
func (k *masker) free(s string) string {
	return k.known(longDigits.ReplaceAllStringFunc(s, func(d string) string { return stars(len(d)) }))
}

// bytesMayHold reports whether bytes may hold a PAN: 12 or more decimal nibbles,
// characters of ASCII or of EBCDIC in a row.
func bytesMayHold(b []byte) bool {
	nibbles, ascii, ebcdic := 0, 0, 0
	for _, x := range b {
		for _, n := range []byte{x >> 4, x & 15} {
			if nibbles++; n > 9 {
				nibbles = 0
			}
			if nibbles >= 12 {
				return true
			}
		}
		if ascii++; x < '0' || x > '9' {
			ascii = 0
		}
		if ebcdic++; x < 0xF0 || x > 0xF9 {
			ebcdic = 0
		}
		if ascii >= 12 || ebcdic >= 12 {
			return true
		}
	}
	return false
}

// mayBePAN reports whether digits hold a number that could be a PAN: 13 to 19
// digits that begin like a card's and end with the right check digit (ISO/IEC
// 7812-1, Annex B).
func mayBePAN(digits string) bool {
	for start := range len(digits) {
		if digits[start] < '2' || digits[start] > '6' {
			continue
		}
		for n := 13; n <= 19 && start+n <= len(digits); n++ {
			if luhn(digits[start : start+n]) {
				return true
			}
		}
	}
	return false
}

func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		c := digits[len(digits)-1-i]
		if c < '0' || c > '9' {
			return false
		}
		d := int(c - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func stars(n int) string { return strings.Repeat("*", n) }

// panOf is the PAN of an element or object that holds one, or nothing: DE 2, the
// tracks, tags 5A and 57.
func panOf(s string) string {
	end := strings.IndexAny(s, "=D^F")
	if end >= 0 {
		s = s[:end]
	}
	s = strings.TrimLeft(s, "AB") // format code of track 1
	if strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// tagPAN is the PAN in an object of chip data.
func tagPAN(tag uint32, value []byte) string {
	switch emv.Tag(tag) {
	case emv.TagPAN, emv.TagTrack2, emv.TagTrack2Contactless:
		return panOf(strings.ToUpper(hex.EncodeToString(value)))
	}
	return ""
}
