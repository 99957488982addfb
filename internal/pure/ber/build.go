package ber

import (
	"fmt"
	"iter"
)

// TagBytes returns the bytes of tag, one to four. It panics for a number that
// is no tag: tags are constants of the program, not input.
func TagBytes(tag uint32) []byte { return appendTag(nil, tag) }

// Constructed reports whether tag is that of a template (bit 6 of its first byte).
func Constructed(tag uint32) bool { return firstByte(tag)&0x20 != 0 }

// Valid reports whether the bytes of tag form one whole tag that Parse accepts.
func Valid(tag uint32) bool {
	first, size := firstByte(tag), tagSize(tag)
	if first == 0x00 || first == 0xFF || (size > 1) != (first&0x1F == 0x1F) {
		return false
	}
	for i := size - 2; i >= 0; i-- { // bytes after the first: all but the last continue
		if more := tag>>(8*i)&0x80 != 0; more != (i > 0) {
			return false
		}
	}
	return true
}

// Append adds the object of tag and value to dst with the shortest length and
// returns the longer slice. value is not checked, even for a template. It
// panics for a number that is no tag, as TagBytes does.
func Append(dst []byte, tag uint32, value []byte) []byte {
	dst = appendTag(dst, tag)
	dst = appendLength(dst, len(value))
	return append(dst, value...)
}

// Find returns the first object of tag among nodes, not below them.
func Find(nodes []Node, tag uint32) (Node, bool) {
	for _, n := range nodes {
		if n.Tag == tag {
			return n, true
		}
	}
	return Node{}, false
}

// All goes through nodes and everything below them, a template before its
// children, in the order of the bytes.
func All(nodes []Node) iter.Seq[Node] {
	return func(yield func(Node) bool) { walk(nodes, yield) }
}

func walk(nodes []Node, yield func(Node) bool) bool {
	for _, n := range nodes {
		if !yield(n) || !walk(n.Children, yield) {
			return false
		}
	}
	return true
}

func appendTag(dst []byte, tag uint32) []byte {
	if !Valid(tag) {
		panic(fmt.Sprintf("ber: %X is no tag", tag))
	}
	for i := tagSize(tag) - 1; i >= 0; i-- {
		dst = append(dst, byte(tag>>(8*i)))
	}
	return dst
}

func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	size := 1
	for n>>(8*size) != 0 {
		size++
	}
	dst = append(dst, 0x80|byte(size))
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

// tagSize is the number of bytes of tag, at least one.
func tagSize(tag uint32) int {
	size := 1
	for size < maxTagBytes && tag>>(8*size) != 0 {
		size++
	}
	return size
}

func firstByte(tag uint32) byte { return byte(tag >> (8 * (tagSize(tag) - 1))) }
