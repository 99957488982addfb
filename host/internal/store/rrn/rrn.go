// Package rrn gives out retrieval reference numbers (DE 37): 12 digits, unique
// for ever over all nodes and restarts, from blocks that a node leases in a
// commit. What a node did not use of a block is never used.
package rrn

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"sync"

	"tallystick.example/host/internal/store"
)

// ErrSpent means that all 10^12 - 1 numbers are leased.
var ErrSpent = errors.New("rrn: all retrieval reference numbers are used up")

// last is the largest number of 12 digits.
const last = 999_999_999_999

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of the allocator.
func Migrations() store.Set { return store.Sub("rrn", migrations, "migrations") }

// An Allocator hands out the numbers of the blocks that this process leased. It
// is safe for concurrent use.
type Allocator struct {
	st    *store.Store
	block int64

	mu        sync.Mutex
	next, end int64         // the numbers in hand: next <= n < end
	leasing   chan struct{} // holds one token while somebody leases
}

// New makes an allocator that leases block numbers at a time. block is 1 to
// 1,000,000; anything else panics. Nothing is leased before the first Next.
func New(st *store.Store, block int64) *Allocator {
	if block < 1 || block > 1_000_000 {
		panic("rrn: block size out of range")
	}
	return &Allocator{st: st, block: block, leasing: make(chan struct{}, 1)}
}

// Next gives a number that nobody had or will have. It may wait for a commit:
// call it before Do, never inside. Other errors than ErrSpent are the store's.
func (a *Allocator) Next(ctx context.Context) (string, error) {
	for {
		if n, ok := a.take(); ok {
			return fmt.Sprintf("%012d", n), nil
		}
		select {
		case a.leasing <- struct{}{}:
		case <-ctx.Done():
			return "", fmt.Errorf("rrn: waiting for a block: %w", ctx.Err())
		}
		err := a.lease(ctx)
		<-a.leasing
		if err != nil {
			return "", err
		}
	}
}

// take gives a number in hand.
func (a *Allocator) take() (int64, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next >= a.end {
		return 0, false
	}
	a.next++
	return a.next - 1, true
}

// lease gets the next block, unless another goroutine just did. A lease whose
// commit is unknown is given up: its numbers may be leased or not, and nobody
// uses them.
func (a *Allocator) lease(ctx context.Context) error {
	a.mu.Lock()
	have := a.next < a.end
	a.mu.Unlock()
	if have {
		return nil
	}
	var end int64
	err := a.st.Do(ctx, "rrn.lease", func(tx *store.Tx) error {
		if err := tx.QueryRow(`UPDATE rrn_next SET next = next + $1 WHERE id = 1 RETURNING next`, a.block).Scan(&end); err != nil {
			return fmt.Errorf("leasing a block: %w", err)
		}
		if end-1 > last {
			return ErrSpent
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next, a.end = end-a.block, end
	return nil
}
