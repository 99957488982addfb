// Package ber reads and writes BER-TLV data objects as EMV restricts them
// (EMV 4.4 Book 3 Annex B): definite lengths only, filler bytes 00 between
// objects, order and repeats kept, every byte of the input kept for signatures.
//
// [Parse] is the one TLV parser of this module. It is strict, never panics and
// is bounded in depth, objects and bytes, because its input comes from cards
// and peers. The package is pure: no I/O, no clock, no randomness.
package ber

import (
	"errors"
	"fmt"
)

// Errors of Parse, told apart with errors.Is. Their texts hold an offset and a
// reason, never a tag or value of the input.
var (
	// ErrMalformed means that the input is no sequence of data objects.
	ErrMalformed = errors.New("ber: malformed data object")
	// ErrLimit means that the input is larger, deeper or longer than the limits.
	ErrLimit = errors.New("ber: over the limit")
)

// Limits bound what Parse accepts. A field that is zero takes its EMV default.
type Limits struct {
	MaxDepth   int // templates inside templates, the outermost objects being depth 1; default 8
	MaxObjects int // objects in all, templates and their children each counted; default 512
	MaxBytes   int // bytes of input; default 65,536, the longest answer of a card
}

// The EMV defaults. Real templates are at most four deep (6F A5 BF0C 61).
const (
	defaultDepth   = 8
	defaultObjects = 512
	defaultBytes   = 65536
)

// maxTagBytes is what fits the uint32 of a Node. EMV uses one to three bytes.
const maxTagBytes = 4

// maxLengthBytes is the length of the longest length accepted after its first
// byte, which is 81 to 84.
const maxLengthBytes = 4

// A Node is one data object. Raw and Value are parts of one private copy that
// Parse made; they are to be read, not written.
type Node struct {
	Tag      uint32 // the tag bytes as one big-endian number: 0x9F02, 0x70
	Raw      []byte // tag, length and value exactly as received
	Value    []byte // the value; for a template the bytes of its objects
	Children []Node // objects of a template in order; nil for a primitive object
}

// Constructed reports whether n is a template.
func (n Node) Constructed() bool { return Constructed(n.Tag) }

// Parse reads data as a sequence of data objects (EMV Book 3 Annex B). Filler
// bytes 00 before, between and after objects are skipped; lengths of up to four
// bytes are accepted, also where fewer would do. The indefinite length, filler
// FF (no EMV tag begins with FF) and everything incomplete give ErrMalformed;
// input over lim gives ErrLimit. Empty data gives no nodes and no error.
//
// The result does not refer to data.
func Parse(data []byte, lim Limits) ([]Node, error) {
	lim = lim.withDefaults()
	if len(data) > lim.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(data), lim.MaxBytes)
	}
	p := parser{data: append([]byte(nil), data...), depth: lim.MaxDepth, left: lim.MaxObjects}
	return p.objects(0, len(p.data), 1)
}

func (l Limits) withDefaults() Limits {
	if l.MaxDepth <= 0 {
		l.MaxDepth = defaultDepth
	}
	if l.MaxObjects <= 0 {
		l.MaxObjects = defaultObjects
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultBytes
	}
	return l
}

// parser holds one run of Parse over its own copy of the input.
type parser struct {
	data  []byte
	depth int // deepest level allowed
	left  int // objects still allowed
}

// objects reads data[at:end] as whole objects on the given level.
func (p *parser) objects(at, end, level int) ([]Node, error) {
	var nodes []Node
	for at < end {
		if p.data[at] == 0x00 {
			at++
			continue
		}
		if p.left == 0 {
			return nil, fmt.Errorf("%w: too many objects", ErrLimit)
		}
		p.left--
		n, err := p.object(at, end, level)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		at += len(n.Raw)
	}
	return nodes, nil
}

// object reads the object that begins at at and must end at or before end.
func (p *parser) object(at, end, level int) (Node, error) {
	tag, pos, err := p.tag(at, end)
	if err != nil {
		return Node{}, err
	}
	size, pos, err := p.length(pos, end)
	if err != nil {
		return Node{}, err
	}
	if size > end-pos {
		return Node{}, malformed(pos, "value shorter than its length")
	}
	stop := pos + size
	n := Node{Tag: tag, Raw: p.data[at:stop:stop], Value: p.data[pos:stop:stop]}
	if !Constructed(tag) {
		return n, nil
	}
	if size > 0 && level >= p.depth {
		return Node{}, fmt.Errorf("%w: deeper than %d levels", ErrLimit, p.depth)
	}
	n.Children, err = p.objects(pos, stop, level+1)
	return n, err
}

// tag reads a tag: one byte, or more when the five low bits of the first are
// all 1; each further byte with bit 8 set announces one more (Annex B1).
func (p *parser) tag(at, end int) (tag uint32, next int, err error) {
	first := p.data[at]
	if first == 0xFF {
		return 0, 0, malformed(at, "filler FF is not allowed")
	}
	tag, next = uint32(first), at+1
	if first&0x1F != 0x1F {
		return tag, next, nil
	}
	for {
		if next == end {
			return 0, 0, malformed(at, "tag not complete")
		}
		if next-at == maxTagBytes {
			return 0, 0, malformed(at, "tag too long")
		}
		b := p.data[next]
		tag, next = tag<<8|uint32(b), next+1
		if b&0x80 == 0 {
			return tag, next, nil
		}
	}
}

// length reads a length: one byte up to 7F, or 81 to 84 and that many bytes
// (Annex B2).
func (p *parser) length(at, end int) (size, next int, err error) {
	if at == end {
		return 0, 0, malformed(at, "length missing")
	}
	first := p.data[at]
	if first < 0x80 {
		return int(first), at + 1, nil
	}
	count := int(first & 0x7F)
	switch {
	case count == 0:
		return 0, 0, malformed(at, "indefinite length")
	case count > maxLengthBytes:
		return 0, 0, malformed(at, "length of more than four bytes")
	case count > end-at-1:
		return 0, 0, malformed(at, "length not complete")
	}
	var n uint64
	for _, b := range p.data[at+1 : at+1+count] {
		n = n<<8 | uint64(b)
	}
	if n > uint64(end-at-1-count) { // compared before int(n), which is 32 bits on arm
		return 0, 0, malformed(at, "value shorter than its length")
	}
	return int(n), at + 1 + count, nil
}

func malformed(offset int, reason string) error {
	return fmt.Errorf("%w at byte %d: %s", ErrMalformed, offset, reason)
}
