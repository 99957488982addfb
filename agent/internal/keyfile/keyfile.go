// Package keyfile holds the device key of a terminal: 32 random bytes in a file
// that only the agent's user can read. Everything that the terminal seals or
// authenticates for itself (DUKPT registers, journal) uses a key derived from it
// for that one purpose.
//
// Without a secure element the device key protects against a copied journal or
// register file, not against somebody who owns the whole flash.
package keyfile

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tallystick.example/internal/pure/secret"
)

// Size is the length of the device key and of every derived key in bytes.
const Size = 32

// ErrPermissions means that others than the owner may read or write the file.
var ErrPermissions = errors.New("the device key file must be readable by its owner only (chmod 600)")

// A Key is a loaded device key. It is safe for concurrent use until Wipe.
type Key struct{ master secret.Secret }

// Create writes a new device key from random to path, which must not exist yet:
// a replaced device key would make registers and journal unreadable. File and
// directory are synced before it returns.
func Create(path string, random io.Reader) (err error) {
	b := make([]byte, Size)
	defer clear(b)
	if _, err := io.ReadFull(random, b); err != nil {
		return fmt.Errorf("keyfile: drawing a device key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keyfile: creating the device key file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("keyfile: writing the device key: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("keyfile: syncing the device key: %w", err)
	}
	return SyncDir(filepath.Dir(path))
}

// Load reads the device key. A file of another length, or one that others may
// read (ErrPermissions), is refused.
func Load(path string) (*Key, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keyfile: no device key at %s: run \"agent enroll\" first: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("keyfile: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keyfile: %s: %w", path, ErrPermissions)
	}
	if info.Size() != Size {
		return nil, fmt.Errorf("keyfile: %s has %d bytes, want %d", path, info.Size(), Size)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keyfile: %w", err)
	}
	if len(b) != Size {
		return nil, fmt.Errorf("keyfile: %s changed while it was read", path)
	}
	return &Key{master: secret.Take(b)}, nil
}

// Derive returns the 32-byte key for one purpose (HKDF with SHA-256, RFC 5869).
// The same purpose gives the same key; purposes are fixed texts of the programs.
func (k *Key) Derive(purpose string) secret.Secret {
	b, err := hkdf.Key(sha256.New, k.master.Expose(), nil, "tallystick terminal "+purpose, Size)
	if err != nil {
		panic("keyfile: " + err.Error()) // only an impossible output length fails
	}
	return secret.Take(b)
}

// Wipe clears the key; derived keys live on.
func (k *Key) Wipe() { k.master.Wipe() }

// SyncDir makes the entries of a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("keyfile: opening %s to sync it: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}
