package soft

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// ComponentLen is the length of the LMK and of each of its components in
// bytes: AES-256.
const ComponentLen = 32

// Costs of the passphrase of a lab, after RFC 9106, 4: three passes over 64 MiB.
const (
	argonPasses  = 3
	argonKiB     = 64 << 10
	argonThreads = 1
	saltLen      = 16
	// minPassphrase is a floor for mistakes such as an empty file; a passphrase
	// guards test keys only.
	minPassphrase = 12
)

// ErrComponents means that the components do not make an LMK: two or three of
// 32 bytes, all different, none zero, and not cancelling each other.
var ErrComponents = errors.New("soft: the LMK takes two or three different components of 32 bytes")

// FormLMK combines two or three full-length components by exclusive-or, so that
// no custodian knows a bit of the key (PCI PIN requirement 6). The caller wipes
// the components and the result.
func FormLMK(components []secret.Secret) (secret.Secret, error) {
	if len(components) < 2 || len(components) > 3 {
		return secret.Secret{}, ErrComponents
	}
	zero := secret.Take(make([]byte, ComponentLen))
	key := make([]byte, ComponentLen)
	for i, c := range components {
		if c.Len() != ComponentLen || c.Equal(zero) {
			return secret.Secret{}, ErrComponents
		}
		for _, other := range components[:i] {
			if c.Equal(other) {
				return secret.Secret{}, ErrComponents
			}
		}
		subtle.XORBytes(key, key, c.Expose())
	}
	lmk := secret.Take(key)
	if lmk.Equal(zero) {
		return secret.Secret{}, ErrComponents
	}
	return lmk, nil
}

// ComponentCheck is the check value by which a custodian recognises a component
// or an LMK: ten hex digits of the AES CMAC of a zero block (ANSI X9.24-1:2017,
// Annex A).
func ComponentCheck(component secret.Secret) (string, error) {
	if component.Len() != ComponentLen {
		return "", ErrComponents
	}
	kcv, err := mac.KCV(mac.AESCMAC, component.Expose(), mac.KCVLengthAES)
	if err != nil {
		return "", fmt.Errorf("soft: check value: %w", err)
	}
	return fmt.Sprintf("%X", kcv), nil
}

// ParseComponent reads a component as its custodian keeps it: 64 hex digits,
// blanks and line ends anywhere. The caller wipes text.
func ParseComponent(text []byte) (secret.Secret, error) {
	digits := make([]byte, 0, 2*ComponentLen)
	defer func() { clear(digits[:cap(digits)]) }()
	for _, c := range text {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case len(digits) == 2*ComponentLen:
			return secret.Secret{}, ErrComponents
		default:
			digits = append(digits, c)
		}
	}
	b := make([]byte, ComponentLen)
	if n, err := hex.Decode(b, digits); err != nil || n != ComponentLen {
		clear(b)
		return secret.Secret{}, ErrComponents // the cause would quote a digit
	}
	return secret.Take(b), nil
}

// stretch derives the LMK of a lab from a passphrase with Argon2id (RFC 9106).
func stretch(passphrase secret.Secret, salt []byte) (secret.Secret, error) {
	if passphrase.Len() < minPassphrase || len(salt) != saltLen {
		return secret.Secret{}, fmt.Errorf("soft: the passphrase is shorter than %d bytes", minPassphrase)
	}
	return secret.Take(argon2.IDKey(passphrase.Expose(), salt, argonPasses, argonKiB, argonThreads, ComponentLen)), nil
}

// derive makes a key of its own purpose from the LMK (HKDF-SHA-256, RFC 5869),
// so that the LMK itself only ever protects key blocks.
func derive(lmk secret.Secret, purpose string) (secret.Secret, error) {
	k, err := hkdf.Key(sha256.New, lmk.Expose(), nil, "tallystick boundary "+purpose, 32)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("soft: deriving a key: %w", err)
	}
	return secret.Take(k), nil
}
