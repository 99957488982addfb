// Package transport holds the protocols between a terminal and a contact card
// (EMV Level 1 Contact, ISO/IEC 7816-3) as pure machines: bytes in, bytes out,
// no line, no clock.
//
// Every machine is driven the same way: Send gives what goes out next (nothing
// while it waits or when it is done), Receive takes what came, Response gives
// the result.
//
//	x, err := transport.NewExchange(command, transport.LevelTPDU)
//	for out := x.Send(); out != nil; out = x.Send() {
//		in := … // one round trip through the reader
//		if err := x.Receive(in); err != nil { … }
//	}
//	answer, done := x.Response()
//
// [Exchange] works through a reader that carries whole commands (61xx, 6Cxx and
// warnings). [T0] adds the procedure bytes of T=0 for a bare line, [T1] the
// blocks of T=1; [CardT0] and [CardT1] are the card's side of both. [ParseATR]
// and [ATR.CheckEMV] read what a card answers to reset.
//
// A machine serves one command or one card session and one goroutine. Waiting
// times belong to the caller, lengths and repetitions to the machine.
package transport
