// Package audit keeps each node's own numbered hash chain and its signed
// checkpoints (rule 6).
package audit

import (
	"context"
	"crypto/ed25519"
	"errors"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

var errSkeleton = errors.New("audit: under construction")

// ErrFenced means that another process has continued the chain of this node:
// the caller ends.
var ErrFenced = errors.New("audit: another process writes under this node's name")

// An Entry is one audited fact. It never holds card data, keys or PINs.
type Entry struct {
	Kind   string // what happened, such as "payment.approved", at most 40 characters
	Actor  string // who: "terminal:T0000001", "operator:alice", "node"; at most 64
	Object string // what it is about: RRN, terminal, key name; at most 120
	Detail string // free text or JSON, at most 4,096 bytes
	At     int64  // microseconds UTC
}

// Sign asks the boundary for a checkpoint; api.Boundary.SignCheckpoint fits.
type Sign func(ctx context.Context, node string, boot, count uint64, head [32]byte) (api.Checkpoint, error)

// A Log is the chain of one node. It is safe for concurrent use.
type Log struct{}

// Migrations are the tables of the audit log.
func Migrations() store.Set { return store.Set{} }

// Open starts a new boot of node: it recovers the head, raises the durable boot
// counter and appends the entry "node.start".
func Open(ctx context.Context, st *store.Store, node string, at int64) (*Log, error) {
	return nil, errSkeleton
}

// Boot is the number of this start of the node.
func (l *Log) Boot() uint64 { return 0 }

// Append adds e to the chain in the commit of tx and returns its number.
func (l *Log) Append(tx *store.Tx, e Entry) (uint64, error) { return 0, errSkeleton }

// Checkpoint has the committed head signed and stores the result. It gives the
// last one again when nothing was appended since.
func (l *Log) Checkpoint(ctx context.Context, sign Sign, at int64) (api.Checkpoint, error) {
	return api.Checkpoint{}, errSkeleton
}

// Newest is the last checkpoint of this node, for 0810 and 0510; false before
// the first.
func (l *Log) Newest() (api.Checkpoint, bool) { return api.Checkpoint{}, false }

// A Finding is one thing that Verify found wrong.
type Finding struct {
	Kind   string `json:"kind"`
	Node   string `json:"node"`
	Number uint64 `json:"number"`
	Detail string `json:"detail"`
}

// A Result is the answer of Verify and the output of `host audit verify`.
type Result struct {
	Findings []Finding `json:"findings"`
}

// OK reports that nothing was found wrong.
func (r Result) OK() bool { return len(r.Findings) == 0 }

// Verify walks every chain and holds it against the stored checkpoints and those
// kept outside.
func Verify(ctx context.Context, st *store.Store, key ed25519.PublicKey, external []api.Checkpoint) (Result, error) {
	return Result{}, errSkeleton
}
