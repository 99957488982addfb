package iso8583_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"tallystick.example/iso8583"
)

// TestLengthHeaders holds each header to bytes written by hand: what networks and
// other implementations send for a message of 300 bytes, with and without TPDU.
func TestLengthHeaders(t *testing.T) {
	body := bytes.Repeat([]byte{0x02}, 300)
	tpdu := iso8583.TPDU{0x60, 0x00, 0x12, 0x80, 0x34}
	for _, tc := range []struct{ name, plain, withTPDU string }{
		{"binary2", "012C", "0131"},
		{"binary4", "0000012C", "00000131"},
		{"ascii4", "30333030", "30333035"},
		{"bcd2", "0300", "0305"},
		{"vml", "012C0000", "01310000"},
	} {
		h, ok := iso8583.LengthHeaderOf(tc.name)
		if !ok || h.String() != tc.name || h.Size() != len(tc.plain)/2 {
			t.Fatalf("%s: %v, size %d", tc.name, ok, h.Size())
		}
		for head, f := range map[string]iso8583.Frame{tc.plain: {Body: body}, tc.withTPDU: {TPDU: tpdu, Body: body}} {
			g := iso8583.Framing{Header: h}
			out, err := g.Append(nil, f)
			if err != nil || !bytes.HasPrefix(out, unhex(head)) || len(out) != h.Size()+len(body)+len(out[h.Size():])-300 {
				t.Errorf("%s: %X…, %v; want %s", tc.name, out[:8], err, head)
				continue
			}
			if n, err := g.Size(out); err != nil || n != len(out) {
				t.Errorf("%s: Size is %d, %v, want %d", tc.name, n, err, len(out))
			}
			in := io.MultiReader(iotest.OneByteReader(bytes.NewReader(out)), strings.NewReader("next"))
			got, err := g.Read(in, nil)
			if err != nil || got.TPDU != f.TPDU || !bytes.Equal(got.Body, body) {
				t.Errorf("%s: read %X, %v", tc.name, got.TPDU, err)
			}
			if rest, err := io.ReadAll(in); err != nil || string(rest) != "next" {
				t.Errorf("%s: %q is left, %v", tc.name, rest, err)
			}
		}
	}
	if len(iso8583.LengthHeaderNames()) != 5 {
		t.Errorf("headers: %v", iso8583.LengthHeaderNames())
	}
	if _, ok := iso8583.LengthHeaderOf("hex4"); ok || iso8583.LengthHeader(9).Size() != 0 {
		t.Error("a header that does not exist")
	}
}

