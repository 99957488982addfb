// Package emv holds the data of EMV payment cards: tags and what is known of
// them ([Lookup]), a store of values that cannot be printed ([Data]), data
// object lists ([ParseDOL], [BuildDOL]), and the meaning of fields in words
// ([Describe]) for traces, receipts and screens.
//
// To run a transaction, see the package emv/kernel. To show what went over the
// line, use a [Masker]: it is the one way to turn a command and its answer into
// text without a PAN, a track or a PIN in it.
//
// The package is pure: no I/O, no clock, no randomness; all functions may be
// called at once from several goroutines, the methods of one Data or Masker may
// not. Clauses are those of EMV 4.4 (October 2022) unless said otherwise.
package emv
