package codec

import "unicode/utf8"

// trackOK reports whether a track has the parts that its standard orders, with
// an expiry month from 01 to 12: what moov's track fields demand. Sentinels and
// the check character are not stored.
func trackOK(kind Kind, t []byte) bool {
	switch kind {
	case Track1:
		return track1OK(t)
	case Track2:
		rest, ok := pan(t)
		if !ok || len(rest) < 9 || rest[0] != '=' && rest[0] != 'D' {
			return false
		}
		return expiryOK(rest[1:5]) && digits(rest[5:8]) && discretionary(rest[8:])
	}
	if len(t) < 2 || !digits(t[:2]) {
		return false
	}
	rest, ok := pan(t[2:])
	return ok && len(rest) > 1 && rest[0] == '=' && discretionary(rest[1:])
}

// track1OK checks format code, PAN, name, expiry, service code and
// discretionary data; a ^ stands for an absent expiry or service code.
func track1OK(t []byte) bool {
	if len(t) == 0 || t[0] < 'A' || t[0] > 'Z' {
		return false
	}
	rest, ok := pan(t[1:])
	if !ok || len(rest) == 0 || rest[0] != '^' {
		return false
	}
	rest = rest[1:]
	end := 0
	for end < len(rest) && rest[end] != '^' {
		end++
	}
	if end == len(rest) {
		return false
	}
	if name := utf8.RuneCount(rest[:end]); name < 2 || name > 26 {
		return false
	}
	rest = rest[end+1:]
	switch {
	case len(rest) > 0 && rest[0] == '^':
		rest = rest[1:]
	case len(rest) >= 4 && expiryOK(rest[:4]):
		rest = rest[4:]
	default:
		return false
	}
	switch {
	case len(rest) > 0 && rest[0] == '^':
		rest = rest[1:]
	case len(rest) >= 3 && digits(rest[:3]):
		rest = rest[3:]
	default:
		return false
	}
	return discretionary(rest)
}

// pan takes 1 to 19 digits off the front.
func pan(t []byte) (rest []byte, ok bool) {
	n := 0
	for n < len(t) && t[n]-'0' <= 9 {
		n++
	}
	return t[n:], n >= 1 && n <= 19
}

// expiryOK checks YYMM.
func expiryOK(t []byte) bool {
	if !digits(t) {
		return false
	}
	month := (t[2]-'0')*10 + t[3] - '0'
	return month >= 1 && month <= 12
}

// discretionary data are there and hold no end sentinel.
func discretionary(t []byte) bool {
	for _, b := range t {
		if b == '?' {
			return false
		}
	}
	return len(t) > 0
}

func digits(t []byte) bool {
	for _, b := range t {
		if b-'0' > 9 {
			return false
		}
	}
	return true
}
