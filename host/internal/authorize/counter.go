package authorize

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/iso8583"
)

// checkCounters applies rule 8 to the counters of a message: that of the MAC,
// and those of PIN and card data where another key set or counter was used. A
// reversal or advice may come under a retired set, a payment may not.
func checkCounters(tx *store.Tx, m Message) error {
	o := m.Opened
	type use struct {
		set     []byte
		counter uint32
	}
	uses := []use{{o.SetID, o.Counter}}
	for _, u := range []use{{o.PINSetID, o.PINCounter}, {o.DataSetID, o.DataCounter}} {
		if len(u.set) == 0 || bytes.Equal(u.set, o.SetID) && u.counter == o.Counter {
			continue
		}
		if len(uses) == 2 && bytes.Equal(uses[1].set, u.set) && uses[1].counter == u.counter {
			continue
		}
		uses = append(uses, u)
	}
	for _, u := range uses {
		v, err := terminals.CheckCounter(tx, m.Terminal(), u.set, u.counter, o.Digest)
		if errors.Is(err, terminals.ErrNotFound) {
			return errKeySet
		}
		if err != nil {
			return fmt.Errorf("checking a counter: %w", err)
		}
		if v == terminals.Refused {
			return errCounter
		}
	}
	return nil
}

// Refuse answers m with code and no other effect than that its counter is spent.
func (e *Engine) Refuse(ctx context.Context, m Message, code string) (Reply, error) {
	err := e.persist(ctx, "authorize.refuse", func(tx *store.Tx) error { return checkCounters(tx, m) })
	if errors.Is(err, errCounter) || errors.Is(err, errKeySet) {
		return e.alarm(ctx, m, err)
	}
	if err != nil {
		return Reply{}, fmt.Errorf("refusing a message: %w", err)
	}
	return e.refusal(ctx, m, code)
}

// Reject answers m with code and spends nothing: for messages that are not
// authentic.
func (e *Engine) Reject(ctx context.Context, m Message, code string) (Reply, error) {
	return e.refusal(ctx, m, code)
}

// refusal builds an answer that changes nothing.
func (e *Engine) refusal(ctx context.Context, m Message, code string) (Reply, error) {
	if m.MTI().Class() == iso8583.ClassNetwork { // its answers have no DE 37
		a, err := answer(m, "", code)
		return Reply{Answer: a}, err
	}
	rrn, err := e.cfg.Numbers.Next(ctx)
	if err != nil {
		return Reply{}, err
	}
	a, err := answer(m, rrn, code)
	return Reply{Answer: a}, err
}

// alarm audits a message that came under a used counter or a foreign key set,
// and refuses it with 63.
func (e *Engine) alarm(ctx context.Context, m Message, cause error) (Reply, error) {
	err := e.persist(ctx, "authorize.alarm", func(tx *store.Tx) error {
		_, err := e.cfg.Audit.Append(tx, audit.Entry{Kind: "counter.refused", Actor: "terminal:" + m.Terminal(),
			Object: fmt.Sprintf("%X/%d", m.Opened.SetID, m.Opened.Counter), Detail: cause.Error() + ", STAN " + m.STAN(), At: e.now()})
		return err
	})
	if err != nil {
		return Reply{}, fmt.Errorf("auditing a refused counter: %w", err)
	}
	return e.refusal(ctx, m, CodeBadMAC)
}

// Confirm spends the counter of m and notes what it confirms, for messages that
// are no transaction (sign-on, sign-off). inside, optional, is called in the
// same commit.
func (e *Engine) Confirm(ctx context.Context, m Message, inside func(tx *store.Tx) error) error {
	err := e.persist(ctx, "authorize.confirm", func(tx *store.Tx) error {
		if err := checkCounters(tx, m); err != nil {
			return err
		}
		if err := confirm(tx, m, e.now()); err != nil {
			return err
		}
		if inside == nil {
			return nil
		}
		return inside(tx)
	})
	return err
}

// IsCounterFault reports whether err of Confirm means that the counter or key
// set of the message was refused; Alarm then answers it.
func IsCounterFault(err error) bool { return errors.Is(err, errCounter) || errors.Is(err, errKeySet) }

// Alarm answers a message that Confirm refused.
func (e *Engine) Alarm(ctx context.Context, m Message, cause error) (Reply, error) {
	return e.alarm(ctx, m, cause)
}

// confirm notes the approvals that the terminal says it has completed (DE 63 tag
// 18), with script results and final chip data of the first of them.
func confirm(tx *store.Tx, m Message, at int64) error {
	for i, id := range m.Private.Confirmed {
		key := fmt.Sprintf("%s/%x", m.Terminal(), id[:])
		if _, err := tx.Exec(`UPDATE card_transaction SET confirmed = $1 WHERE id = $2 AND confirmed = 0`, at, key); err != nil {
			return fmt.Errorf("confirming a transaction: %w", err)
		}
		if i > 0 || len(m.Private.ScriptResults)+len(m.Private.FinalChipData) == 0 {
			continue
		}
		if _, err := tx.Exec(`UPDATE card_transaction SET scripts = $1, final_chip = $2 WHERE id = $3`,
			append([]byte{}, m.Private.ScriptResults...), append([]byte{}, m.Private.FinalChipData...), key); err != nil {
			return fmt.Errorf("noting the end of a transaction: %w", err)
		}
	}
	return nil
}
