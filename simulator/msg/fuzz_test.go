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
