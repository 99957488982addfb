package soft

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/secret"
)

// Info describes the boundary.
func (s *Session) Info(ctx context.Context) (api.Info, error) {
	if err := s.ready(ctx); err != nil {
		return api.Info{}, err
	}
	h := s.hsm
	public, ok := ed25519.NewKeyFromSeed(h.own.checkpoint.Expose()).Public().(ed25519.PublicKey)
	if !ok {
		panic("soft: an Ed25519 key without its public key")
	}
	return api.Info{Version: h.version, Lab: h.lab, LMKCheck: h.check, CheckpointKey: public, Driver: "soft"}, nil
}

// ownUsages are for the boundary's own keys: nobody else makes such.
var ownUsages = []string{"M7"}

// GenerateKey makes a random key. In lab mode it is a test key.
func (s *Session) GenerateKey(ctx context.Context, spec api.KeySpec) (api.Key, error) {
	if err := s.ready(ctx); err != nil {
		return api.Key{}, err
	}
	if slices.Contains(ownUsages, spec.Usage) {
		return api.Key{}, fmt.Errorf("making a key: %w", api.ErrPolicy)
	}
	k, err := s.hsm.randomKey(attributes(spec), spec.Bytes)
	if err != nil {
		return api.Key{}, outward("making a key", err)
	}
	defer k.Wipe()
	out, err := s.hsm.describeKey(k)
	if err != nil {
		return api.Key{}, outward("making a key", err)
	}
	return out, nil
}

func attributes(s api.KeySpec) core.Attributes {
	return core.Attributes{Usage: s.Usage, Algorithm: s.Algorithm, Mode: s.Mode}
}

