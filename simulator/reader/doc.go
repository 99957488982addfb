// Package reader is a card reader in software: a GemPC Twin on a serial line,
// which is a pseudo-terminal here. It speaks CCID over serial (package ccid) at
// the level of TPDUs, with the echo and the card notifications of the real one,
// so that drivers which are not ours work with it, such as libccidtwin of pcscd.
//
// A [Machine] turns commands into answers and holds a card or none; [Serve]
// carries bytes between it and a line.
package reader
