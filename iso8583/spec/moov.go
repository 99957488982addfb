//go:build !(386 || arm || mips || mipsle)

package spec

import (
	"encoding/json"
	"fmt"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/specs"

	"tallystick.example/iso8583/codec"
)

// Program compiles the specification. The error is an *[Error], or a
// *[codec.LayoutError] that names the field which the codec cannot do.
func (s *Spec) Program() (*codec.Program, error) {
	m, err := s.Moov()
	if err != nil {
		return nil, err
	}
	layout, err := codec.LayoutOf(m)
	if err != nil {
		return nil, err
	}
	for _, span := range s.numeric {
		for de := span[0]; de <= span[1]; de++ {
			if f, ok := layout.Fields[de]; ok && f.Enc == codec.ASCII {
				f.Chars = &digits
				layout.Fields[de] = f
			}
		}
	}
	for de, f := range s.Fields {
		if l, ok := layout.Fields[de]; ok && f.packedTrack() {
			l.Kind, l.Separator = codec.Text, true
			layout.Fields[de] = l
		}
	}
	return codec.New(layout)
}

// packedTrack reports whether f is track 2 with two digits to a byte. That library
// has no encoding for its separator and can neither read nor write it; the compiled
// codec does, as text, whose parts are not held to ISO/IEC 7813.
func (f *Field) packedTrack() bool { return f.Type == "Track2" && (f.Enc == "BCD" || f.Enc == "LBCD") }

// digits are the characters of numeric elements.
var digits = func() (a codec.Alphabet) {
	for c := '0'; c <= '9'; c++ {
		a[c] = true
	}
	return a
}()

// Moov builds the specification of github.com/moov-io/iso8583, after [Spec.Check],
// which keeps that library from the inputs that make it panic. Each call returns
// a new value. The error is an *[Error] or that library's own.
func (s *Spec) Moov() (*moov.MessageSpec, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing the specification: %w", err)
	}
	m, err := specs.ImportJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("building the specification: %w", err)
	}
	return m, nil
}

// JSON writes the specification in the JSON form of github.com/moov-io/iso8583,
// elements in order. [Load] reads it back to the same.
func (s *Spec) JSON() ([]byte, error) {
	m, err := s.Moov()
	if err != nil {
		return nil, err
	}
	return Export(m)
}

// Export writes a specification of that library, such as iso8583.Spec, in its
// JSON form. The error is that library's own: a field that its JSON form cannot
// express, such as one with a packer of its own.
func Export(m *moov.MessageSpec) ([]byte, error) {
	b, err := specs.ExportJSON(m)
	if err != nil {
		return nil, fmt.Errorf("exporting the specification: %w", err)
	}
	return b, nil
}
