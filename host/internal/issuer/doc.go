// Package issuer is the issuers' side of the host: the one interface that
// authorizations are asked through, and the built-in on-us issuer behind it.
//
// [OnUs] keeps a database of its own (accounts, cards, authorizations and
// entries), so that the acquirer's book and the issuer's are really two and can
// be held against each other. Only look-ups by token reach it: a PAN, a PIN or
// a key in clear never does; PIN and cryptogram are verified inside the HSM
// boundary against the card's sealed reference record.
package issuer
