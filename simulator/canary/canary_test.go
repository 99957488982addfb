package canary_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"tallystick.example/internal/pure/secret"
	"tallystick.example/simulator/canary"
)

const (
	pan    = "6762801234567890127" // 19 digits
	pin    = "831604927715"
	keyHex = "9A3B5C7D1E2F40516273849506A7B8C9"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func key() []byte {
	b, err := hex.DecodeString(keyHex)
	if err != nil {
		panic(err) // a constant
	}
	return b
}

func secrets() []canary.Secret {
	return []canary.Secret{
		{Name: "pan", Kind: canary.Digits, Value: secret.New([]byte(pan))},
		{Name: "pin", Kind: canary.Digits, Value: secret.New([]byte(pin))},
		{Name: "key", Kind: canary.Key, Value: secret.New(key())},
	}
}

// shared is the scanner of all tests.
var shared = sync.OnceValues(func() (*canary.Scanner, error) { return canary.New(secrets()...) })

func scanner(t testing.TB) *canary.Scanner {
	t.Helper()
	s, err := shared()
	must(t, err)
	return s
}

// scan scans bytes as a file.
func scan(t testing.TB, b []byte) canary.Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, b, 0o600))
	r, err := scanner(t).Paths(context.Background(), []string{path}, nil)
	must(t, err)
	return r
}

// nibbles packs digits behind so many nibbles of 5.
func nibbles(before int, digits string) []byte {
	text := strings.Repeat("5", before) + digits
	if len(text)%2 == 1 {
		text += "F"
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err) // digits only
	}
	return b
}

// utf16Text is text in two bytes a character.
func utf16Text(order binary.AppendByteOrder, text string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

// grouped is digits as they are embossed.
func grouped(digits string) []byte {
	var out []byte
	for i, c := range []byte(digits) {
		if i > 0 && i%4 == 0 {
			out = append(out, ' ')
		}
		out = append(out, c)
	}
	return out
}

// planted spells every secret in every way, written as programs write it and not
// as the scanner does.
func planted() map[string]map[string][]byte {
	all := map[string]map[string][]byte{}
	for name, digits := range map[string]string{"pan": pan, "pin": pin} {
		n, _ := new(big.Int).SetString(digits, 10)
		m := map[string][]byte{
			"text":           []byte(digits),
			"json":           []byte(`{"x":"` + digits + `"}`),
			"grouped":        grouped(digits),
			"bcd":            nibbles(0, digits),
			"bcd, second":    nibbles(1, digits),
			"bcd, third":     nibbles(2, digits),
			"bcd hex odd":    []byte(strings.ToUpper(hex.EncodeToString(nibbles(1, digits)))),
			"bcd list":       []byte(fmt.Sprint(nibbles(0, digits))),
			"bcd list, odd":  []byte(fmt.Sprintf("%d", nibbles(1, digits))),
			"bcd go syntax":  []byte(fmt.Sprintf("%#v", nibbles(1, digits))),
			"uint64":         binary.LittleEndian.AppendUint64(nil, n.Uint64()),
			"sqlite integer": n.Bytes(),
		}
		spell(m, []byte(digits))
		m["UTF-16LE"] = utf16Text(binary.LittleEndian, digits)
		m["UTF-16BE"] = utf16Text(binary.BigEndian, digits)
		all[name] = m
	}
	m := map[string][]byte{"bytes": key(), "hex text in UTF-16": utf16Text(binary.LittleEndian, keyHex), "hex text in base64": []byte(base64.StdEncoding.EncodeToString([]byte("k=" + strings.ToLower(keyHex))))}
	spell(m, key())
	all["key"] = m
	return all
}

// spell adds the ways that any bytes have.
func spell(m map[string][]byte, b []byte) {
	m["hex"] = []byte(hex.EncodeToString(b))
	m["HEX"] = []byte(strings.ToUpper(hex.EncodeToString(b)))
	m["hex dump"] = []byte(fmt.Sprintf("% X", b))
	m["list"] = []byte(fmt.Sprint(b))
	m["list in a struct"] = []byte(fmt.Sprintf("%+v", struct{ A, B []byte }{[]byte{1}, append([]byte{9}, b...)}))
	ints := make([]int, len(b))
	for i, c := range b {
		ints[i] = int(c)
	}
	j, err := json.Marshal(ints)
	if err != nil {
		panic(err) // integers always marshal
	}
	m["JSON array"] = j
	m["go syntax"] = []byte(fmt.Sprintf("%#v", b))
	m["quoted"] = []byte(fmt.Sprintf("%q", b))
	for before := range 3 {
		x := append(bytes.Repeat([]byte{'<'}, before), append(append([]byte{}, b...), '>')...)
		m[fmt.Sprintf("base64, %d before", before)] = []byte(base64.StdEncoding.EncodeToString(x))
		m[fmt.Sprintf("base64url, %d before", before)] = []byte(base64.RawURLEncoding.EncodeToString(x))
		folded := base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{'.'}, 36), x...))
		m[fmt.Sprintf("base64 in lines, %d before", before)] = []byte(folded[:56] + "\r\n" + folded[56:])
	}
}

