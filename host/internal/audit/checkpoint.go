package audit

import (
	"context"
	"fmt"
	"time"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// Interval is the time between checkpoints, and so the longest stretch of the
// chain that a thief of the whole database could rewrite unseen.
const Interval = time.Second

// Newest is the last checkpoint of this node, for 0810 and 0510; false before
// the first.
func (l *Log) Newest() (api.Checkpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest, l.newest.Count > 0
}

// Checkpoint has the committed head signed, stores the result and returns it. It
// gives the last one again when nothing was appended since. at is microseconds
// UTC.
func (l *Log) Checkpoint(ctx context.Context, sign Sign, at int64) (api.Checkpoint, error) {
	l.signing.Lock()
	defer l.signing.Unlock()
	end := l.committed()
	if last, ok := l.Newest(); ok && last.Count == end.count && last.Head == end.head {
		return last, nil
	}
	c, err := sign(ctx, l.node, l.boot, end.count, end.head)
	if err != nil {
		return api.Checkpoint{}, fmt.Errorf("audit: signing checkpoint %d: %w", end.count, err)
	}
	if c.Node != l.node || c.Boot != l.boot || c.Count != end.count || c.Head != end.head {
		return api.Checkpoint{}, fmt.Errorf("audit: the boundary signed another checkpoint than %d", end.count)
	}
	err = l.st.Do(ctx, "audit.checkpoint", func(tx *store.Tx) error {
		// After an unknown commit the same checkpoint comes again.
		_, err := tx.Exec(`INSERT INTO audit_checkpoint (node, count, boot, head, signature, at)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (node, count) DO NOTHING`, c.Node, c.Count, c.Boot, c.Head[:], c.Signature, at)
		return err
	})
	if err != nil {
		return api.Checkpoint{}, fmt.Errorf("audit: storing checkpoint %d: %w", end.count, err)
	}
	l.mu.Lock()
	l.newest = c
	l.mu.Unlock()
	return c, nil
}

// Run makes a checkpoint every Interval until ctx is done. now gives
// microseconds UTC; failed is told of every error, and the next tick tries
// again.
func (l *Log) Run(ctx context.Context, sign Sign, now func() int64, failed func(error)) {
	t := time.NewTicker(Interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if _, err := l.Checkpoint(ctx, sign, now()); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// Stop appends "node.stop" and makes the last checkpoint. The caller has ended
// Run and everything that appends.
func (l *Log) Stop(ctx context.Context, sign Sign, at int64) (api.Checkpoint, error) {
	err := l.st.Do(ctx, "audit.stop", func(tx *store.Tx) error {
		_, err := l.Append(tx, Entry{Kind: "node.stop", Actor: "node", Object: l.node, At: at})
		return err
	})
	if err != nil {
		return api.Checkpoint{}, fmt.Errorf("audit: ending the log of %s: %w", l.node, err)
	}
	return l.Checkpoint(ctx, sign, at)
}
