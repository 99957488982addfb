package api

import (
	"crypto/ed25519"
	"encoding/binary"
)

// checkpointContext separates these signatures from any other use of the key.
const checkpointContext = "tallystick audit checkpoint 1\x00"

// CheckpointBytes is what the signature of a checkpoint covers: a context
// string, the node's name behind its one-byte length, boot and count as 8-byte
// big-endian numbers, and the head.
func CheckpointBytes(c Checkpoint) []byte {
	b := []byte(checkpointContext)
	b = append(b, byte(len(c.Node)))
	b = append(b, c.Node...)
	b = binary.BigEndian.AppendUint64(b, c.Boot)
	b = binary.BigEndian.AppendUint64(b, c.Count)
	return append(b, c.Head[:]...)
}

// VerifyCheckpoint reports whether c was signed with the key whose public part
// is key.
func VerifyCheckpoint(key ed25519.PublicKey, c Checkpoint) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, CheckpointBytes(c), c.Signature)
}
