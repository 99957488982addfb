package cardblob

import (
	"bytes"

	"tallystick.example/internal/pure/secret"
)

// Track2 is what track 2 (ISO/IEC 7813) says. The caller wipes its secrets.
type Track2 struct {
	PAN           secret.Secret // ASCII digits
	Expiry        string        // YYMM
	ServiceCode   string        // three digits
	Discretionary secret.Secret // ASCII digits after the service code
}

// Limits of PANs (ISO/IEC 7812-1) and of track 2 (ISO/IEC 7813: 37 characters
// between the sentinels).
const (
	minPAN, maxPAN = 8, 19
	maxTrack2      = 19 // bytes of tag 57
)

// ParseTrack2 reads the value of tag 57. It reports false when that is not a
// PAN, D, YYMM, a service code of three digits and further digits, with at most
// one F at the end.
func ParseTrack2(value secret.Secret) (t Track2, ok bool) {
	if value.Len() > maxTrack2 {
		return Track2{}, false
	}
	d := unpackDigits(value.Expose())
	defer clear(d[:cap(d)])
	if n := len(d); n > 0 && d[n-1] == '?' {
		d = d[:n-1]
	}
	at := bytes.IndexByte(d, '=')
	if at < minPAN || at > maxPAN || len(d) < at+8 || !decimal(d[:at]) || !decimal(d[at+1:]) || !validMonth(d[at+1:]) {
		return Track2{}, false
	}
	return Track2{
		PAN:           secret.New(d[:at]),
		Expiry:        string(d[at+1 : at+5]),
		ServiceCode:   string(d[at+5 : at+8]),
		Discretionary: secret.New(d[at+8:]),
	}, true
}

// PackTrack2 turns the text of a magnetic stripe between its sentinels, with =
// or D as separator, into the form of tag 57. It gives ErrMalformed for other
// characters. The caller clears text.
func PackTrack2(text []byte) (secret.Secret, error) {
	if len(text) > 2*maxTrack2 {
		return secret.Secret{}, ErrMalformed
	}
	out := make([]byte, (len(text)+1)/2)
	for i, c := range text {
		var n byte
		switch {
		case c >= '0' && c <= '9':
			n = c - '0'
		case c == '=' || c == 'D':
			n = 0xD
		default:
			clear(out)
			return secret.Secret{}, ErrMalformed
		}
		out[i/2] |= n << (4 * (1 - i%2))
	}
	if len(text)%2 == 1 {
		out[len(out)-1] |= 0x0F
	}
	return secret.Take(out), nil
}

// unpackDigits writes half bytes as characters: digits, = for D, ? for F and !
// for the others.
func unpackDigits(b []byte) []byte {
	const chars = "0123456789!!!=!?"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, chars[c>>4], chars[c&0x0F])
	}
	return out
}

func decimal(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// validMonth reports whether b begins with YYMM.
func validMonth(b []byte) bool {
	if len(b) < 4 || !decimal(b[:4]) {
		return false
	}
	m := int(b[2]-'0')*10 + int(b[3]-'0')
	return m >= 1 && m <= 12
}

// validDate reports whether b is YYMMDD; the day is not looked at further, for
// the expiry is the end of a month.
func validDate(b []byte) bool {
	return len(b) == 6 && decimal(b) && validMonth(b) && string(b[4:]) >= "01" && string(b[4:]) <= "31"
}

// packDigits writes an even number of digits two to a byte.
func packDigits(d []byte) ([]byte, bool) {
	if !decimal(d) || len(d)%2 != 0 {
		return nil, false
	}
	out := make([]byte, len(d)/2)
	for i, c := range d {
		out[i/2] |= (c - '0') << (4 * (1 - i%2))
	}
	return out, true
}

// packPAN writes a PAN in format cn: filled with F on the right.
func packPAN(pan []byte) ([]byte, error) {
	if len(pan) < minPAN || len(pan) > maxPAN || !decimal(pan) {
		return nil, ErrMalformed
	}
	s, err := PackTrack2(pan)
	if err != nil {
		return nil, err
	}
	return s.Expose(), nil
}

// unpackPAN reads format cn; more than one F, as cards with padded records give
// it, is allowed at the end.
func unpackPAN(value []byte) (secret.Secret, bool) {
	if len(value) > 10 {
		return secret.Secret{}, false
	}
	d := unpackDigits(value)
	defer clear(d[:cap(d)])
	d = bytes.TrimRight(d, "?")
	if len(d) < minPAN || len(d) > maxPAN || !decimal(d) {
		return secret.Secret{}, false
	}
	return secret.New(d), true
}

// packExpiry writes YYMM or YYMMDD as tag 5F24; without a day it is the last of
// the month.
func packExpiry(expiry string) ([]byte, error) {
	const lastDays = "312831303130313130313031"
	if len(expiry) == 4 && validMonth([]byte(expiry)) {
		m := int(expiry[2]-'0')*10 + int(expiry[3]-'0')
		expiry += lastDays[2*(m-1) : 2*m]
	}
	if !validDate([]byte(expiry)) {
		return nil, ErrMalformed
	}
	b, _ := packDigits([]byte(expiry))
	return b, nil
}
