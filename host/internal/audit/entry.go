package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Entry is one audited fact. It never holds card data, keys or PINs.
type Entry struct {
	Kind   string // what happened, such as "payment.approved", 1 to 40 bytes
	Actor  string // who: "terminal:T0000001", "operator:alice", "node"; 1 to 64 bytes
	Object string // what it is about: RRN, terminal, key name; up to 120 bytes
	Detail string // text or JSON, up to 4,096 bytes
	At     int64  // microseconds UTC
}

// check refuses what a chain or a database could not keep as it is.
func (e Entry) check() error {
	for _, f := range []struct {
		name, value string
		min, max    int
	}{{"kind", e.Kind, 1, 40}, {"actor", e.Actor, 1, 64}, {"object", e.Object, 0, 120}, {"detail", e.Detail, 0, 4096}} {
		if len(f.value) < f.min || len(f.value) > f.max {
			return fmt.Errorf("%w: %s has %d bytes, want %d to %d", ErrEntry, f.name, len(f.value), f.min, f.max)
		}
		if !utf8.ValidString(f.value) || strings.ContainsRune(f.value, 0) {
			return fmt.Errorf("%w: %s is not text", ErrEntry, f.name)
		}
	}
	return nil
}

// entryContext separates these hashes from any other use of SHA-256.
const entryContext = "tallystick audit entry 1\x00"

// startKind is the kind of the first entry of every boot; nothing else has it.
const startKind = "node.start"

// A link is an entry in its place in a chain.
type link struct {
	node         string
	number, boot uint64
	entry        Entry
}

// hash continues a chain that ends in prev (zeros before entry 1): SHA-256 over
// a context string, prev, and every field, numbers as 8 bytes big-endian, texts
// behind their 4-byte length.
func (l link) hash(prev [32]byte) [32]byte {
	b := append(make([]byte, 0, 256+len(l.entry.Detail)), entryContext...)
	b = append(b, prev[:]...)
	b = appendText(b, l.node)
	b = binary.BigEndian.AppendUint64(b, l.number)
	b = binary.BigEndian.AppendUint64(b, l.boot)
	b = binary.BigEndian.AppendUint64(b, uint64(l.entry.At))
	for _, s := range []string{l.entry.Kind, l.entry.Actor, l.entry.Object, l.entry.Detail} {
		b = appendText(b, s)
	}
	return sha256.Sum256(b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
