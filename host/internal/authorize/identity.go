package authorize

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// A Digest is SHA-256 over named data elements; the zero Digest stands for none.
type Digest [sha256.Size]byte

// IsZero reports whether there is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// AttemptSize is the length of an attempt id in bytes: the random epoch of the
// terminal's journal and its journal number, 8 bytes each.
const AttemptSize = 16

// Identity names the one row of a transaction (rule 3). The request, its repeats
// and its reversals all yield the same value.
type Identity struct {
	Terminal string // DE 41
	Attempt  []byte // DE 63 attempt id, AttemptSize bytes; nil when the terminal sends none
	// MTI, STAN, Time and Date name the original where no attempt id is sent:
	// for a reversal they come from DE 90 (MTI and STAN) and its own DE 12 and 13,
	// which repeat those of the original.
	MTI, STAN, Time, Date string
}

// Key is the identity as text, the unique column of the row. It fails when an
// attempt id has a wrong length or a part is missing.
func (i Identity) Key() (string, error) {
	if len(i.Terminal) != 8 {
		return "", fmt.Errorf("authorize: terminal has %d characters, want 8", len(i.Terminal))
	}
	if i.Attempt != nil {
		if len(i.Attempt) != AttemptSize {
			return "", fmt.Errorf("authorize: attempt id has %d bytes, want %d", len(i.Attempt), AttemptSize)
		}
		return i.Terminal + "/" + hex.EncodeToString(i.Attempt), nil
	}
	if len(i.MTI) != 4 || len(i.STAN) != 6 || len(i.Time) != 6 || len(i.Date) != 4 {
		return "", fmt.Errorf("authorize: no attempt id, and MTI, DE 11, 12, 13 are not complete")
	}
	return i.Terminal + "/" + i.MTI[:3] + "0/" + i.STAN + "/" + i.Time + "/" + i.Date, nil
}

// Elements are the data elements that a digest compares. All are as received;
// absent ones are empty.
type Elements struct {
	Processing string // DE 3
	Amount     string // DE 4, 12 digits
	EntryMode  string // DE 22
	Currency   string // DE 49
	Card       []byte // stands for the card token: the keyed look-up value
	Cryptogram []byte // 9F26
	ATC        []byte // 9F36
	Original   string // DE 90
	Replaced   string // DE 95
}

// Digest covers everything in e (rule 3).
func (e Elements) Digest() Digest {
	return digest("tallystick message 1", []byte(e.Processing), []byte(e.Amount), []byte(e.EntryMode),
		[]byte(e.Currency), e.Card, e.Cryptogram, e.ATC, []byte(e.Original), []byte(e.Replaced))
}

// Subject covers what a request and its reversal must agree on: DE 3, 4, 49.
func (e Elements) Subject() Digest {
	return digest("tallystick subject 1", []byte(e.Processing), []byte(e.Amount), []byte(e.Currency))
}

// digest hashes parts, each behind its length so that no two lists collide.
func digest(domain string, parts ...[]byte) Digest {
	h := sha256.New()
	h.Write([]byte(domain))
	var n [4]byte
	for _, p := range parts {
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return Digest(h.Sum(nil))
}
