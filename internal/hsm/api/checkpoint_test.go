package api_test

import (
	"crypto/ed25519"
	"testing"

	"tallystick.example/internal/hsm/api"
)

// TestCheckpointCoversEveryField changes one field at a time: each change must
// break the signature.
func TestCheckpointCoversEveryField(t *testing.T) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := api.Checkpoint{Node: "n1", Boot: 3, Count: 7, Head: [32]byte{1}}
	c.Signature = ed25519.Sign(priv, api.CheckpointBytes(c))
	if !api.VerifyCheckpoint(pub, c) {
		t.Fatal("a good checkpoint was refused")
	}
	for name, change := range map[string]func(*api.Checkpoint){
		"node":      func(c *api.Checkpoint) { c.Node = "n2" },
		"boot":      func(c *api.Checkpoint) { c.Boot++ },
		"count":     func(c *api.Checkpoint) { c.Count++ },
		"head":      func(c *api.Checkpoint) { c.Head[31] ^= 1 },
		"signature": func(c *api.Checkpoint) { c.Signature[0] ^= 1 },
	} {
		d := c
		d.Signature = append([]byte(nil), c.Signature...)
		change(&d)
		if api.VerifyCheckpoint(pub, d) {
			t.Errorf("a changed %s was accepted", name)
		}
	}
	if api.VerifyCheckpoint(pub[:5], c) {
		t.Error("a short key was accepted")
	}
}
