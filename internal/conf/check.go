package conf

import (
	"cmp"
	"fmt"
)

// Mode says how seriously a program takes itself.
type Mode string

// The modes.
const (
	// Production refuses software PIN entry, a passphrase LMK, clear till
	// messages, unmasked traces and test keys.
	Production Mode = "production"
	// Lab must be written in the configuration. It prints TEST on receipts,
	// screens and console and accepts only keys that are marked as test keys.
	Lab Mode = "lab"
)

// CheckMode reports a mode that does not exist.
func CheckMode(m Mode) error {
	if m != Production && m != Lab {
		return fmt.Errorf("mode is %q, want %q or %q", string(m), Production, Lab)
	}
	return nil
}

// InRange reports a value outside min to max, both allowed.
func InRange[T cmp.Ordered](key string, v, min, max T) error {
	if v < min || v > max {
		return fmt.Errorf("%s is %v, want %v to %v", key, v, min, max)
	}
	return nil
}

// Required reports an empty text.
func Required(key, v string) error {
	if v == "" {
		return fmt.Errorf("%s is missing", key)
	}
	return nil
}
