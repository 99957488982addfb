package authorize

import (
	"fmt"
	"time"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/store"
)

// States of the outbox.
const (
	outArmed   = "armed"   // the reversal that would undo an intent; not sent
	outWaiting = "waiting" // to be sent
	outManual  = "manual"  // offered often enough: operators decide
)

// Limits of the outbox.
const (
	outboxBatch   = 32
	outboxFirst   = time.Second
	outboxLongest = 5 * time.Minute
)

// arm writes the reversal that would undo the intent rec, before the issuer is
// asked (rule 1).
func arm(tx *store.Tx, rec Record) error { return putOutbox(tx, rec, outArmed, 0) }

// queue turns it into one that is to be sent now.
func queue(tx *store.Tx, rec Record, now int64) error {
	return putOutbox(tx, rec, outWaiting, now)
}

func putOutbox(tx *store.Tx, rec Record, state string, at int64) error {
	_, err := tx.Exec(`INSERT INTO issuer_outbox (id, node, state, issuer, up_stan, rrn, terminal, attempt, amount, currency, tries, next_at, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12)
		ON CONFLICT (id) DO UPDATE SET state = $3, tries = 0, next_at = $11`,
		rec.ID, rec.Node, state, rec.Issuer, rec.UpSTAN, rec.RRN, rec.Terminal, attemptText(rec), rec.Amount, int64(rec.Currency), at, rec.Received)
	if err != nil {
		return fmt.Errorf("writing to the outbox: %w", err)
	}
	return nil
}

// disarm forgets the reversal of an intent whose outcome stands.
func disarm(tx *store.Tx, id string) error {
	if _, err := tx.Exec(`DELETE FROM issuer_outbox WHERE id = $1 AND state = $2`, id, outArmed); err != nil {
		return fmt.Errorf("disarming a reversal: %w", err)
	}
	return nil
}

// OutboxEvery is how often the outbox is looked at when nobody says that it has
// work.
const OutboxEvery = time.Second

// item is one waiting reversal.
type item struct {
	id    string
	rev   issuer.Reversal
	tries int64
}

// deliverDue offers every reversal that is due now, batch by batch.
func (k *call) deliverDue(now time.Time) { k.deliverBatch(now, 0) }

func (k *call) deliverBatch(now time.Time, sent int) {
	var due []item
	at := now.UnixMicro()
	k.read("reading the outbox", func(q store.Querier) error {
		due = nil
		return q.Each(func(scan store.Scan) error {
			var it item
			var currency int64
			key := &it.rev.Key
			if err := scan(&it.id, &key.Node, &key.STAN, &key.RRN, &it.rev.Terminal, &it.rev.Attempt, &it.rev.Amount, &currency, &it.tries); err != nil {
				return err
			}
			it.rev.Currency = uint16(currency)
			due = append(due, it)
			return nil
		}, `SELECT id, node, up_stan, rrn, terminal, attempt, amount, currency, tries FROM issuer_outbox
			WHERE node = $1 AND state = $2 AND next_at <= $3 ORDER BY next_at LIMIT $4`, k.core.cfg.Node, outWaiting, at, int64(outboxBatch))
	}, func(now time.Time) { k.offer(now, due, len(due) == outboxBatch, sent) })
}

// offer gives the first item to the issuer, notes the result and goes on with the
// rest; more says that another batch follows.
func (k *call) offer(now time.Time, due []item, more bool, sent int) {
	if len(due) == 0 {
		if more {
			k.deliverBatch(now, sent)
			return
		}
		k.finish(Reply{}, sent, nil)
		return
	}
	it := due[0]
	it.rev.At = now.UnixMicro()
	k.order(Offer{Call: k.number, Reversal: it.rev, Within: k.core.cfg.IssuerWithin})
	k.then = func(now time.Time, in Input) {
		o := in.(Offered)
		if o.Ending {
			k.finish(Reply{}, sent, fmt.Errorf("offering a reversal: %w", o.Err)) // this was no try
			return
		}
		w := k.core.work(now)
		k.commit(now, "authorize.outbox", func(tx *store.Tx) error {
			if o.Err != nil {
				return w.postpone(tx, it)
			}
			_, err := tx.Exec(`DELETE FROM issuer_outbox WHERE id = $1 AND state = $2`, it.id, outWaiting)
			return err
		}, func(now time.Time, err error) {
			switch {
			case err != nil:
				k.finish(Reply{}, sent, fmt.Errorf("noting the delivery of a reversal: %w", err))
				return
			case o.Err != nil:
				k.order(Warn{k.number, "the issuer did not take a reversal", map[string]any{"rrn": it.rev.Key.RRN}, o.Err})
			default:
				sent++
			}
			k.offer(now, due[1:], more, sent)
		})
	}
}

// postpone sets the next time with exponential back-off, or hands the item to
// the operators.
func (w work) postpone(tx *store.Tx, it item) error {
	tries := it.tries + 1
	wait := outboxLongest
	if tries < 10 {
		wait = min(outboxLongest, outboxFirst<<(tries-1))
	}
	state := outWaiting
	if tries >= int64(w.cfg.OutboxTries) {
		state = outManual
		if _, err := w.cfg.Audit.Append(tx, audit.Entry{Kind: "issuer.reversal.manual", Actor: "node", Object: it.rev.Key.RRN,
			Detail: fmt.Sprintf("the issuer did not take it in %d tries", tries), At: w.at}); err != nil {
			return fmt.Errorf("auditing a stuck reversal: %w", err)
		}
	}
	_, err := tx.Exec(`UPDATE issuer_outbox SET state = $1, tries = $2, next_at = $3 WHERE id = $4 AND state = $5`,
		state, tries, w.at+wait.Microseconds(), it.id, outWaiting)
	return err
}

// retry puts every reversal that waits for operators back into the queue.
func (k *call) retry(now time.Time, actor string) {
	var n int64
	w := k.core.work(now)
	k.commit(now, "authorize.retry", func(tx *store.Tx) error {
		var err error
		n, err = tx.Exec(`UPDATE issuer_outbox SET state = $1, tries = 0, next_at = $2 WHERE state = $3`, outWaiting, w.at, outManual)
		if err != nil || n == 0 {
			return err
		}
		_, err = w.cfg.Audit.Append(tx, audit.Entry{Kind: "issuer.reversal.retry", Actor: actor, Object: "outbox",
			Detail: fmt.Sprintf("%d reversals", n), At: w.at})
		return err
	}, func(_ time.Time, err error) {
		if err != nil {
			k.fail("retrying the outbox", err)
			return
		}
		k.order(Wake{k.number})
		k.finish(Reply{}, int(n), nil)
	})
}
