package authorize

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"tallystick.example/iso8583"
)

// A Digest is SHA-256 over named data elements; the zero Digest stands for none.
type Digest [sha256.Size]byte

// IsZero reports whether there is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// bytes is the stored form: empty for none.
func (d Digest) bytes() []byte {
	if d.IsZero() {
		return []byte{}
	}
	return d[:]
}

// digestOf reads the stored form.
func digestOf(b []byte) (d Digest) {
	if len(b) == len(d) {
		copy(d[:], b)
	}
	return d
}

// errIdentity means that a message does not say which transaction it is about;
// it is answered with 30.
var errIdentity = errors.New("authorize: the message names no transaction")

// IdentityOf names the one row that m is about (rule 3): DE 41 with the attempt
// id, or without one DE 41, the MTI with its repeat digit cleared, DE 11, 12 and
// 13. A reversal names the row of its original: by the original attempt id, or
// by DE 90 (MTI and STAN) with its own DE 12 and 13, which repeat the original's.
// attempt is the attempt id in hex, empty when there is none.
func IdentityOf(m *iso8583.Message, p iso8583.Private) (id, attempt string, err error) {
	named, t, stan := p.AttemptID, m.MTI(), m.STAN()
	if t.Class() == iso8583.ClassReversal {
		o, ok := m.Original()
		if !ok {
			return "", "", errIdentity
		}
		named, t, stan = p.OriginalAttemptID, o.MTI, o.STAN
	}
	terminal := m.Terminal()
	if len(terminal) != 8 {
		return "", "", errIdentity
	}
	if !named.IsZero() {
		attempt = hex.EncodeToString(named[:])
		return terminal + "/" + attempt, attempt, nil
	}
	at, on := m.Digits(12), m.Digits(13)
	if len(stan) != 6 || len(at) != 6 || len(on) != 4 {
		return "", "", errIdentity
	}
	return terminal + "/" + t.ClearRepeat().String() + "/" + stan + "/" + at + "/" + on, "", nil
}

// subjectOf covers what a request and its reversal must agree on: DE 3, 4, 49.
func subjectOf(m *iso8583.Message) Digest {
	h := sha256.New()
	h.Write([]byte("tallystick subject 1"))
	var n [4]byte
	for _, de := range [...]int{3, 4, 49} {
		v := m.Digits(de)
		binary.BigEndian.PutUint32(n[:], uint32(len(v)))
		h.Write(n[:])
		h.Write([]byte(v))
	}
	return Digest(h.Sum(nil))
}
