package canary

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// A form is a way in which a program holds a secret.
type form struct {
	name string
	b    []byte
	text bool // characters, which UTF-16 can spell; false for packed digits too
	hex  bool // its hexadecimal is another form already
}

// A pattern is what the scan looks for.
type pattern struct {
	secret   string // its name
	encoding string
	b        []byte
}

// minPattern is the shortest pattern: 36 bits and more are not met by chance.
const minPattern = 5

// Encodings lists the forms in which a secret of kind is looked for.
func Encodings(s Secret) []string {
	var out []string
	for _, p := range patterns(s) {
		out = append(out, p.encoding)
	}
	return out
}

// patterns are all encodings of a secret, each byte sequence once.
func patterns(s Secret) []pattern {
	var out []pattern
	seen := map[string]bool{}
	add := func(name string, b []byte) {
		if len(b) >= minPattern && !seen[string(b)] {
			seen[string(b)] = true
			out = append(out, pattern{s.Name, name, b})
		}
	}
	for _, f := range forms(s) {
		add(f.name, f.b)
		for _, e := range encode(f) {
			add(f.name+", "+e.name, e.b)
		}
	}
	if s.Kind == Digits {
		for _, e := range numbers(s.Value.Expose()) {
			add(e.name, e.b)
		}
	}
	return out
}

// forms are the bytes that programs compute with.
func forms(s Secret) []form {
	v := append([]byte{}, s.Value.Expose()...)
	if s.Kind == Key {
		lower := hex.EncodeToString(v)
		return []form{{name: "bytes", b: v, hex: true}, {name: "hex", b: []byte(lower), text: true}, {name: "HEX", b: []byte(strings.ToUpper(lower)), text: true}}
	}
	// The hexadecimal of packed digits is their text.
	return []form{{name: "text", b: v, text: true}, {name: "bcd", b: pack(v), hex: true}, {name: "bcd at the second nibble", b: pack(v[1:]), hex: true}}
}

// pack packs digits, two to a byte, without the last one of an odd number: what
// shares its byte is not known.
func pack(digits []byte) []byte {
	out := make([]byte, len(digits)/2)
	for i := range out {
		out[i] = digits[2*i]&15<<4 | digits[2*i+1]&15
	}
	return out
}

// encode spells the bytes of a form in the ways in which data are written down.
func encode(f form) []form {
	lower := hex.EncodeToString(f.b)
	var out []form
	add := func(name, text string) { out = append(out, form{name: name, b: []byte(text)}) }
	if !f.hex {
		add("hex", lower)
		add("HEX", strings.ToUpper(lower))
	}
	add("hex with spaces", fmt.Sprintf("% x", f.b))
	add("HEX with spaces", fmt.Sprintf("% X", f.b))
	list := inside(fmt.Sprint(f.b))
	add("list of integers", list)
	add("list of integers with commas", strings.ReplaceAll(list, " ", ","))
	add("list of integers with commas and spaces", strings.ReplaceAll(list, " ", ", "))
	add("list of hexadecimal integers", inside(fmt.Sprintf("%#v", f.b)))
	add("quoted", inside(strconv.Quote(string(f.b))))
	out = append(out, base64s(f.b)...)
	if f.text {
		out = append(out, utf16s(f.b)...)
	}
	return out
}

// inside is text between its first bracket or quotation mark and its last byte.
func inside(text string) string {
	return text[strings.IndexAny(text, "[{\"")+1+skipType(text) : len(text)-1]
}

// skipType is how far the brace of []byte{…} lies behind its first bracket.
func skipType(text string) int {
	if strings.HasPrefix(text, "[]") {
		return strings.IndexByte(text, '{')
	}
	return 0
}

// base64s are the characters of base64 that depend on b alone, with 0, 1 and 2
// bytes before it, in both alphabets.
func base64s(b []byte) []form {
	var out []form
	for before := range 3 {
		all := append(make([]byte, before), b...)
		from, to := (8*before+5)/6, 8*len(all)/6
		for _, e := range []struct {
			name string
			enc  *base64.Encoding
		}{{"base64", base64.RawStdEncoding}, {"base64url", base64.RawURLEncoding}} {
			out = append(out, form{name: fmt.Sprintf("%s after %d", e.name, before), b: []byte(e.enc.EncodeToString(all)[from:to])})
		}
	}
	return out
}

// utf16s spell ASCII in two bytes a character.
func utf16s(text []byte) []form {
	var le, be []byte
	for _, c := range text {
		le = append(le, c, 0)
		be = append(be, 0, c)
	}
	return []form{{name: "UTF-16LE", b: le}, {name: "UTF-16BE", b: be}}
}

// numbers are digits as an integer, as memory and SQLite hold one, and in groups
// of four as people write them.
func numbers(digits []byte) []form {
	var out []form
	if n, err := strconv.ParseUint(string(digits), 10, 64); err == nil {
		be := binary.BigEndian.AppendUint64(nil, n)
		for len(be) > 1 && be[0] == 0 {
			be = be[1:]
		}
		le := make([]byte, len(be))
		for i, b := range be {
			le[len(be)-1-i] = b
		}
		out = append(out, form{name: "integer, big-endian", b: be}, form{name: "integer, little-endian", b: le})
	}
	for _, sep := range []string{" ", "-"} {
		var groups []string
		for d := string(digits); d != ""; d = d[min(4, len(d)):] {
			groups = append(groups, d[:min(4, len(d))])
		}
		out = append(out, form{name: "groups of four with " + strconv.Quote(sep), b: []byte(strings.Join(groups, sep))})
	}
	return out
}
