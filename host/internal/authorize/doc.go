// Package authorize decides card transactions: it owns the one row that a
// transaction is (rules 3, 4, 5 of the tally), carries it through its two
// commits, and settles at start what a crash left without an outcome.
//
// The heart is [Next], a pure machine of one row: state and event in, state and
// actions out. [Engine] is the thin driver around it, which reads and writes the
// row inside the store's group commit, asks the issuer in between, and keeps the
// outbox of reversals towards the issuer.
package authorize
