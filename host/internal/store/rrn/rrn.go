// Package rrn gives out retrieval reference numbers (DE 37): 12 digits, unique
// for ever over all nodes and restarts, from blocks leased in a commit.
package rrn

import (
	"context"
	"errors"

	"tallystick.example/host/internal/store"
)

// An Allocator hands out numbers of the blocks that this process leased. It is
// safe for concurrent use.
type Allocator struct{}

// Migrations are the tables of the allocator.
func Migrations() store.Set { return store.Set{} }

// New makes an allocator that leases block numbers at a time (1 to 1,000,000).
func New(st *store.Store, block int64) *Allocator { return &Allocator{} }

// Next gives a number that nobody had or will have. It may wait for a commit:
// call it before Do, never inside.
func (a *Allocator) Next(ctx context.Context) (string, error) {
	return "", errors.New("rrn: under construction")
}
