// Package iso8583 is the interface between terminals and host: ISO 8583:1987
// with binary bitmaps and BCD numerics, as docs/terminal-interface.md describes
// it. Message table, codec, validation and that document come from the same
// data (elements.go, flows.go, transactions.go, responsecodes.go, tags.go).
//
// Three files show how a message comes about: elements.go is the table of data
// elements, layout.go makes of it the program that reads and writes them, and
// message.go is what callers hold. The program itself, for this and any other
// dialect, is package codec.
//
// A terminal builds a request with [NewPayment], [NewReversal], [NewReconcile]
// or [NewNetwork], adds its [Private] data (DE 63) and packs it with [SealMAC].
// A host reads it with [Unpack] and [Validate] and answers with [Answer].
// [ReadFrame] and [WriteFrame] carry messages over a stream; [Framing] does so for
// other networks, with their length headers.
//
// The package is pure: no network, files, clock, environment or logging. Sizes
// are bounded here; deadlines belong to the caller. Errors never hold the value
// of an element.
package iso8583

//go:generate go run ./internal/gendoc -o ../docs/terminal-interface.md
