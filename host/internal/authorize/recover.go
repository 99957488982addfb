package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallystick.example/host/internal/store"
)

// stale is how old an undecided row of this node must be for Sweep: longer than
// any message may take.
const stale = time.Minute

// Settle ends every intent of this node that has no outcome, as reversed, with a
// reversal to the issuer. It runs at start, before the first connection is
// accepted, and returns how many there were.
func (e *Engine) Settle(ctx context.Context) (int, error) { return e.abandon(ctx, e.now()+1) }

// Sweep does the same for intents that no call of this process is working on any
// more, such as after a commit whose outcome stayed unknown. It is called every
// now and then.
func (e *Engine) Sweep(ctx context.Context) (int, error) {
	return e.abandon(ctx, e.now()-stale.Microseconds())
}

// abandon settles the undecided rows that came before a time, item by item.
func (e *Engine) abandon(ctx context.Context, before int64) (int, error) {
	var ids []string
	err := e.cfg.Store.Read(ctx, func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			var id string
			if err := scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
			return nil
		}, `SELECT id FROM card_transaction WHERE node = $1 AND state = 'undecided' AND received < $2 ORDER BY received`, e.cfg.Node, before)
	})
	if err != nil {
		return 0, fmt.Errorf("looking for intents without outcome: %w", err)
	}
	settled := 0
	for _, id := range ids {
		if e.flying(id) {
			continue
		}
		if err := e.abandonOne(ctx, id); err != nil {
			return settled, errors.Join(errUnsettled, err)
		}
		settled++
	}
	return settled, nil
}

func (e *Engine) abandonOne(ctx context.Context, id string) error {
	var out Record
	err := e.persist(ctx, "authorize.abandon", func(tx *store.Tx) error {
		rec, err := lock(tx, id)
		if err != nil {
			return err
		}
		out = rec
		if rec.Row.State != Undecided {
			return nil
		}
		out.Filed, out.Why = CodeNoIssuer, "the host ended before the outcome"
		_, err = e.settle(tx, Message{}, &out, Abandoned{})
		return err
	})
	if err != nil {
		return fmt.Errorf("settling transaction %s: %w", id, err)
	}
	e.cfg.Decided(out)
	return nil
}
