//go:build !(386 || arm || mips || mipsle)

package iso8583

import (
	"fmt"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
)

// native is the codec of the interface, compiled once from its specification.
var native = mustCompile(Spec())

func mustCompile(spec *moov.MessageSpec) *codec {
	c, err := compile(spec)
	if err != nil {
		panic(err) // the specification is part of the program
	}
	return c
}

// compile translates a specification. It refuses what the codec cannot do, so
// that a declaration is never read in another way than it was meant.
func compile(spec *moov.MessageSpec) (*codec, error) {
	c := new(codec)
	for de, f := range spec.Fields {
		if de < 2 {
			continue
		}
		if de > maxElement || de == 65 {
			return nil, fmt.Errorf("iso8583: the specification has DE %d, which no message can hold", de)
		}
		fs := f.Spec()
		s := slot{max: uint16(fs.Length)}
		switch fs.Enc {
		case encoding.BCD:
			s.kind = kindDigits
		case encoding.ASCII:
			s.kind = kindText
			s.chars = charsOf(de)
		case encoding.Binary:
			s.kind = kindBinary
		default:
			return nil, fmt.Errorf("iso8583: DE %d has an encoding that the codec does not know", de)
		}
		switch p := fs.Pref.Inspect(); p {
		case "BCD.Fixed", "ASCII.Fixed", "Binary.Fixed":
		case "BCD.LL":
			s.prefix = 1
		case "BCD.LLL":
			s.prefix = 2
		default:
			return nil, fmt.Errorf("iso8583: DE %d has the length prefix %s, which the codec does not know", de, p)
		}
		if fs.Length < 1 || fs.Length > 999 || s.prefix == 1 && fs.Length > 99 {
			return nil, fmt.Errorf("iso8583: DE %d has the length %d", de, fs.Length)
		}
		c.slots[de] = s
	}
	return c, nil
}
