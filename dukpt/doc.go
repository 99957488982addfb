// Package dukpt derives unique keys per transaction: TDES DUKPT of ANSI
// X9.24-1:2009 and AES DUKPT of ANSI X9.24-3:2017.
//
// A host that has the base derivation key makes a [Base] and asks it for the
// [WorkingKeys] of the key serial number in a message. A terminal that has been
// given an initial key makes a [State], and asks it for the working keys of its
// next transaction with [State.Advance]; it stores the new state before it uses
// the keys, so that a power cut loses a key but never repeats one. WorkingKeys
// encipher PINs and card data and authenticate messages, in the same way for
// both schemes.
//
// The functions below them ([InitialKey], [TransactionKey], [WorkingKey],
// [MAC], [EncryptCBC], …) are for HSMs and tests.
//
// Nothing here does I/O, reads a clock or draws randomness of its own. No memory
// of a caller is kept or changed. Keys that a function returns as bytes belong
// to the caller, who clears them; types that hold keys have a Wipe method and
// print nothing of them. Key schedules of the standard library's ciphers cannot
// be overwritten; they last until the garbage collector takes them.
package dukpt
