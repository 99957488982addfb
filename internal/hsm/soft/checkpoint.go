package soft

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"tallystick.example/internal/hsm/api"
)

// checkpointWidth is boot and count, eight bytes each, and the head.
const checkpointWidth = 8 + 8 + 32

// SignCheckpoint signs an audit head after it has made sure, durably and over
// restarts, that the node never went back: not in count, not in boot, and not
// to another head of the same count.
func (s *Session) SignCheckpoint(ctx context.Context, node string, boot, count uint64, head [32]byte) (api.Checkpoint, error) {
	if err := s.ready(ctx); err != nil {
		return api.Checkpoint{}, err
	}
	if !validNode(node) {
		return api.Checkpoint{}, fmt.Errorf("naming the node of a checkpoint: %w", api.ErrInput)
	}
	h := s.hsm
	err := h.checkpoints.change(sha256.Sum256([]byte(node)), func(old []byte) ([]byte, error) {
		v := binary.BigEndian.AppendUint64(make([]byte, 0, checkpointWidth), boot)
		v = binary.BigEndian.AppendUint64(v, count)
		v = append(v, head[:]...)
		if old == nil {
			if allZero(v) {
				return nil, api.ErrPolicy // an empty chain has nothing to sign
			}
			return v, nil
		}
		oldBoot, oldCount := binary.BigEndian.Uint64(old), binary.BigEndian.Uint64(old[8:])
		switch {
		case boot < oldBoot || count < oldCount || count == oldCount && [32]byte(old[16:]) != head:
			return nil, api.ErrPolicy
		case boot == oldBoot && count == oldCount:
			return nil, nil
		}
		return v, nil
	})
	if err != nil {
		return api.Checkpoint{}, outward("signing a checkpoint", err)
	}
	c := api.Checkpoint{Node: node, Boot: boot, Count: count, Head: head}
	c.Signature = ed25519.Sign(ed25519.NewKeyFromSeed(h.own.checkpoint.Expose()), api.CheckpointBytes(c))
	return c, nil
}

// validNode reports whether node is 1 to 16 letters, digits and '-'.
func validNode(node string) bool {
	if len(node) < 1 || len(node) > 16 {
		return false
	}
	for _, c := range []byte(node) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-') {
			return false
		}
	}
	return true
}
