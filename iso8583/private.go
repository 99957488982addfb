package iso8583

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"tallystick.example/internal/pure/secret"
)

// An AttemptID names one attempt of a terminal for ever: 8 random bytes (the
// epoch of its journal) and an 8-byte big-endian journal number. The zero value
// means that there is none. With DE 41 it is the identity of a transaction.
type AttemptID [16]byte

// IsZero reports whether there is no attempt id.
func (a AttemptID) IsZero() bool { return a == AttemptID{} }

// CardData is the encrypted card data of a message: a BER-TLV blob under the
// DUKPT data encryption (request) key of Private.DataKSN, in CBC mode.
type CardData struct {
	IV         []byte // one block: 16 bytes for AES, 8 for TDES
	Ciphertext []byte // one to twelve (AES) or twenty-four (TDES) whole blocks
}

// Totals are the totals of a batch in one currency.
type Totals struct {
	Batch    uint32
	Currency uint16 // ISO 4217 numeric
	// Credits pay the cardholder (refunds), debits are sales; the reversal sums
	// hold what undid each.
	Credits, CreditReversals, Debits, DebitReversals Total
}

// A Total is a count and a sum.
type Total struct {
	Count uint32
	Minor int64 // minor units, never negative
}

// Net is debits less their reversals, less credits without theirs.
func (t Totals) Net() int64 {
	return t.Debits.Minor - t.DebitReversals.Minor - t.Credits.Minor + t.CreditReversals.Minor
}

// A ParameterRequest asks for a part of a parameter set.
type ParameterRequest struct {
	Set     uint8
	Version uint32 // 0 asks for the newest
	Offset  uint32
}

// MaxChunk is the most parameter data of one answer, in bytes.
const MaxChunk = 800

// A ParameterChunk is a part of a parameter set.
type ParameterChunk struct {
	Set     uint8
	Version uint32
	Offset  uint32
	Total   uint32   // bytes of the whole set
	Hash    [32]byte // SHA-256 of the whole set
	Data    []byte   // at most MaxChunk bytes, empty at the end
}

// A ParameterVersion says which version of a parameter set a terminal uses.
type ParameterVersion struct {
	Set     uint8
	Version uint32
}

// A Checkpoint is a signed statement of the host's audit chain. The terminal
// keeps the newest: the other half of the tally.
type Checkpoint struct {
	Node      string // 1 to 16 characters
	Boot      uint64
	Count     uint64
	Head      [32]byte
	Signature [64]byte // Ed25519
}

// Queues are the numbers of messages that a terminal still owes.
type Queues struct{ Reversals, Advices, Manual uint16 }

// An UploadPosition says which part of a batch upload a 0320 is: Index counts
// from 1 to Count.
type UploadPosition struct{ Batch, Index, Count uint32 }

// Capabilities of a terminal, a set of bits.
type Capabilities uint32

// The capabilities.
const (
	CapPartialApproval Capabilities = 1 << iota // takes DE 39 = 10
	CapOnlinePIN
	CapSignature
	CapContactless
	CapCashback
	CapTip
	CapPrinter
)

// Private is the content of DE 63. Absent values are zero or nil. The slices of
// a parsed one belong to it.
type Private struct {
	AttemptID         AttemptID
	OriginalAttemptID AttemptID
	MACKSN            []byte // 10 (TDES) or 12 (AES) bytes, as all KSNs
	PINKSN            []byte
	DataKSN           []byte
	CardData          CardData
	PINBlock          secret.Secret // 16 bytes, ISO 9564 format 4
	Reason            ReversalReason
	ScriptResults     []byte // tag 9F5B values, 5 bytes each, 1 to 16
	FinalChipData     []byte // BER-TLV of the second GENERATE AC
	KeyBlock          string // TR-31
	KCV               []byte // 3 to 5 bytes
	Totals            *Totals
	Request           *ParameterRequest
	Chunk             *ParameterChunk
	Software          string // 1 to 24 characters
	Parameters        []ParameterVersion
	Capabilities      Capabilities
	Token             string // 16 to 32 letters and digits
	Checkpoint        *Checkpoint
	HighestKSNs       [][]byte
	Queues            *Queues
	Upload            *UploadPosition
	Confirmed         []AttemptID // 1 to 8
}

