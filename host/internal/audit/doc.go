// Package audit keeps each node's own numbered hash chain and its signed
// checkpoints (rule 6). An entry is appended in the same commit as what it
// tells; the HSM boundary signs the head each second and at close; checkpoints
// leave the database, and the newest travels to terminals in 0810 and 0510: they
// hold the other half of the tally.
//
// Whoever owns the database can rewrite it, triggers or not. [Verify] holds it
// against checkpoints kept elsewhere and finds what was truncated, recomputed,
// forked or removed, up to the last checkpoint that left.
package audit

import (
	"context"
	"embed"
	"errors"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrFenced means that another process has continued the chain of this node:
	// the caller ends.
	ErrFenced = errors.New("audit: another process writes under this node's name")
	// ErrEntry refuses an entry with a missing, overlong or unprintable field.
	ErrEntry = errors.New("audit: malformed entry")
)

// Sign asks the boundary for a checkpoint; api.Boundary.SignCheckpoint fits.
type Sign func(ctx context.Context, node string, boot, count uint64, head [32]byte) (api.Checkpoint, error)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of the audit log.
func Migrations() store.Set { return store.Sub("audit", migrations, "migrations") }
