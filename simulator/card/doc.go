// Package card is a chip card in software: an ICC with real keys that answers
// SELECT, GET PROCESSING OPTIONS, READ RECORD, GET DATA, VERIFY, GENERATE AC,
// INTERNAL and EXTERNAL AUTHENTICATE, GET CHALLENGE and issuer scripts as EMV Book 3 orders,
// computes its cryptograms from its own card key and transaction counter, and
// checks the issuer's answer before it approves.
//
// A [Profile] says what is personalized into the card; named ones are built in.
// A [Card] is the application level (commands in, answers out), a [Slot] adds
// reset and the transmission protocols, [Server] and [Client] put a card into a
// process of its own behind a Unix socket.
//
// The card is for tests: its keys are test keys, its PANs are public test PANs.
package card
