// Package secret holds bytes that must never be printed: keys, PINs, PANs and
// tracks travel through the programs as a [Secret].
//
// The package is pure: no I/O, no clock, no randomness.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// redacted is what every way of printing a Secret answers.
const redacted = "[secret]"

// A Secret holds bytes that no formatter, encoder or logger can print and that
// cannot be compared with ==. The zero value is empty and usable.
//
// The bytes sit behind a pointer to a pointer: fmt reads the unexported fields
// of an enclosing struct without calling methods on them, and for a verb that
// does not fit (%s, %t) it follows one pointer, but never two. A Secret may be copied; all copies share the same bytes, so
// Wipe through one of them wipes all. It is not safe to Wipe while another
// goroutine uses Expose.
type Secret struct {
	_ [0]func() // not comparable with ==
	p **[]byte
}

// New returns a Secret of a private copy of b. The caller still owns b and
// should clear it.
func New(b []byte) Secret {
	c := make([]byte, len(b))
	copy(c, b)
	return Take(c)
}

// Take returns a Secret that owns b: the caller must not use b afterwards.
func Take(b []byte) Secret {
	q := &b
	return Secret{p: &q}
}

// Expose returns the bytes themselves, not a copy. The caller reads them at
// once and keeps no reference; they turn to zero when the Secret is wiped.
func (s Secret) Expose() []byte {
	if s.p == nil {
		return nil
	}
	return **s.p
}

// Len is the number of bytes held.
func (s Secret) Len() int { return len(s.Expose()) }

// IsZero reports whether the Secret holds no bytes.
func (s Secret) IsZero() bool { return s.Len() == 0 }

// Equal compares in time that depends only on the lengths.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare(s.Expose(), o.Expose()) == 1
}

// Wipe overwrites the bytes with zeros and drops them, for all copies of s.
func (s Secret) Wipe() {
	if s.p == nil {
		return
	}
	clear(**s.p)
	**s.p = nil
}

// Format answers every verb, with and without flags, with the same fixed text.
func (Secret) Format(f fmt.State, _ rune) {
	// The state of a formatter has no failing writer; fmt ignores it too.
	_, _ = io.WriteString(f, redacted)
}

// String answers a fixed text.
func (Secret) String() string { return redacted }

// GoString answers a fixed text.
func (Secret) GoString() string { return redacted }

// MarshalText answers a fixed text, so that JSON, YAML and XML show nothing.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary refuses: a secret is never stored by a generic encoder.
func (Secret) MarshalBinary() ([]byte, error) {
	return nil, fmt.Errorf("secret: refusing to encode a secret")
}

// GobEncode refuses, as MarshalBinary does.
func (Secret) GobEncode() ([]byte, error) { return Secret{}.MarshalBinary() }
