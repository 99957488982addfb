// Package soft is the HSM boundary in software: an AES-256 LMK formed from
// components, keys at rest as TR-31 version D blocks under it, and the whole
// operations of package api on top of package core.
//
// An [HSM] is one boundary over one directory; a [Session] is what one
// connection to it may use, and the owner of its handles. Only the boundary's
// server imports this package, in a process of its own.
//
// # Directory
//
// The directory has mode 0700, its files 0600; another mode is refused. One
// process holds it at a time (lock). All of it is useless without the LMK, and
// a directory opened with another LMK or in another mode is refused.
//
//	boundary.json        format, mode, check value of the LMK, salt of a passphrase
//	lock                 held with flock by the process that serves
//	keys/lookup.key      HMAC key of look-up values; never replaced
//	keys/reference.key   AES-256 key that seals issuers' reference records
//	keys/checkpoint.key  HMAC key that gives the Ed25519 seed that signs audit checkpoints
//	keys/seal-NNNNNN.key AES-256 keys that seal PANs, by version
//	state/pins           wrong PINs by look-up value
//	state/checkpoints    the newest checkpoint signed for each node
//	state/seals          seals made under each sealing key, reserved in blocks
//
// Key files hold one TR-31 block each. Optional block KP names the LMK by its
// check value, block 10 says TEST or LIVE, and LB the name of the file. State files are records with a sequence
// number and a MAC, appended and synced before the result that they stand for
// leaves the boundary; see table.go. A backup of the directory must not be
// restored over a newer one: the PIN brake and the checkpoints would go back.
//
// Further nodes of one host share the LMK, boundary.json and keys; a new node
// starts from a copy of these and without the folder state, which it makes.
package soft
