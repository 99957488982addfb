// Package core holds the operations of an HSM on unwrapped keys. Every key
// carries its usage, algorithm and mode in the letters of a TR-31 header
// (ASC X9 TR-31:2018, 5.3; X9.143:2021), and every operation refuses a key that
// was not made for it.
//
// The package knows nothing of LMKs, storage, handles or messages: the software
// HSM and the payShield simulator are built on it. Its functions keep and change
// no memory of the caller, compare in constant time, and may be called by many
// goroutines at once. Errors carry no values.
package core

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// Errors of this package, told apart with errors.Is.
var (
	// ErrUse means that the usage, algorithm or mode of a key does not allow the
	// operation, or that a key cannot exist like that.
	ErrUse = errors.New("core: the key is not for this use")
	// ErrInput means that an input is malformed.
	ErrInput = errors.New("core: malformed input")
)

// Attributes say what a key is for.
type Attributes struct {
	Usage     string // two characters, such as "B0"
	Algorithm string // "T" for TDES, "A" for AES, "H" for HMAC
	Mode      string // "B", "C", "D", "E", "G", "V" or "X"
}

// A Key is an unwrapped key with its attributes. Wipe clears it, for all copies.
type Key struct {
	Attributes
	value secret.Secret
}

// rule is one row of the table of keys that may exist.
type rule struct {
	algorithms string
	modes      string
	lengths    map[string][]int // by algorithm, in bytes
}

var (
	doubleTDES = map[string][]int{"T": {16}}
	blockKeys  = map[string][]int{"T": {16, 24}, "A": {16, 24, 32}}
)

// rules are the usages that this project knows, with what TR-31 allows them and
// what the algorithms take.
var rules = map[string]rule{
	"B0": {"TA", "X", map[string][]int{"T": {16}, "A": {16, 24, 32}}}, // BDK
	"B1": {"TA", "X", map[string][]int{"T": {16}, "A": {16, 24, 32}}}, // initial DUKPT key
	"C0": {"T", "CGV", doubleTDES},                                    // card verification
	"D0": {"TA", "BDE", blockKeys},                                    // data
	"E0": {"T", "X", doubleTDES},                                      // issuer master key, cryptograms
	"E1": {"T", "X", doubleTDES},                                      // issuer master key, script confidentiality
	"E2": {"T", "X", doubleTDES},                                      // issuer master key, script integrity
	"E4": {"T", "X", doubleTDES},                                      // issuer master key, dynamic card codes
	"K0": {"TA", "BDE", blockKeys},                                    // key wrapping
	"K1": {"TA", "BDE", blockKeys},                                    // TR-31 key block protection
	"M3": {"T", "CGV", doubleTDES},                                    // ISO 9797-1 algorithm 3
	"M6": {"TA", "CGV", blockKeys},                                    // CMAC
	"M7": {"H", "CGV", map[string][]int{"H": {32}}},                   // HMAC
	"P0": {"TA", "BDE", blockKeys},                                    // PIN encryption
	"V1": {"T", "CGV", doubleTDES},                                    // PIN verification, IBM 3624
	"V2": {"T", "CGV", doubleTDES},                                    // PIN verification, Visa PVV
}

// Valid reports whether a key of n bytes may have these attributes.
func (a Attributes) Valid(n int) bool {
	r, ok := rules[a.Usage]
	return ok && len(a.Algorithm) == 1 && len(a.Mode) == 1 &&
		strings.Contains(r.algorithms, a.Algorithm) && strings.Contains(r.modes, a.Mode) &&
		slices.Contains(r.lengths[a.Algorithm], n)
}

// NewKey gives value its attributes; the Key shares the bytes of value. A
// combination that TR-31 or the algorithm does not know gives ErrUse.
func NewKey(a Attributes, value secret.Secret) (Key, error) {
	if !a.Valid(value.Len()) {
		return Key{}, ErrUse
	}
	return Key{Attributes: a, value: value}, nil
}

// Value is the key itself. It belongs to the Key.
func (k Key) Value() secret.Secret { return k.value }

// Len is the length of the key in bytes.
func (k Key) Len() int { return k.value.Len() }

// Wipe overwrites the key, for all copies.
func (k Key) Wipe() { k.value.Wipe() }

// allow refuses a key unless its usage is among usages and its mode among
// modes.
func (k Key) allow(modes string, usages ...string) error {
	if !k.Valid(k.value.Len()) || !slices.Contains(usages, k.Usage) || !strings.Contains(modes, k.Mode) {
		return ErrUse
	}
	return nil
}

// KCV is the check value of a key in hex: six digits for TDES (the enciphered
// zero block), ten for AES and HMAC keys (AES CMAC of a zero block; ANSI
// X9.24-1:2017, Annex A).
func (k Key) KCV() (string, error) {
	algorithm, n := mac.AESCMAC, mac.KCVLengthAES
	if k.Algorithm == "T" {
		algorithm, n = mac.DESZero, mac.KCVLengthTDES
	}
	v, err := mac.KCV(algorithm, k.value.Expose(), n)
	if err != nil {
		return "", fmt.Errorf("core: check value: %w", err)
	}
	return fmt.Sprintf("%X", v), nil
}

// Modes of TR-31 that an act may be done with.
const (
	modesGenerate = "CG"
	modesVerify   = "CV"
	modesEncrypt  = "BE"
	modesDecrypt  = "BD"
	modesDerive   = "X"
)