// randomKey draws a key; a TDES one gets odd parity and different halves.
func (h *HSM) randomKey(a core.Attributes, n int) (core.Key, error) {
	if !a.Valid(n) {
		return core.Key{}, api.ErrInput
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(h.rand, b); err != nil {
		return core.Key{}, fmt.Errorf("soft: drawing a key: %w", err)
	}
	if a.Algorithm == "T" {
		oddParity(b)
		if weakTDES(b) {
			clear(b)
			return core.Key{}, fmt.Errorf("soft: the source of randomness repeats itself")
		}
	}
	return core.NewKey(a, secret.Take(b))
}

// oddParity sets the lowest bit of each byte so that the number of ones is odd
// (ANSI X3.92).
func oddParity(b []byte) {
	for i, c := range b {
		b[i] = c&^1 | byte(bits.OnesCount8(c>>1)+1)&1
	}
}

// weakTDES reports whether two DES keys of a TDES key are equal, which makes it
// single DES.
func weakTDES(b []byte) bool {
	for i := 8; i < len(b); i += 8 {
		if slices.Equal(b[i-8:i], b[i:i+8]) {
			return true
		}
	}
	return false
}

// describeKey wraps a key under the LMK and says what may be known of it.
func (h *HSM) describeKey(k core.Key) (api.Key, error) {
	block, err := h.wrap(k)
	if err != nil {
		return api.Key{}, err
	}
	kcv, err := k.KCV()
	if err != nil {
		return api.Key{}, err
	}
	return api.Key{
		Block: block, KCV: kcv, Test: h.lab,
		Spec: api.KeySpec{Usage: k.Usage, Algorithm: k.Algorithm, Mode: k.Mode, Bytes: k.Len()},
	}, nil
}

// ImportClear brings a clear key in, in lab mode only.
func (s *Session) ImportClear(ctx context.Context, r api.ImportClear) (api.Key, error) {
	if err := s.ready(ctx); err != nil {
		return api.Key{}, err
	}
	if !s.hsm.lab || slices.Contains(ownUsages, r.Spec.Usage) {
		return api.Key{}, fmt.Errorf("importing a clear key: %w", api.ErrPolicy)
	}
	if r.Spec.Bytes != r.Key.Len() {
		return api.Key{}, fmt.Errorf("importing a clear key: %w", api.ErrInput)
	}
	value := secret.New(r.Key.Expose())
	defer value.Wipe()
	k, err := core.NewKey(attributes(r.Spec), value)
	if err != nil {
		return api.Key{}, fmt.Errorf("importing a clear key: %w", api.ErrInput)
	}
	out, err := s.hsm.describeKey(k)
	if err != nil {
		return api.Key{}, outward("importing a clear key", err)
	}
	return out, nil
}

// transportAttributes are those of a transport key: TR-31 key block protection.
var transportAttributes = core.Attributes{Usage: "K1", Algorithm: "A", Mode: "B"}

// NewTransport makes a transport key and its two components.
func (s *Session) NewTransport(ctx context.Context) (api.Transport, error) {
	if err := s.ready(ctx); err != nil {
		return api.Transport{}, err
	}
	var parts [2]secret.Secret
	for i := range parts {
		b := make([]byte, ComponentLen)
		if _, err := io.ReadFull(s.hsm.rand, b); err != nil {
			wipeAll(parts[:]...)
			return api.Transport{}, outward("making a transport key", err)
		}
		parts[i] = secret.Take(b)
	}
	out, err := s.hsm.transportOf(parts[:])
	if err != nil {
		wipeAll(parts[:]...)
		return api.Transport{}, outward("making a transport key", err)
	}
	return api.Transport{Key: out, Components: parts}, nil
}

func (h *HSM) transportOf(parts []secret.Secret) (api.Key, error) {
	value, err := FormLMK(parts) // the same rules: full length, exclusive-or
	if err != nil {
		return api.Key{}, err
	}
	defer value.Wipe()
	k, err := core.NewKey(transportAttributes, value)
	if err != nil {
		return api.Key{}, err
	}
	return h.describeKey(k)
}

// InitialKey derives the initial key of a terminal and wraps it for transport.
func (s *Session) InitialKey(ctx context.Context, r api.InitialKeyRequest) (api.Exported, error) {
	if err := s.ready(ctx); err != nil {
		return api.Exported{}, err
	}
	out, err := s.hsm.initialKey(r)
	if err != nil {
		return api.Exported{}, outward("exporting an initial key", err)
	}
	return out, nil
}

func (h *HSM) initialKey(r api.InitialKeyRequest) (api.Exported, error) {
	bdk, err := h.unwrap(r.Set.BDK)
	if err != nil {
		return api.Exported{}, err
	}
	defer bdk.Wipe()
	if aes := r.Set.Scheme == api.SchemeAES; aes != (bdk.Algorithm == "A") || aes != (len(r.Set.ID) == 8) {
		return api.Exported{}, api.ErrInput
	}
	ik, err := core.InitialKey(bdk, r.Set.ID)
	if err != nil {
		return api.Exported{}, err
	}
	defer ik.Wipe()
	transport, err := h.transport(r.Transport)
	if err != nil {
		return api.Exported{}, err
	}
	defer transport.Wipe()
	block, err := h.export(ik, r.Set.ID, transport)
	if err != nil {
		return api.Exported{}, err
	}
	kcv, err := ik.KCV()
	return api.Exported{Block: block, KCV: kcv}, err
}

// transport opens a transport key: AES, for keys or key blocks, both ways.
func (h *HSM) transport(block api.KeyBlock) (core.Key, error) {
	k, err := h.unwrap(block)
	if err != nil {
		return core.Key{}, err
	}
	if k.Algorithm != "A" || k.Mode != "B" || k.Usage != "K0" && k.Usage != "K1" {
		k.Wipe()
		return core.Key{}, api.ErrKey
	}
	return k, nil
}

// ImportBlock brings a key in from a block under a transport key.
func (s *Session) ImportBlock(ctx context.Context, transport api.KeyBlock, block string) (api.Key, error) {
	if err := s.ready(ctx); err != nil {
		return api.Key{}, err
	}
	t, err := s.hsm.transport(transport)
	if err != nil {
		return api.Key{}, outward("importing a key block", err)
	}
	defer t.Wipe()
	k, err := s.hsm.importBlock(block, t)
	if err != nil {
		return api.Key{}, outward("importing a key block", err)
	}
	defer k.Wipe()
	if slices.Contains(ownUsages, k.Usage) {
		return api.Key{}, fmt.Errorf("importing a key block: %w", api.ErrPolicy)
	}
	out, err := s.hsm.describeKey(k)
	if err != nil {
		return api.Key{}, outward("importing a key block", err)
	}
	return out, nil
}

// RotateSealing makes a new sealing key.
func (s *Session) RotateSealing(ctx context.Context) (uint32, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	v, err := s.hsm.rotate()
	if err != nil {
		return 0, outward("rotating the sealing key", err)
	}
	return v, nil
}

// ClearPINBrake sets the count of wrong PINs of a card to zero.
func (s *Session) ClearPINBrake(ctx context.Context, lookup [32]byte) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.hsm.brake.release(lookup); err != nil {
		return outward("clearing a PIN brake", err)
	}
	return nil
}

// Reseal seals a PAN again under the newest sealing key.
func (s *Session) Reseal(ctx context.Context, token string, sealed []byte) ([]byte, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if !validToken(token) {
		return nil, fmt.Errorf("sealing a PAN again: %w", api.ErrInput)
	}
	pan, ok := s.hsm.sealer.open(token, sealed)
	if !ok {
		return nil, fmt.Errorf("sealing a PAN again: %w", api.ErrInput)
	}
	defer pan.Wipe()
	out, err := s.hsm.sealer.seal(token, pan)
	if err != nil {
		return nil, outward("sealing a PAN again", err)
	}
	return out, nil
}
