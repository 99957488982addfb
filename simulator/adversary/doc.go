// Package adversary attacks a running host from the side of the terminals: races
// that try to get two effects out of one sale, and input of every bad kind. Each
// attack says what the host owes as an answer, by docs/terminal-interface.md, and
// what it gave.
//
// [Race], [Crowd], [WrongPINs] and [Replay] are the races; [Inputs] is the table
// of bad input, which [Bench.Run] sends while a good terminal pays beside it.
// Nothing here knows the host's code; what the books must hold afterwards is
// checked from its exports by [CheckEffects].
package adversary
