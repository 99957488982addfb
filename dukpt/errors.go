package dukpt

import "errors"

// Errors of this package; they are told apart with errors.Is. Their texts carry
// no values.
var (
	// ErrKSN means bytes that are no key serial number of the scheme.
	ErrKSN = errors.New("dukpt: malformed key serial number")
	// ErrCounter means a transaction counter that no terminal uses: zero, or with
	// too many one bits.
	ErrCounter = errors.New("dukpt: transaction counter not allowed")
	// ErrExhausted means that a key set has made its last transaction; the
	// terminal needs a new initial key.
	ErrExhausted = errors.New("dukpt: no transactions left, a new initial key is needed")
	// ErrBackward means a counter at or below the last used one.
	ErrBackward = errors.New("dukpt: the transaction counter never goes back")
	// ErrKeyLength means a key that has none of the lengths of its scheme.
	ErrKeyLength = errors.New("dukpt: wrong key length")
	// ErrKeyType means a key type that is unknown, not of the scheme, or stronger
	// than the key it would be derived from.
	ErrKeyType = errors.New("dukpt: key type not allowed")
	// ErrUsage means a usage that is unknown or does not fit the key type.
	ErrUsage = errors.New("dukpt: key usage not allowed")
	// ErrDirection means a direction other than request and response.
	ErrDirection = errors.New("dukpt: unknown direction")
	// ErrAlgorithm means a MAC algorithm that is unknown or cannot use the key.
	ErrAlgorithm = errors.New("dukpt: MAC algorithm not allowed")
	// ErrData means data that are empty or not whole cipher blocks, or an
	// initialisation vector that is not one block.
	ErrData = errors.New("dukpt: data or initialisation vector of the wrong length")
	// ErrState means bytes that are no stored state.
	ErrState = errors.New("dukpt: malformed register state")
	// ErrWiped means that the keys were wiped before.
	ErrWiped = errors.New("dukpt: the keys have been wiped")
)