// TestBadLengths: a length that lies is refused on sight; the reader behind it
// fails the test when anything of a body is asked for.
func TestBadLengths(t *testing.T) {
	untouched := iotest.ErrReader(errors.New("the body was read"))
	for name, tc := range map[string]struct {
		framing iso8583.Framing
		head    string
	}{
		"4 GiB":                       {iso8583.Framing{Header: iso8583.Binary4}, "FFFFFFFF"},
		"4 GiB, the largest limit":    {iso8583.Framing{Header: iso8583.Binary4, MaxBody: math.MaxInt}, "FFFFFFFF"},
		"2 GiB, negative as an int32": {iso8583.Framing{Header: iso8583.Binary4}, "80000000"},
		"zero":                        {iso8583.Framing{Header: iso8583.Binary4}, "00000000"},
		"ASCII zero":                  {iso8583.Framing{Header: iso8583.ASCII4}, "30303030"},
		"ASCII sign":                  {iso8583.Framing{Header: iso8583.ASCII4}, "2B303130"},
		"ASCII blank":                 {iso8583.Framing{Header: iso8583.ASCII4}, "20203130"},
		"binary taken for ASCII":      {iso8583.Framing{Header: iso8583.ASCII4}, "00FA3038"},
		"BCD letter":                  {iso8583.Framing{Header: iso8583.BCD2}, "01A0"},
		"BCD letter in front":         {iso8583.Framing{Header: iso8583.BCD2}, "F100"},
		"BCD over the limit":          {iso8583.Framing{Header: iso8583.BCD2}, "4102"},
		"VML over the limit":          {iso8583.Framing{Header: iso8583.VML, MaxBody: 2048, NoTPDU: true}, "08010000"},
		"no such header":              {iso8583.Framing{Header: 9}, "0002"},
	} {
		_, err := tc.framing.Read(io.MultiReader(bytes.NewReader(unhex(tc.head)), untouched), nil)
		if !errors.Is(err, iso8583.ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tc := range map[string]struct {
		framing iso8583.Framing
		frame   iso8583.Frame
	}{
		"more than four digits": {iso8583.Framing{Header: iso8583.ASCII4, MaxBody: 20000}, iso8583.Frame{Body: make([]byte, 10000)}},
		"more than two bytes":   {iso8583.Framing{MaxBody: iso8583.MaxFramed}, iso8583.Frame{Body: make([]byte, 1<<16)}},
		"over any limit":        {iso8583.Framing{Header: iso8583.Binary4, MaxBody: 1 << 30}, iso8583.Frame{Body: make([]byte, iso8583.MaxFramed+1)}},
		"TPDU where none is":    {iso8583.Framing{NoTPDU: true}, iso8583.Frame{TPDU: iso8583.TPDU{0x60}, Body: []byte{2}}},
		"reserved bytes":        {iso8583.Framing{}, iso8583.Frame{Body: []byte{2}, Reserved: [2]byte{0, 1}}},
		"poll without VML":      {iso8583.Framing{}, iso8583.Frame{}},
		"poll with a TPDU":      {iso8583.Framing{Header: iso8583.VML}, iso8583.Frame{TPDU: iso8583.TPDU{0x60}}},
		"no such header":        {iso8583.Framing{Header: 5}, iso8583.Frame{Body: []byte{2}}},
	} {
		if out, err := tc.framing.Append(nil, tc.frame); !errors.Is(err, iso8583.ErrFrame) || out != nil {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
	if _, err := (iso8583.Framing{Header: iso8583.Binary4}).Size([]byte{0, 0, 1}); !errors.Is(err, iso8583.ErrFrame) {
		t.Errorf("three bytes of a header of four: %v", err)
	}
}

// TestVMLControl: polls and session control messages are told from messages.
func TestVMLControl(t *testing.T) {
	g := iso8583.Framing{Header: iso8583.VML}
	for in, control := range map[string]bool{"00000000": true, "0001002002": true, "0001000002": false, "0001001002": false} {
		f, err := g.Read(bytes.NewReader(unhex(in)), nil)
		if err != nil || f.IsControl() != control {
			t.Errorf("%s: %+v, %v", in, f, err)
		}
		if out, err := g.Append(nil, f); err != nil || !bytes.Equal(out, unhex(in)) {
			t.Errorf("%s is written as %X, %v", in, out, err)
		}
	}
}

// TestBodyThatBeginsWithSixty: without TPDU in the framing it is a message.
func TestBodyThatBeginsWithSixty(t *testing.T) {
	f, err := iso8583.Framing{NoTPDU: true}.Read(bytes.NewReader(unhex("0003600102")), nil)
	if err != nil || !f.TPDU.IsZero() || len(f.Body) != 3 {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestFramingRoundTrip: whatever can be written is read back the same, frame by
// frame, through every header.
func TestFramingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := iso8583.Framing{
			Header: iso8583.LengthHeader(rapid.IntRange(0, 4).Draw(t, "header")),
			NoTPDU: rapid.Bool().Draw(t, "no TPDU"), MaxBody: rapid.IntRange(0, 9000).Draw(t, "most"),
		}
		var stream []byte
		var want []iso8583.Frame
		for range rapid.IntRange(1, 5).Draw(t, "frames") {
			f := iso8583.Frame{Body: rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "body")}
			if rapid.Bool().Draw(t, "TPDU") {
				f.TPDU = iso8583.TPDU(append([]byte{0x60}, rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "tpdu")...))
			} else if len(f.Body) > 0 && f.Body[0] == 0x60 && !g.NoTPDU {
				f.Body[0] = 0x02 // no MTI begins with 60
			}
			out, err := g.Append(stream, f)
			if err != nil {
				continue
			}
			stream, want = out, append(want, f)
		}
		r := bytes.NewReader(stream)
		for _, f := range want {
			got, err := g.Read(r, make([]byte, 8))
			if err != nil || got.TPDU != f.TPDU || !bytes.Equal(got.Body, f.Body) {
				t.Fatalf("%+v came back as %+v, %v", f, got, err)
			}
		}
		if _, err := g.Read(r, nil); err != io.EOF {
			t.Fatalf("after the last frame: %v", err)
		}
	})
}

func FuzzFraming(f *testing.F) {
	for h, in := range []string{"00020200", "000000076000128034" + "0800", "3030303230323030", "00020200", "000200000200"} {
		f.Add(byte(h), false, unhex(in))
	}
	f.Add(byte(1), true, unhex("FFFFFFFF"))
	f.Fuzz(func(t *testing.T, h byte, noTPDU bool, in []byte) {
		g := iso8583.Framing{Header: iso8583.LengthHeader(h % 5), NoTPDU: noTPDU}
		r := bytes.NewReader(in)
		for range 64 {
			at := len(in) - r.Len()
			fr, err := g.Read(r, nil)
			if err != nil {
				if !errors.Is(err, iso8583.ErrFrame) && err != io.EOF {
					t.Fatal(err)
				}
				return
			}
			out, err := g.Append(nil, fr)
			if err != nil || !bytes.Equal(out, in[at:len(in)-r.Len()]) {
				t.Fatalf("frame %X is written as %X, %v", in[at:len(in)-r.Len()], out, err)
			}
		}
	})
}
