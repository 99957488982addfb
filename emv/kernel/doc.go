// Package kernel carries one contact EMV transaction through (EMV 4.4). A
// point-of-sale program needs three calls:
//
//	session, err := kernel.Select(ctx, card, cfg, callbacks) // choose the application
//	request, err := session.First(ctx, transaction)          // up to the first GENERATE AC
//	outcome := session.Second(ctx, answer)                   // the issuer's answer to the card
//
// [Select] finds the application with the cardholder's choice. [Session.First]
// reads the card, pauses in [Callbacks.CardRead] (amount and currency may still
// be set there, or the payment stopped), verifies the cardholder, weighs the
// risk and asks the card for a cryptogram. When the card has decided by itself,
// Request.Outcome says how; else the program sends Request.DE55 to the host and
// hands what came back to [Session.Second], also when nothing came back.
// [Session.Close] wipes what was read.
//
// Rules that a program must keep:
//   - An [Outcome] whose Reversal is set means that the host may hold an approval
//     that the card did not accept: send a reversal.
//   - An [*Error] before the first cryptogram whose Fallback is set allows the
//     magnetic stripe; no other end of a chip payment does.
//   - A PIN for the issuer never enters the kernel: [Callbacks.OnlinePIN] captures
//     it and makes the PIN block, the kernel learns only that it was entered.
//
// The kernel has no clock, no files and no log: the date, the source of
// randomness and the card are arguments, and [Callbacks.Observe] is told of each
// step with its clause. Offline data authentication needs the CA keys of
// [Config.CAKeys]; without them "not performed" is set and the capabilities told
// to the card say so.
//
// The steps are functions and types of their own ([BuildCandidates],
// [ReadRecords], [Verification], [Risk], [Analyze] …), for tools that test one
// step. A Session serves one transaction and one goroutine. Clauses are those
// of EMV 4.4: "B3 10.5" is Book 3, section 10.5.
package kernel
