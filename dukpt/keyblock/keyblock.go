// Package keyblock wraps keys for storage and transport: the key blocks of
// ASC X9 TR-31:2018 and ANSI X9.143:2021.
//
// [Wrap] makes version D blocks, under an AES key block protection key (KBPK).
// [Unwrap] also takes versions A, B and C, and E of ISO 20038, in which other
// systems still deliver keys. [Parse] reads a header without a key: what it says
// is not authentic until Unwrap has checked it. [Header.Check] is the policy of
// usages, algorithms and modes; Unwrap does not apply it, since old blocks break
// it and the caller may have to say why a key was refused.
//
// The package is pure: randomness is an argument. All functions are safe for
// many goroutines. Keys come as bytes that belong to the caller, who clears them.
package keyblock

import (
	"errors"
	"fmt"
)

// Errors of this package; they are told apart with errors.Is. Their texts carry
// no part of a key.
var (
	// ErrFormat means text that is no key block.
	ErrFormat = errors.New("keyblock: malformed key block")
	// ErrVersion means a block version that is unknown or cannot be wrapped.
	ErrVersion = errors.New("keyblock: unknown version")
	// ErrKBPK means a key block protection key of a length that the version
	// cannot use, or one weaker than the key that it is to protect.
	ErrKBPK = errors.New("keyblock: wrong key block protection key")
	// ErrMAC means that the block was changed, or made under another key.
	ErrMAC = errors.New("keyblock: authentication failed")
	// ErrKey means a key that its header cannot describe: a wrong length for the
	// algorithm, or another check value than the block states.
	ErrKey = errors.New("keyblock: key does not fit the header")
	// ErrPolicy means a combination of usage, algorithm and mode that X9.143 does
	// not have.
	ErrPolicy = errors.New("keyblock: usage, algorithm and mode do not go together")
	// ErrRandom means that the source of randomness failed.
	ErrRandom = errors.New("keyblock: no randomness")
)

// A Header is what a block says of its key in clear, bound to the key by the
// MAC (X9.143:2021, 6.2 and 6.3). The letters are those of the standard.
type Header struct {
	Version       byte   // 'A' to 'E'; Wrap makes 'D' and accepts 0 for it
	Usage         string // two characters, such as "B1" (initial DUKPT key)
	Algorithm     byte   // 'A' AES, 'T' TDES, 'H' HMAC, …
	Mode          byte   // such as 'X' (derivation) or 'E' (encryption only)
	KeyVersion    string // two characters; "00" for none, "c…" for a component
	Exportability byte   // 'E' under a KEK, 'N' not, 'S' sensitive
	Context       byte   // '0' any, '1' storage, '2' exchange; 0 counts as '0'
	// Optional are the optional blocks in their order. Unwrap gives them as they
	// came, padding (PB) included; Wrap makes its own PB and drops others.
	Optional []Block
}

// Lengths of the text of a block.
const (
	headerLength = 16
	// MaxLength is the longest block: its length field has four digits.
	MaxLength = 9999
)

// version has the facts of a block version.
type version struct {
	aes   bool
	block int // cipher block in bytes, of which header and data have multiples
	mac   int // bytes
}

var versions = map[byte]version{
	'A': {block: 8, mac: 4},
	'B': {block: 8, mac: 8},
	'C': {block: 8, mac: 4},
	'D': {aes: true, block: 16, mac: 16},
	'E': {aes: true, block: 1, mac: 16}, // counter mode: no padding is needed
}

// checkKBPK returns ErrKBPK unless the version can use a key of n bytes.
func (v version) checkKBPK(n int) error {
	if n == 16 || n == 24 || v.aes && n == 32 {
		return nil
	}
	return fmt.Errorf("%w: %d bytes", ErrKBPK, n)
}
