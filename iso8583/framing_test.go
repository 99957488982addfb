package iso8583_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"tallystick.example/iso8583"
)

func TestFrames(t *testing.T) {
	var stream bytes.Buffer
	tpdu := iso8583.TPDU{0x60, 0x00, 0x12, 0x80, 0x34}
	want := []iso8583.Frame{{Body: []byte{2, 0}}, {TPDU: tpdu, Body: []byte{8, 0, 1}}, {Body: bytes.Repeat([]byte{1}, iso8583.MaxMessage)}, {TPDU: tpdu, Body: bytes.Repeat([]byte{1}, iso8583.MaxMessage)}}
	for _, f := range want {
		if err := iso8583.WriteFrame(&stream, f); err != nil {
			t.Fatal(err)
		}
	}
	if head := stream.Bytes()[:4]; !bytes.Equal(head, []byte{0, 2, 2, 0}) {
		t.Errorf("the frame begins with %X", head)
	}
	buf := make([]byte, 16)
	r := iotest.OneByteReader(&stream)
	for i, f := range want {
		got, err := iso8583.ReadFrame(r, buf, iso8583.Limits{})
		if err != nil || got.TPDU != f.TPDU || !bytes.Equal(got.Body, f.Body) {
			t.Errorf("frame %d: %X %X, %v", i, got.TPDU, got.Body, err)
		}
	}
	if _, err := iso8583.ReadFrame(r, buf, iso8583.Limits{}); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if got := tpdu.Swap(); got != (iso8583.TPDU{0x60, 0x80, 0x34, 0x00, 0x12}) || tpdu.IsZero() {
		t.Errorf("swapped: %X", got)
	}
}

func TestBadFrames(t *testing.T) {
	for name, in := range map[string]string{
		"half a length": "00", "zero length": "0000", "no body": "0004", "half a body": "00040200", "over the limit": "FFFF",
		"over the limit with TPDU": "1006" + "60", "TPDU only": "0005" + "6000000000", "half a TPDU": "0003" + "600000",
	} {
		_, err := iso8583.ReadFrame(bytes.NewReader(unhex(in)), nil, iso8583.Limits{})
		if !errors.Is(err, iso8583.ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := iso8583.ReadFrame(bytes.NewReader(unhex("000A"+zeros(10))), nil, iso8583.Limits{MaxBody: 9}); !errors.Is(err, iso8583.ErrFrame) {
		t.Errorf("a frame over the caller's limit: %v", err)
	}
	if _, err := iso8583.ReadFrame(bytes.NewReader(unhex("000A"+"6000000000"+zeros(5))), nil, iso8583.Limits{MaxBody: 5}); err != nil {
		t.Errorf("a TPDU counts as message: %v", err)
	}
	broken := errors.New("deadline")
	for _, in := range []string{"", "0004", "000402"} {
		r := io.MultiReader(bytes.NewReader(unhex(in)), iotest.ErrReader(broken))
		if _, err := iso8583.ReadFrame(r, nil, iso8583.Limits{}); !errors.Is(err, broken) || errors.Is(err, iso8583.ErrFrame) {
			t.Errorf("an error of the stream after %q: %v", in, err)
		}
	}
	// A length over the limit is refused before anything of the body is read.
	if _, err := iso8583.ReadFrame(io.MultiReader(bytes.NewReader(unhex("1006")), iotest.ErrReader(broken)), nil, iso8583.Limits{}); !errors.Is(err, iso8583.ErrFrame) {
		t.Errorf("a length over the limit: %v", err)
	}
	for name, f := range map[string]iso8583.Frame{
		"empty": {}, "too long": {Body: make([]byte, iso8583.MaxMessage+1)}, "strange TPDU": {TPDU: iso8583.TPDU{1}, Body: []byte{2, 0}},
	} {
		var w bytes.Buffer
		if err := iso8583.WriteFrame(&w, f); !errors.Is(err, iso8583.ErrFrame) || w.Len() != 0 {
			t.Errorf("%s: %v, %d bytes written", name, err, w.Len())
		}
	}
	pr, pw := io.Pipe()
	if err := pr.CloseWithError(broken); err != nil {
		t.Fatal(err)
	}
	if err := iso8583.WriteFrame(pw, iso8583.Frame{Body: []byte{2, 0}}); !errors.Is(err, broken) {
		t.Errorf("an error of the writer: %v", err)
	}
}

func FuzzFrame(f *testing.F) {
	for _, in := range []string{"00020200", "00076000128034" + "0800", "0000", "FFFF", "0005" + "6000000000"} {
		f.Add(unhex(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		for range 64 {
			at := len(in) - r.Len()
			fr, err := iso8583.ReadFrame(r, nil, iso8583.Limits{})
			if err != nil {
				if !errors.Is(err, iso8583.ErrFrame) && err != io.EOF {
					t.Fatal(err)
				}
				return
			}
			out, err := iso8583.AppendFrame(nil, fr)
			if err != nil || !bytes.Equal(out, in[at:len(in)-r.Len()]) {
				t.Fatalf("frame %X is written as %X, %v", in[at:len(in)-r.Len()], out, err)
			}
		}
	})
}
