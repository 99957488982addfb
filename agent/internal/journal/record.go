package journal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"tallystick.example/internal/pure/secret"
)

// Type says what a record states.
type Type byte

// The types of records. Their numbers are part of the file format.
const (
	TypeReserve    Type = 1  // STANs up to a bound may have been used
	TypeBegin      Type = 2  // an attempt begins; the card has not been touched
	TypeKey        Type = 3  // a DUKPT counter is about to be used
	TypeIntent     Type = 4  // a request is about to leave
	TypeOutcome    Type = 5  // what the attempt came to, before anybody is told
	TypeSent       Type = 6  // a reversal is about to leave, once more
	TypeClosed     Type = 7  // the host has acknowledged a reversal
	TypeStuck      Type = 8  // a reversal goes to the operators' queue
	TypeKeyLoad    Type = 9  // a new DUKPT key set: counters start again
	TypeCheckpoint Type = 10 // the host's signed audit checkpoint: the other half of the tally
	TypeSnapshot   Type = 11 // what later records build on, before old ones are pruned
	TypeConfirmed  Type = 12 // the host knows that approvals were completed
)

// typeNames are the names in exports and messages.
var typeNames = map[Type]string{
	TypeReserve: "reserve", TypeBegin: "begin", TypeKey: "key", TypeIntent: "intent",
	TypeOutcome: "outcome", TypeSent: "sent", TypeClosed: "closed", TypeStuck: "stuck",
	TypeKeyLoad: "keyload", TypeCheckpoint: "checkpoint", TypeSnapshot: "snapshot", TypeConfirmed: "confirmed",
}

// String is the name of the type.
func (t Type) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("type %d", byte(t))
}

// Layout of a stored record: version, type, attempt, time in microseconds, JSON
// body, HMAC-SHA-256 over the MAC of the record before, the record's number and
// all of the record before the MAC.
const (
	recordVersion = 1
	headerSize    = 1 + 1 + 8 + 8
	macSize       = sha256.Size
	// maxRecordBytes bounds one record: bodies are a few hundred bytes.
	maxRecordBytes = 16 << 10
)

// A Record is one line of the journal.
type Record struct {
	Number  uint64 // counts from 1 without gaps
	Type    Type
	Attempt uint64 // number of the attempt's begin record, 0 when it belongs to none
	At      time.Time
	Body    json.RawMessage
}

// chain authenticates records: each MAC covers the one before, so that a record
// can be neither changed, removed, inserted nor moved.
type chain struct {
	key  secret.Secret
	last [macSize]byte
}

// seal appends the MAC of r to its bytes and moves the chain on.
func (c *chain) seal(r Record) []byte {
	b := make([]byte, headerSize, headerSize+len(r.Body)+macSize)
	b[0], b[1] = recordVersion, byte(r.Type)
	binary.BigEndian.PutUint64(b[2:], r.Attempt)
	binary.BigEndian.PutUint64(b[10:], uint64(r.At.UnixMicro()))
	b = append(b, r.Body...)
	mac := c.mac(r.Number, b)
	c.last = mac
	return append(b, mac[:]...)
}

// open checks the MAC of stored against the chain, moves it on and returns the
// record. The record's body is a copy.
func (c *chain) open(number uint64, stored []byte) (Record, error) {
	if len(stored) < headerSize+macSize || len(stored) > maxRecordBytes {
		return Record{}, fmt.Errorf("record %d has %d bytes", number, len(stored))
	}
	b, tag := stored[:len(stored)-macSize], stored[len(stored)-macSize:]
	mac := c.mac(number, b)
	if !hmac.Equal(mac[:], tag) {
		return Record{}, fmt.Errorf("record %d does not carry the right MAC", number)
	}
	if b[0] != recordVersion {
		return Record{}, fmt.Errorf("record %d has version %d, this program reads %d", number, b[0], recordVersion)
	}
	c.last = mac
	return Record{
		Number: number, Type: Type(b[1]),
		Attempt: binary.BigEndian.Uint64(b[2:]),
		At:      time.UnixMicro(int64(binary.BigEndian.Uint64(b[10:]))).UTC(),
		Body:    append(json.RawMessage(nil), b[headerSize:]...),
	}, nil
}

// mac is the chained MAC of a record's bytes.
func (c *chain) mac(number uint64, b []byte) [macSize]byte {
	h := hmac.New(sha256.New, c.key.Expose())
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], number)
	h.Write(c.last[:])
	h.Write(n[:])
	h.Write(b)
	return [macSize]byte(h.Sum(nil))
}

// A mark is an authenticated position in the chain: the head, or the base below
// which records have been pruned.
type mark struct {
	number uint64
	mac    [macSize]byte
}

// encode authenticates the mark under its name and the journal's epoch.
func (m mark) encode(key secret.Secret, name string, epoch [8]byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, m.number)
	b = append(b, m.mac[:]...)
	return append(b, markTag(key, name, epoch, b)...)
}

// decodeMark checks and reads what encode wrote.
func decodeMark(key secret.Secret, name string, epoch [8]byte, b []byte) (mark, error) {
	if len(b) != 8+2*macSize {
		return mark{}, fmt.Errorf("the %s mark has %d bytes", name, len(b))
	}
	body := b[:8+macSize]
	if !hmac.Equal(markTag(key, name, epoch, body), b[8+macSize:]) {
		return mark{}, fmt.Errorf("the %s mark does not carry the right MAC", name)
	}
	return mark{number: binary.BigEndian.Uint64(body), mac: [macSize]byte(body[8:])}, nil
}

func markTag(key secret.Secret, name string, epoch [8]byte, body []byte) []byte {
	h := hmac.New(sha256.New, key.Expose())
	h.Write([]byte("mark " + name + "\x00"))
	h.Write(epoch[:])
	h.Write(body)
	return h.Sum(nil)
}
