package soft

import (
	"errors"
	"fmt"

	"tallystick.example/dukpt/keyblock"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/secret"
)

// Optional blocks of our key blocks beside those of package keyblock.
const (
	idMark  = "10" // proprietary: TEST or LIVE
	idLabel = "LB" // X9.143:2021, 6.3.6: a label

	markTest = "TEST"
	markLive = "LIVE"
)

func mark(lab bool) string {
	if lab {
		return markTest
	}
	return markLive
}

// header is the TR-31 header of a key; under the LMK no key may be exported as
// it is.
func header(k core.Key, exportability byte) keyblock.Header {
	return keyblock.Header{
		Version: 'D', Usage: k.Usage, Algorithm: k.Algorithm[0], Mode: k.Mode[0],
		KeyVersion: "00", Exportability: exportability,
	}
}

// wrap puts a key under the LMK.
func (h *HSM) wrap(k core.Key) (api.KeyBlock, error) { return h.wrapLabelled(k, "") }

func (h *HSM) wrapLabelled(k core.Key, label string) (api.KeyBlock, error) {
	hd := header(k, 'N')
	hd.Context = '1' // storage
	kp, err := keyblock.CheckValue(keyblock.IDCheckKBPK, 'A', h.lmk.Expose())
	if err != nil {
		return "", fmt.Errorf("soft: naming the LMK: %w", err)
	}
	hd.Optional = []keyblock.Block{kp, {ID: idMark, Data: mark(h.lab)}}
	if label != "" {
		hd.Optional = append(hd.Optional, keyblock.Block{ID: idLabel, Data: label})
	}
	block, err := keyblock.Wrap(h.lmk.Expose(), hd, k.Value().Expose(), h.rand)
	if err != nil {
		return "", wrapError(err)
	}
	return api.KeyBlock(block), nil
}

func wrapError(err error) error {
	if errors.Is(err, keyblock.ErrRandom) {
		return fmt.Errorf("soft: wrapping a key: %w", err)
	}
	return fmt.Errorf("soft: wrapping a key: %w: %w", api.ErrKey, err)
}

// unwrap opens a key for one operation; the caller wipes it. A block of another
// LMK or mode, a changed one and one of the boundary's own give ErrKey.
func (h *HSM) unwrap(block api.KeyBlock) (core.Key, error) {
	k, label, err := h.unwrapLabelled(block)
	if err == nil && label != "" {
		k.Wipe()
		err = api.ErrKey
	}
	return k, err
}

func (h *HSM) unwrapLabelled(block api.KeyBlock) (k core.Key, label string, err error) {
	hd, value, err := keyblock.Unwrap(h.lmk.Expose(), string(block))
	if err != nil {
		return core.Key{}, "", fmt.Errorf("soft: opening a key block: %w", api.ErrKey)
	}
	key := secret.Take(value)
	m, _ := hd.Find(idMark)
	if hd.Version != 'D' || m != mark(h.lab) {
		key.Wipe()
		return core.Key{}, "", fmt.Errorf("soft: opening a key block: %w", api.ErrKey)
	}
	if k, err = keyOf(hd, key); err != nil {
		return core.Key{}, "", err
	}
	label, _ = hd.Find(idLabel)
	return k, label, nil
}

// keyOf gives an opened key the attributes of its header. A key that cannot be
// is wiped and gives ErrKey.
func keyOf(hd keyblock.Header, value secret.Secret) (core.Key, error) {
	a := core.Attributes{Usage: hd.Usage, Algorithm: string(rune(hd.Algorithm)), Mode: string(rune(hd.Mode))}
	k, err := core.NewKey(a, value)
	if err != nil {
		value.Wipe()
		return core.Key{}, fmt.Errorf("soft: opening a key block: %w", api.ErrKey)
	}
	return k, nil
}

// export wraps an initial key under a transport key and names its terminal.
func (h *HSM) export(ik core.Key, id []byte, transport core.Key) (string, error) {
	hd := header(ik, 'N')
	hd.Context = '2' // exchange
	name := keyblock.InitialKeyID(id)
	if ik.Algorithm == "T" {
		name = keyblock.InitialKSN(id)
	}
	kc, err := keyblock.CheckValue(keyblock.IDCheckKey, ik.Algorithm[0], ik.Value().Expose())
	if err != nil {
		return "", fmt.Errorf("soft: exporting a key: %w", err)
	}
	hd.Optional = []keyblock.Block{name, kc, {ID: idMark, Data: mark(h.lab)}}
	block, err := keyblock.Wrap(transport.Value().Expose(), hd, ik.Value().Expose(), h.rand)
	if err != nil {
		return "", wrapError(err)
	}
	return block, nil
}

// importBlock opens a version D block under a transport key. A test key does
// not enter production, whoever sends it.
func (h *HSM) importBlock(block string, transport core.Key) (core.Key, error) {
	hd, value, err := keyblock.Unwrap(transport.Value().Expose(), block)
	if err != nil {
		return core.Key{}, fmt.Errorf("soft: opening a key block: %w", api.ErrKey)
	}
	key := secret.Take(value)
	m, _ := hd.Find(idMark)
	if hd.Version != 'D' || m == markTest && !h.lab {
		key.Wipe()
		return core.Key{}, fmt.Errorf("soft: opening a key block: %w", api.ErrKey)
	}
	return keyOf(hd, key)
}
