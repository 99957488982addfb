package authorize

import (
	"errors"
	"fmt"
	"time"

	"tallystick.example/host/internal/store"
)

// Stale is how old an undecided row of this node must be for Sweep: longer than
// any message may take.
const Stale = 2 * time.Minute

// errUnsettled means that an intent is still without outcome.
var errUnsettled = errors.New("authorize: an intent could not be settled")

// settleAll ends the undecided rows of this node that came before a time, item by
// item, as reversed, with a reversal to the issuer.
func (k *call) settleAll(_ time.Time, before int64) {
	var ids []string
	k.read("looking for intents without outcome", func(q store.Querier) error {
		ids = nil
		return q.Each(func(scan store.Scan) error {
			var id string
			if err := scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
			return nil
		}, `SELECT id FROM card_transaction WHERE node = $1 AND state = 'undecided' AND received < $2 ORDER BY received`, k.core.cfg.Node, before)
	}, func(now time.Time) { k.abandon(now, ids, 0) })
}

// abandon settles the first of the rows that no other call is working on, and
// goes on with the rest.
func (k *call) abandon(now time.Time, ids []string, settled int) {
	for len(ids) > 0 && k.core.flying(k, ids[0]) {
		ids = ids[1:]
	}
	if len(ids) == 0 {
		k.finish(Reply{}, settled, nil)
		return
	}
	var out Record
	w := k.core.work(now)
	k.commit(now, "authorize.abandon", func(tx *store.Tx) error {
		rec, err := lock(tx, ids[0])
		if err != nil {
			return err
		}
		out = rec
		if rec.Row.State != Undecided {
			return nil
		}
		out.Filed, out.Why = CodeNoIssuer, "the host ended before the outcome"
		_, err = w.settle(tx, Message{}, &out, Abandoned{})
		return err
	}, func(now time.Time, err error) {
		if err != nil {
			k.finish(Reply{}, settled, errors.Join(errUnsettled, fmt.Errorf("settling transaction %s: %w", ids[0], err)))
			return
		}
		k.order(Wake{k.number})
		k.order(Decided{k.number, out})
		k.abandon(now, ids[1:], settled+1)
	})
}
