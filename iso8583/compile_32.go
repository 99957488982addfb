//go:build 386 || arm || mips || mipsle

package iso8583

import "tallystick.example/iso8583/codec"

// declared is the layout of the interface, from the table of elements: version
// 0.26.1 of github.com/moov-io/iso8583 does not compile where an int has 32 bits.
func declared() codec.Layout { return tableLayout() }
