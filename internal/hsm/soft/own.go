package soft

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/secret"
)

// Attributes of the boundary's own keys.
var (
	hmacAttributes    = core.Attributes{Usage: "M7", Algorithm: "H", Mode: "G"}
	sealingAttributes = core.Attributes{Usage: "D0", Algorithm: "A", Mode: "B"}
)

const (
	ownKeyLen   = 32
	sealPrefix  = "seal-"
	keySuffix   = ".key"
	maxVersions = 999_999
)

func (h *HSM) keyPath(name string) string { return filepath.Join(h.dir, "keys", name+keySuffix) }

// openKeys reads the boundary's own keys, or makes them in a new directory.
func (h *HSM) openKeys(create bool) error {
	lookup, err := h.ownKey("lookup", hmacAttributes, create)
	if err != nil {
		return err
	}
	h.own.lookup = lookup
	checkpoint, err := h.ownKey("checkpoint", hmacAttributes, create)
	if err != nil {
		return err
	}
	defer checkpoint.Wipe()
	h.own.checkpoint = checkpointSeed(checkpoint)
	reference, err := h.ownKey("reference", sealingAttributes, create)
	if err != nil {
		return err
	}
	defer reference.Wipe()
	if h.own.reference, err = newAEAD(reference); err != nil {
		return err
	}
	return h.openSealing(create)
}

// ownKey reads a key of the boundary, or makes it.
func (h *HSM) ownKey(name string, a core.Attributes, create bool) (secret.Secret, error) {
	if create {
		return h.makeOwn(name, a)
	}
	b, err := os.ReadFile(h.keyPath(name))
	if err != nil {
		return secret.Secret{}, fmt.Errorf("soft: reading a key of the boundary: %w", err)
	}
	k, label, err := h.unwrapLabelled(api.KeyBlock(strings.TrimSpace(string(b))))
	if err != nil || k.Attributes != a || label != name {
		return secret.Secret{}, fmt.Errorf("%w: keys/%s%s", ErrState, name, keySuffix)
	}
	return k.Value(), nil
}

func (h *HSM) makeOwn(name string, a core.Attributes) (secret.Secret, error) {
	k, err := h.randomKey(a, ownKeyLen)
	if err != nil {
		return secret.Secret{}, err
	}
	block, err := h.wrapLabelled(k, name)
	if err == nil {
		err = writeFile(h.keyPath(name), []byte(string(block)+"\n"))
	}
	if err != nil {
		k.Wipe()
		return secret.Secret{}, err
	}
	return k.Value(), nil
}

// openSealing reads all versions of the sealing key, or makes the first.
func (h *HSM) openSealing(create bool) error {
	if create {
		_, err := h.rotate()
		return err
	}
	entries, err := os.ReadDir(filepath.Join(h.dir, "keys"))
	if err != nil {
		return fmt.Errorf("soft: listing the keys: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), keySuffix)
		digits, isSeal := strings.CutPrefix(name, sealPrefix)
		if !ok || !isSeal {
			continue
		}
		version, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || version < 1 || version > maxVersions {
			return fmt.Errorf("%w: keys/%s", ErrState, e.Name())
		}
		if err := h.addSealing(name, uint32(version)); err != nil {
			return err
		}
	}
	if h.sealer.current() == 0 {
		return fmt.Errorf("%w: no sealing key", ErrState)
	}
	return nil
}

func (h *HSM) addSealing(name string, version uint32) error {
	key, err := h.ownKey(name, sealingAttributes, false)
	if err != nil {
		return err
	}
	defer key.Wipe()
	return h.sealer.add(version, key)
}

// rotate makes the next version of the sealing key. It is durable before it
// seals anything.
func (h *HSM) rotate() (uint32, error) {
	h.rotating.Lock()
	defer h.rotating.Unlock()
	version := h.sealer.current() + 1
	if version > maxVersions {
		return 0, errors.New("soft: no further version of the sealing key")
	}
	name := fmt.Sprintf("%s%06d", sealPrefix, version)
	// A file that is there already belongs to records that must stay readable.
	if _, err := os.Stat(h.keyPath(name)); version > 1 && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: keys/%s%s is there and was not read", ErrState, name, keySuffix)
	}
	key, err := h.makeOwn(name, sealingAttributes)
	if err != nil {
		return 0, err
	}
	defer key.Wipe()
	return version, h.sealer.add(version, key)
}

// checkpointSeed makes the Ed25519 seed of the key that signs checkpoints. TR-31
// has no block for such a seed, so what is wrapped is an HMAC key that gives it.
func checkpointSeed(key secret.Secret) secret.Secret {
	m := hmac.New(sha256.New, key.Expose())
	m.Write([]byte("tallystick checkpoint seed 1"))
	return secret.Take(m.Sum(nil))
}
