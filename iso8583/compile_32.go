//go:build 386 || arm || mips || mipsle

package iso8583

// native is the codec of the interface, made from the table of elements: version
// 0.26.1 of github.com/moov-io/iso8583 does not compile where an int has 32 bits.
var native = codecOf(sortedElements)
