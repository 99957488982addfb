package cryptogram

import "errors"

// Errors that callers tell apart with errors.Is. No text carries values.
var (
	// ErrKey means that a key has not 16 bytes (double length TDES).
	ErrKey = errors.New("cryptogram: key must have 16 bytes")
	// ErrInput means that a field is missing or has a wrong length or form.
	ErrInput = errors.New("cryptogram: malformed input")
	// ErrProfile means that a cryptogram version or session method is unknown.
	ErrProfile = errors.New("cryptogram: unknown profile or method")
	// ErrMismatch means that a cryptogram or MAC is well formed and wrong.
	ErrMismatch = errors.New("cryptogram: the cryptogram does not match")
)
