package ber_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/testvectors/vectortest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseKeepsBytesOrderAndRepeats(t *testing.T) {
	in := unhex(t, "00 9A03221215 00 70820006 9F36020001 00 9A03491231 00 5F2D00")
	nodes, err := ber.Parse(in, ber.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in[2] = 0xEE // the result must not refer to the caller's bytes
	want := []struct {
		tag        uint32
		raw, value string
	}{
		{0x9A, "9A03221215", "221215"}, {0x70, "708200069F3602000100", "9F3602000100"},
		{0x9A, "9A03491231", "491231"}, {0x5F2D, "5F2D00", ""},
	}
	if len(nodes) != len(want) {
		t.Fatalf("%d objects, want %d", len(nodes), len(want))
	}
	for i, w := range want {
		n := nodes[i]
		if n.Tag != w.tag || !bytes.Equal(n.Raw, unhex(t, w.raw)) || !bytes.Equal(n.Value, unhex(t, w.value)) {
			t.Errorf("object %d is %X raw %X value %X", i, n.Tag, n.Raw, n.Value)
		}
	}
	if c := nodes[1].Children; len(c) != 1 || c[0].Tag != 0x9F36 {
		t.Errorf("children of 70: %v", c)
	}
}

// Inputs on which moov-io/bertlv v0.1.0 panics or accepts.
func TestParseRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"eight byte length of FF":   "9C88FFFFFFFFFFFFFFFF",
		"nine byte length":          "9C89000000000000000001FF",
		"five byte length":          "9C850000000001FF",
		"four byte length of FF":    "9C84FFFFFFFF",
		"indefinite length":         "9C80",
		"indefinite template":       "708000 00",
		"filler FF behind":          "9C0100FFFF",
		"filler FF before":          "FF9C0100",
		"tag without end":           "9F",
		"tag of five bytes":         "9F8182838401 00",
		"child over its parent":     "E0029C8101FF",
		"child tag over its parent": "E0019F0001FF",
		"length missing":            "9F02",
	} {
		nodes, err := ber.Parse(unhex(t, in), ber.Limits{})
		if !errors.Is(err, ber.ErrMalformed) || nodes != nil {
			t.Errorf("%s: %v, %v", name, nodes, err)
		}
	}
}

func TestParseLimits(t *testing.T) {
	nested := func(levels int) []byte { // that many templates around an empty one
		b := []byte{0xE0, 0}
		for range levels {
			b = ber.Append(nil, 0xE0, b)
		}
		return b
	}
	for name, c := range map[string]struct {
		in  []byte
		lim ber.Limits
		ok  bool
	}{
		"deepest by default":   {nested(7), ber.Limits{}, true},
		"too deep by default":  {nested(8), ber.Limits{}, false},
		"much too deep":        {nested(20000), ber.Limits{}, false},
		"as many as allowed":   {bytes.Repeat([]byte{0x9C, 0}, 3), ber.Limits{MaxObjects: 3}, true},
		"more than allowed":    {bytes.Repeat([]byte{0x9C, 0}, 4), ber.Limits{MaxObjects: 3}, false},
		"children count":       {[]byte{0xE0, 4, 0x9C, 0, 0x9C, 0}, ber.Limits{MaxObjects: 2}, false},
		"as long as allowed":   {make([]byte, 10), ber.Limits{MaxBytes: 10}, true},
		"longer than allowed":  {make([]byte, 11), ber.Limits{MaxBytes: 10}, false},
		"longer by default":    {make([]byte, 65537), ber.Limits{}, false},
		"filler is no object":  {make([]byte, 65536), ber.Limits{MaxObjects: 1}, true},
		"primitive below deep": {[]byte{0xE0, 2, 0x9C, 0}, ber.Limits{MaxDepth: 2}, true},
	} {
		_, err := ber.Parse(c.in, c.lim)
		if c.ok && err != nil || !c.ok && !errors.Is(err, ber.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	_, err := ber.Parse(unhex(t, "5A0A4761739001010119"), ber.Limits{})
	if err == nil || strings.Contains(strings.ToUpper(err.Error()), "4761") {
		t.Errorf("%v", err)
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		tag    uint32
		size   int
		header string
	}{
		{0x9C, 0, "9C00"}, {0x9F02, 0x7F, "9F027F"}, {0x9F8201, 0x80, "9F82018180"},
		{0x70, 0xFF, "7081FF"}, {0x5A, 0x100, "5A820100"}, {0x5A, 0x10000, "5A83010000"},
	} {
		got := ber.Append([]byte{0xAA}, c.tag, make([]byte, c.size))
		want := append(unhex(t, "AA"+c.header), make([]byte, c.size)...)
		if !bytes.Equal(got, want) {
			t.Errorf("Append(%X, %d bytes) begins %X", c.tag, c.size, got[:min(8, len(got))])
		}
	}
}

func TestTags(t *testing.T) {
	for tag, want := range map[uint32]bool{
		0x9F02: true, 0x5A: true, 0x9F8201: true, 0xDF4F: true, 0x9F: false, 0x9F82: false,
		0x5A01: false, 0x00: false, 0xFF01: false, 0x9F0201: false, 0x9F818283: false, 0x9F818203: true,
	} {
		if got := ber.Valid(tag); got != want {
			t.Errorf("Valid(%X) = %v", tag, got)
		}
	}
	for tag, want := range map[uint32]bool{0x70: true, 0xBF0C: true, 0x9F02: false, 0x5A: false, 0x7F49: true} {
		if ber.Constructed(tag) != want {
			t.Errorf("Constructed(%X) = %v", tag, !want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("TagBytes of no tag did not panic")
		}
	}()
	ber.TagBytes(0x9F)
}

func TestFindAndAll(t *testing.T) {
	nodes, err := ber.Parse(unhex(t, "71059F18020001 72059F18020002 9F36020003"), ber.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := ber.Find(nodes, 0x9F36); !ok || n.Value[1] != 3 {
		t.Error("an object behind two templates is not found")
	}
	if _, ok := ber.Find(nodes, 0x9F18); ok {
		t.Error("Find looked below the nodes")
	}
	var order []uint32
	for n := range ber.All(nodes) {
		order = append(order, n.Tag)
		if n.Tag == 0x72 {
			break
		}
	}
	if len(order) != 3 || order[0] != 0x71 || order[1] != 0x9F18 || order[2] != 0x72 {
		t.Errorf("All went %X", order)
	}
}

func FuzzParse(f *testing.F) {
	vectortest.Seed(f, "emv_tlv")
	for _, s := range []string{"9C89000000000000000001FF", "FF9C0100", "7080"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		nodes, err := ber.Parse(in, ber.Limits{})
		if err != nil {
			return
		}
		// Filler and long lengths aside, the bytes are those of the objects.
		var raw, minimal []byte
		for _, n := range nodes {
			raw = append(raw, n.Raw...)
			minimal = ber.Append(minimal, n.Tag, n.Value)
		}
		if !bytes.Equal(bytes.ReplaceAll(raw, []byte{0}, nil), bytes.ReplaceAll(in, []byte{0}, nil)) {
			t.Fatalf("objects hold %X of %X", raw, in)
		}
		again, err := ber.Parse(minimal, ber.Limits{})
		if err != nil || len(again) != len(nodes) {
			t.Fatalf("what was built does not parse: %v", err)
		}
		for n := range ber.All(nodes) {
			if !ber.Valid(n.Tag) || n.Constructed() != (len(n.Children) > 0) && len(bytes.Trim(n.Value, "\x00")) > 0 {
				t.Fatalf("node %X of %X", n.Tag, in)
			}
		}
	})
}
