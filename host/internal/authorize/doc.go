// Package authorize decides card transactions: it owns the one row that a
// transaction is (rules 3, 4, 5 of the tally), carries it through its two
// commits, and settles at start what a crash left without an outcome.
//
// The heart is [Next], a pure machine of one row: state and event in, state and
// actions out. [Core] is pure, too: it carries each message through its commits,
// which read and write the row inside the store's group commit, asks the issuer in
// between, and keeps the outbox of reversals towards the issuer. [Engine] is the
// thin driver around a Core, with a goroutine for each call.
package authorize
