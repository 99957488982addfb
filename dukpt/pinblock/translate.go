package pinblock

import "io"

// Purpose is where a translated block goes.
type Purpose int

// The purposes.
const (
	ToNetwork Purpose = iota // to another host or HSM, under another key
	ToCard                   // to a chip card, for a PIN check or change
)

// Allowed reports whether a block of one format may become one of another, by
// PCI PIN Security requirement 3-3: formats 0, 3 and 4 become each other, format
// 1 becomes any of them but nothing becomes format 1, format 2 is made for a card
// only and never becomes anything. In no case may the PAN change; [Translate]
// takes only one.
func Allowed(from, to Format, p Purpose) bool {
	bound := func(f Format) bool { return f == ISO0 || f == ISO3 || f == ISO4 }
	switch {
	case !bound(from) && from != ISO1:
		return false
	case p == ToCard:
		return to == ISO2
	case p == ToNetwork:
		return bound(to)
	}
	return false
}

// A Side is one side of a translation.
type Side struct {
	Format Format
	Key    []byte // TDES or AES as [Encipher] takes it; owned by the caller
}

// Translate deciphers block, which has the format and key of from, and enciphers
// its PIN with those of to. What [Allowed] does not allow to the network gives
// ErrFormat; other errors are those of [Decipher] and [Encipher]. The clear PIN
// exists only within the call.
func Translate(from, to Side, block, pan []byte, random io.Reader) ([]byte, error) {
	if !Allowed(from.Format, to.Format, ToNetwork) {
		return nil, ErrFormat
	}
	pin, err := Decipher(from.Format, from.Key, block, pan)
	if err != nil {
		return nil, err
	}
	defer clear(pin)
	return Encipher(to.Format, to.Key, pin, pan, random)
}
