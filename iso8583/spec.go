//go:build !(386 || arm || mips || mipsle)

package iso8583

import (
	"fmt"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/specs"
)

// Spec declares the layout of the messages as a specification of
// github.com/moov-io/iso8583 with that library's own encoders. The program that
// reads and writes them is compiled from it, and a differential test holds both
// to the same result. Each call returns a new value that the caller may change.
func Spec() *moov.MessageSpec {
	s := &moov.MessageSpec{
		Name: specName,
		Fields: map[int]field.Field{
			0: field.NewString(&field.Spec{Length: 4, Description: "message type identifier", Enc: encoding.BCD, Pref: prefix.BCD.Fixed}),
			1: field.NewBitmap(&field.Spec{Length: 8, Description: "bitmap", Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
		},
	}
	for _, e := range sortedElements {
		s.Fields[e.DE] = specField(e)
	}
	return s
}

// specField declares one element. Lengths before variable elements are BCD,
// whatever the element holds.
func specField(e Element) field.Field {
	fs := &field.Spec{Length: e.Length, Description: e.Name}
	switch e.Prefix {
	case 2:
		fs.Pref = prefix.BCD.LL
	case 3:
		fs.Pref = prefix.BCD.LLL
	}
	switch e.Format {
	case "n":
		fs.Enc = encoding.BCD
		if e.Prefix == 0 {
			fs.Pref = prefix.BCD.Fixed
		}
		// A String keeps leading zeros, which a Numeric drops.
		return field.NewString(fs)
	case "b", "x+n":
		fs.Enc = encoding.Binary
		if e.Prefix == 0 {
			fs.Pref = prefix.Binary.Fixed
		}
		return field.NewBinary(fs)
	default:
		fs.Enc = encoding.ASCII
		if e.Prefix == 0 {
			fs.Pref = prefix.ASCII.Fixed
		}
		return field.NewString(fs)
	}
}

// SpecJSON is [Spec] in the JSON form of github.com/moov-io/iso8583, for other
// programs that use that library.
func SpecJSON() ([]byte, error) {
	b, err := specs.ExportJSON(Spec())
	if err != nil {
		return nil, fmt.Errorf("exporting the message specification: %w", err)
	}
	return b, nil
}
