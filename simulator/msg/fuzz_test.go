package msg_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"testing"

	"tallystick.example/iso8583/spec"
	"tallystick.example/simulator/msg"
)

// FuzzExplain: no input makes explain, diff or redact fail otherwise than with a
// reason, every offset lies in the message, and what was redacted can be read and
// is as long as it was.
func FuzzExplain(f *testing.F) {
	var dialects []*msg.Dialect
	for _, name := range append(spec.Dialects(), "terminal", "../../iso8583/spec/testdata/packager.xml") {
		d, err := msg.Open(name)
		if err != nil {
			f.Fatal(err)
		}
		dialects = append(dialects, d)
	}
	raw, err := hex.DecodeString(build(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(1), raw)
	f.Add(byte(0), []byte("0200B2200000001000000000000000800000201234000000010000110722183012345606A5DFGR021ABCDEFGHIJ 1234567890"))
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		d := dialects[int(which)%len(dialects)]
		r := d.Explain(raw, false)
		if err := r.WriteText(io.Discard); err != nil {
			t.Fatal(err)
		}
		for _, field := range r.Fields {
			if field.Offset < -1 || field.Offset > len(raw) {
				t.Fatalf("field %s is at byte %d of %d", field.Path, field.Offset, len(raw))
			}
		}
		if b := r.Broken; b != nil && (b.Offset < 0 || b.Offset > len(raw) || b.Path == "" || b.Reason == "") {
			t.Fatalf("%+v", b)
		}
		if len(msg.Compare(r, d.Explain(bytes.Clone(raw), true))) > 0 {
			t.Fatal("a message differs from itself")
		}
		out, err := d.Redact(raw)
		if err != nil {
			return
		}
		if len(out) != len(raw) || d.Explain(out, false).Broken != nil {
			t.Fatalf("%X was redacted to %X", raw, out)
		}
	})
}

// FuzzPack: no YAML or JSON makes pack fail otherwise than with a reason, and what
// it packs can be read.
func FuzzPack(f *testing.F) {
	d, err := msg.Open("../../iso8583/spec/testdata/packager.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("mti: \"0210\"\n54: {2: more, 1: {2: \"000000004711\", 1: \"840\"}, 0: \"17\"}\n60: {33: \"Y\", 2: \"1231\", 5: hello}\n48: {\"07\": seven}"))
	f.Add([]byte(`{"mti": "0200", "55": {"9F02": "000000001234"}, "2": "4761739001010010"}`))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := d.Pack(in)
		if err != nil {
			return
		}
		if b := d.Explain(out, false).Broken; b != nil {
			t.Fatalf("%q packs to %X: %s", in, out, b)
		}
	})
}
