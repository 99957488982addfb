package iso8583

import "tallystick.example/iso8583/codec"

// MaxMessage is the longest message in bytes, without length header and TPDU.
// The longest that the table allows is well below it.
const MaxMessage = 4096

// maxElement is the highest element: two bitmaps and no more.
const maxElement = 128

// native is the compiled layout of the interface, with which every message is
// read and written.
var native = compiled(narrowed(declared()))

func compiled(l codec.Layout) *codec.Program {
	p, err := codec.New(l)
	if err != nil {
		panic(err) // the layout is part of the program
	}
	return p
}

// tableLayout is the layout that [Spec] declares, made from the table of elements
// itself, for machines where the specification's library cannot be built. A test
// holds both to each other.
func tableLayout() codec.Layout {
	l := codec.Layout{Name: specName, Bitmap: codec.Bitmaps{Length: 8, Enc: codec.Binary, Expand: true}, Fields: map[int]codec.Field{
		0: {Name: "message type identifier", Kind: codec.Text, Enc: codec.BCD, Prefix: codec.Prefix{Form: codec.Fixed}, Length: 4},
	}}
	for _, e := range sortedElements {
		f := codec.Field{Name: e.Name, Kind: codec.Text, Enc: codec.ASCII, Prefix: codec.Prefix{Form: codec.Fixed}, Length: e.Length}
		if e.Prefix > 0 {
			f.Prefix = codec.Prefix{Form: codec.BCDLength, Digits: e.Prefix}
		}
		switch e.Format {
		case "n":
			f.Enc = codec.BCD
		case "b", "x+n":
			f.Kind, f.Enc = codec.Bytes, codec.Binary
		}
		l.Fields[e.DE] = f
	}
	return l
}

// narrowed adds what a specification of moov cannot say: the alphabets of the
// text elements (ISO 8583:1987, 4.3), that an element that is present has a
// value, that there are two bitmaps at most and the second is not empty (else the
// MAC had two places), and how long a message may be.
func narrowed(l codec.Layout) codec.Layout {
	l.Limit, l.Bitmap.Max, l.Bitmap.NoEmpty = MaxMessage, 2, true
	for de, f := range l.Fields {
		if f.Prefix.Form != codec.Fixed {
			f.Min = 1
		}
		if f.Enc == codec.ASCII {
			f.Chars = charsOf(de)
		}
		f.TLV = de == 55
		l.Fields[de] = f
	}
	return l
}