// TestEveryEncoding plants each secret in each way, at the begin, at the end and
// across the pieces in which a file is read, and finds it by its name.
func TestEveryEncoding(t *testing.T) {
	noise := make([]byte, 257<<10)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	for name, ways := range planted() {
		for way, b := range ways {
			for _, at := range []int{0, 256<<10 - len(b)/2, 4<<10 - len(b)} {
				size := 4 << 10
				if at > size {
					size = len(noise)
				}
				file := bytes.Clone(noise[:size])
				copy(file[at:], b)
				r := scan(t, file)
				if !slices.Contains(r.Secrets(), name) {
					t.Errorf("%s as %s at %d was not found", name, way, at)
					continue
				}
				if len(r.Secrets()) != 1 {
					t.Errorf("%s as %s: found %v", name, way, r.Secrets())
				}
				if f := r.Findings[0]; f.Offset < int64(at)-1 || f.Offset > int64(at+len(b)) {
					t.Errorf("%s as %s at %d was found at %d", name, way, at, f.Offset)
				}
			}
		}
	}
}

// TestNothingFound: random bytes, digits, hexadecimal, and everything but the
// last byte of a secret.
func TestNothingFound(t *testing.T) {
	b := make([]byte, 2<<20)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	digits := make([]byte, 2<<20)
	for i := range digits {
		digits[i] = '0' + b[i]%10
	}
	for name, data := range map[string][]byte{
		"random bytes": b, "random digits": digits, "random hexadecimal": []byte(hex.EncodeToString(b[:1<<20])),
		"a part of each": []byte(pan[:18] + "x" + pin[:11] + "x" + keyHex[:31] + "x" + string(key()[:15])),
		"empty":          {},
	} {
		if r := scan(t, data); len(r.Findings) != 0 {
			t.Errorf("%s: %v", name, r.Findings)
		}
	}
}

// TestReportShowsNoSecret prints a report in every way.
func TestReportShowsNoSecret(t *testing.T) {
	r := scan(t, []byte("x"+pan+pin+string(key())+keyHex))
	j, err := json.Marshal(r)
	must(t, err)
	for _, text := range []string{fmt.Sprint(r.Findings), fmt.Sprintf("%#v", r), string(j), r.Findings[0].String()} {
		path := filepath.Join(t.TempDir(), "report")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		again, err := scanner(t).Paths(context.Background(), []string{path}, nil)
		must(t, err)
		if len(again.Findings) != 0 {
			t.Errorf("a report shows a secret: %v", again.Findings)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, s := range map[string]canary.Secret{
		"short PIN": {Name: "x", Kind: canary.Digits, Value: secret.New([]byte("1234"))},
		"short key": {Name: "x", Kind: canary.Key, Value: secret.New(make([]byte, 7))},
		"letters":   {Name: "x", Kind: canary.Digits, Value: secret.New([]byte("12345678901a"))},
		"no name":   {Kind: canary.Key, Value: secret.New(make([]byte, 16))},
		"no kind":   {Name: "x", Value: secret.New(make([]byte, 16))},
		"long":      {Name: "x", Kind: canary.Key, Value: secret.New(make([]byte, 65))},
	} {
		if _, err := canary.New(s); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := canary.New(); err == nil {
		t.Error("no secrets were accepted")
	}
}

// FuzzScan: no file makes the scan fail, and what is in a file is found whatever
// stands around it.
func FuzzScan(f *testing.F) {
	f.Add([]byte("SQLite format 3\x00"), []byte("PK\x03\x04"))
	f.Add([]byte{0x1F, 0x8B, 8, 0}, []byte{0x78, 0x9C})
	f.Add([]byte(pan[:7]), []byte(pan))
	s := scanner(f)
	f.Fuzz(func(t *testing.T, before, after []byte) {
		path := filepath.Join(t.TempDir(), "f")
		must(t, os.WriteFile(path, slices.Concat(before, nibbles(1, pin), after), 0o600))
		r, err := s.Paths(context.Background(), []string{path}, nil)
		must(t, err)
		if !slices.Contains(r.Secrets(), "pin") {
			t.Error("the PIN was not found")
		}
	})
}
