package authorize

import (
	"context"
	"errors"
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
	outboxIdle    = time.Second // how long a worker sleeps that nobody wakes
)

// arm writes the reversal that would undo the intent rec, before the issuer is
// asked (rule 1).
func arm(tx *store.Tx, rec Record) error { return putOutbox(tx, rec, outArmed, 0) }

// queue turns it into one that is to be sent now.
func (e *Engine) queue(tx *store.Tx, rec Record, now int64) error {
	tx.AfterCommit(e.wake)
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

// wake has the outbox looked at soon.
func (e *Engine) wake() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// Deliver sends what waits in the outbox of this node until ctx ends. One call
// runs at a time.
func (e *Engine) Deliver(ctx context.Context) {
	t := time.NewTicker(outboxIdle)
	defer t.Stop()
	for {
		// A failure is logged and tried again at the next tick.
		if _, err := e.DeliverDue(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Log.WithError(err).Warn("the outbox to issuers could not be worked on")
		}
		select {
		case <-ctx.Done():
			return
		case <-e.kick:
		case <-t.C:
		}
	}
}

// item is one waiting reversal.
type item struct {
	id    string
	rev   issuer.Reversal
	tries int64
}

// DeliverDue sends every reversal that is due now and returns how many were
// taken by an issuer.
func (e *Engine) DeliverDue(ctx context.Context) (int, error) {
	sent := 0
	for {
		due, err := e.due(ctx)
		if err != nil {
			return sent, err
		}
		for _, it := range due {
			ok, err := e.deliver(ctx, it)
			if err != nil {
				return sent, err
			}
			if ok {
				sent++
			}
		}
		if len(due) < outboxBatch {
			return sent, nil
		}
	}
}

func (e *Engine) due(ctx context.Context) ([]item, error) {
	var out []item
	err := e.cfg.Store.Read(ctx, func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			var it item
			var currency int64
			k := &it.rev.Key
			if err := scan(&it.id, &k.Node, &k.STAN, &k.RRN, &it.rev.Terminal, &it.rev.Attempt, &it.rev.Amount, &currency, &it.tries); err != nil {
				return err
			}
			it.rev.Currency = uint16(currency)
			out = append(out, it)
			return nil
		}, `SELECT id, node, up_stan, rrn, terminal, attempt, amount, currency, tries FROM issuer_outbox
			WHERE node = $1 AND state = $2 AND next_at <= $3 ORDER BY next_at LIMIT $4`, e.cfg.Node, outWaiting, e.now(), int64(outboxBatch))
	})
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	return out, nil
}

// deliver offers one reversal to the issuer and notes the result.
func (e *Engine) deliver(ctx context.Context, it item) (bool, error) {
	it.rev.At = e.now()
	within, cancel := context.WithTimeout(ctx, e.cfg.IssuerWithin)
	sendErr := e.cfg.Issuer.Reverse(within, it.rev)
	cancel()
	if sendErr != nil && ctx.Err() != nil {
		return false, ctx.Err() // we are ending: this was no try
	}
	err := e.persist(ctx, "authorize.outbox", func(tx *store.Tx) error {
		if sendErr == nil {
			_, err := tx.Exec(`DELETE FROM issuer_outbox WHERE id = $1 AND state = $2`, it.id, outWaiting)
			return err
		}
		return e.postpone(tx, it)
	})
	if err != nil {
		return false, fmt.Errorf("noting the delivery of a reversal: %w", err)
	}
	if sendErr != nil {
		e.cfg.Log.WithField("rrn", it.rev.Key.RRN).WithError(sendErr).Warn("the issuer did not take a reversal")
	}
	return sendErr == nil, nil
}

// postpone sets the next time with exponential back-off, or hands the item to
// the operators.
func (e *Engine) postpone(tx *store.Tx, it item) error {
	tries := it.tries + 1
	wait := outboxLongest
	if tries < 10 {
		wait = min(outboxLongest, outboxFirst<<(tries-1))
	}
	state := outWaiting
	if tries >= int64(e.cfg.OutboxTries) {
		state = outManual
		if _, err := e.cfg.Audit.Append(tx, audit.Entry{Kind: "issuer.reversal.manual", Actor: "node", Object: it.rev.Key.RRN,
			Detail: fmt.Sprintf("the issuer did not take it in %d tries", tries), At: e.now()}); err != nil {
			return fmt.Errorf("auditing a stuck reversal: %w", err)
		}
	}
	_, err := tx.Exec(`UPDATE issuer_outbox SET state = $1, tries = $2, next_at = $3 WHERE id = $4 AND state = $5`,
		state, tries, e.now()+wait.Microseconds(), it.id, outWaiting)
	return err
}

// Retry puts every reversal that waits for operators back into the queue and
// returns how many.
func (e *Engine) Retry(ctx context.Context, actor string) (int64, error) {
	var n int64
	err := e.persist(ctx, "authorize.retry", func(tx *store.Tx) error {
		var err error
		n, err = tx.Exec(`UPDATE issuer_outbox SET state = $1, tries = 0, next_at = $2 WHERE state = $3`, outWaiting, e.now(), outManual)
		if err != nil || n == 0 {
			return err
		}
		_, err = e.cfg.Audit.Append(tx, audit.Entry{Kind: "issuer.reversal.retry", Actor: actor, Object: "outbox",
			Detail: fmt.Sprintf("%d reversals", n), At: e.now()})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retrying the outbox: %w", err)
	}
	e.wake()
	return n, nil
}

// errUnsettled means that an intent is still without outcome.
var errUnsettled = errors.New("authorize: an intent could not be settled")
