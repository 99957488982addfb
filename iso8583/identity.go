package iso8583

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"tallystick.example/iso8583/codec"
)

// An Identity is what must be readable of a message for it to get any answer.
type Identity struct {
	MTI      MTI
	STAN     string // 6 digits
	Terminal string
}

// Identify reads MTI, DE 11 and DE 41 of a message that [Unpack] refused. It
// looks at the lengths of the elements before DE 41 only, so that a wrong
// character or an element that is not allowed does not hide the identity. It
// reports false when one of the three is not there or not readable.
func Identify(raw []byte) (Identity, bool) {
	m := codec.NewMessage(native)
	if m.Skim(raw, 41) != nil {
		return Identity{}, false
	}
	mti, stan, terminal := m.Value(0), m.Value(11), m.Value(41)
	if !mti.Valid() || !stan.Valid() || !terminal.Valid() {
		return Identity{}, false
	}
	t := mti.Wire()
	id := Identity{MTI(t[0])<<8 | MTI(t[1]), stan.Text(), strings.TrimRight(terminal.Text(), " ")}
	return id, id.Terminal != ""
}

// A MatchKey joins an answer with the request in flight that it answers. It can
// be the key of a map.
type MatchKey struct {
	Terminal [8]byte // DE 41
	STAN     [3]byte // DE 11, BCD
	Flow     MTI     // request type, repeat digit cleared
}

// MatchKey is the key of m, the same for a request, its repeats and its answer.
func (m *Message) MatchKey() MatchKey {
	k := MatchKey{Flow: m.mti.Request()}
	copy(k.Terminal[:], m.content(41))
	copy(k.STAN[:], m.content(11))
	return k
}

// digested are the elements that two messages of one identity must agree in.
var digested = [...]int{3, 4, 22, 49, 90, 95}

// Digest is SHA-256 over the elements that make two messages with the same
// identity the same message: DE 3, 4, 22, 49, 90 and 95, the application
// cryptogram and the ATC (9F26, 9F36) of DE 55, and extra values of the caller,
// such as the token of the card. Absent and empty differ. A malformed DE 55 is
// taken as a whole.
func (m *Message) Digest(extra ...[]byte) [32]byte {
	h := sha256.New()
	var n [4]byte
	add := func(v []byte) {
		size := uint32(0)
		if v != nil {
			size = uint32(len(v)) + 1
		}
		binary.BigEndian.PutUint32(n[:], size)
		h.Write(n[:])
		h.Write(v)
	}
	for _, de := range digested {
		add(m.content(de))
	}
	cryptogram, atc := chipIdentity(m.content(55))
	add(cryptogram)
	add(atc)
	for _, v := range extra {
		add(v)
	}
	return [32]byte(h.Sum(nil))
}
