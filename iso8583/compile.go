//go:build !(386 || arm || mips || mipsle)

package iso8583

import "tallystick.example/iso8583/codec"

// declared is the layout of the interface, from its specification.
func declared() codec.Layout {
	l, err := codec.LayoutOf(Spec())
	if err != nil {
		panic(err) // the specification is part of the program
	}
	return l
}
