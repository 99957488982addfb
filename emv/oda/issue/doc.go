// Package issue makes what package oda verifies: certificates of issuers and
// cards, static and dynamic signatures (EMV 4.4 Book 2, sections 5 to 7). It is
// the issuer's and the card's half, for simulated cards and for tests.
//
// It is not for real cards: private keys lie open in memory, and the operations
// take a time that depends on them.
package issue