// Format writes a fixed text for every verb: what is in DE 63 is shown by
// [Describe] only.
func (Private) Format(f fmt.State, _ rune) {
	// The state of a formatter has no failing writer; fmt ignores it too.
	_, _ = io.WriteString(f, "[private data]")
}

// ParsePrivate reads the content of DE 63: tags of 1 byte with lengths of 2, in
// any order. Unknown tags are skipped, a tag that comes twice is refused. The
// result holds a copy. The error is a *RuleError with code 30.
func ParsePrivate(b []byte) (Private, error) {
	p, _, err := parsePrivate(b)
	return p, err
}

// A tagSet holds which of the 256 tags are present.
type tagSet [4]uint64

func (s *tagSet) has(tag byte) bool { return s[tag>>6]>>(tag&63)&1 == 1 }
func (s *tagSet) add(tag byte)      { s[tag>>6] |= 1 << (tag & 63) }

func parsePrivate(b []byte) (Private, tagSet, error) {
	var p Private
	b = slices.Clone(b)
	var seen tagSet
	for len(b) > 0 {
		if len(b) < 3 {
			return Private{}, tagSet{}, tagError(b[0], "the data end within the tag or its length")
		}
		tag, n := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if n > len(b)-3 {
			return Private{}, tagSet{}, tagError(tag, "the data end within the value")
		}
		value := b[3 : 3+n : 3+n]
		b = b[3+n:]
		if seen.has(tag) {
			return Private{}, tagSet{}, tagError(tag, "the tag comes twice")
		}
		seen.add(tag)
		t := tagOf(tag)
		if t == nil {
			continue
		}
		if n < t.Min || n > t.Max {
			return Private{}, tagSet{}, tagError(tag, "the value has a wrong length")
		}
		if !t.get(&p, value) {
			return Private{}, tagSet{}, tagError(tag, "the value is malformed")
		}
	}
	return p, seen, nil
}

// AppendTo appends the content of DE 63, tags in ascending order. The error is a
// *RuleError when a value does not fit its tag.
func (p *Private) AppendTo(dst []byte) ([]byte, error) {
	start := len(dst)
	for i := range tags {
		t := &tags[i]
		at := len(dst)
		dst = t.put(append(dst, t.Tag, 0, 0), p)
		n := len(dst) - at - 3
		if n == 0 {
			dst = dst[:at]
			continue
		}
		var check Private
		if n < t.Min || n > t.Max || !t.get(&check, dst[at+3:]) {
			return nil, tagError(t.Tag, "the value does not fit the tag")
		}
		binary.BigEndian.PutUint16(dst[at+1:], uint16(n))
	}
	if len(dst)-start > 999 {
		return nil, &RuleError{DE: 63, Code: "30", Reason: fmt.Sprintf("%d bytes do not fit into the element", len(dst)-start)}
	}
	return dst, nil
}

func tagError(tag byte, reason string) *RuleError {
	return &RuleError{DE: 63, Tag: tag, Code: "30", Reason: reason}
}

// Private parses DE 63; without the element everything is absent. The error is
// that of [ParsePrivate].
func (m *Message) Private() (Private, error) { return ParsePrivate(m.content(63)) }

// SetPrivate sets DE 63, or takes it out when p is empty.
func (m *Message) SetPrivate(p Private) {
	b, err := p.AppendTo(nil)
	switch {
	case err != nil:
		if m.Err() == nil {
			m.err = err
		}
	case len(b) == 0:
		m.Clear(63)
	default:
		m.SetBytes(63, b)
	}
}
