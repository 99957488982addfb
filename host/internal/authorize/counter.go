package authorize

import (
	"bytes"
	"errors"
	"fmt"
	"time"

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

// refuse answers with code and no other effect than that the counter is spent.
func (k *call) refuse(now time.Time, code string) {
	k.commit(now, "authorize.refuse", func(tx *store.Tx) error { return checkCounters(tx, k.m) }, func(now time.Time, err error) {
		switch {
		case IsCounterFault(err):
			k.alarm(now, err)
		case err != nil:
			k.fail("refusing a message", err)
		default:
			k.refusal(now, code)
		}
	})
}

// refusal builds an answer that changes nothing.
func (k *call) refusal(_ time.Time, code string) {
	k.key = ""
	if k.m.MTI().Class() == iso8583.ClassNetwork { // its answers have no DE 37
		a, err := answer(k.m, "", code)
		k.finish(Reply{Answer: a}, 0, err)
		return
	}
	k.numbered("numbering a refusal", func(_ time.Time, rrn string) {
		a, err := answer(k.m, rrn, code)
		k.finish(Reply{Answer: a}, 0, err)
	})
}

// alarm audits a message that came under a used counter or a foreign key set,
// and refuses it with 63.
func (k *call) alarm(now time.Time, cause error) {
	w := k.core.work(now)
	k.commit(now, "authorize.alarm", func(tx *store.Tx) error {
		_, err := w.cfg.Audit.Append(tx, audit.Entry{Kind: "counter.refused", Actor: "terminal:" + k.m.Terminal(),
			Object: fmt.Sprintf("%X/%d", k.m.Opened.SetID, k.m.Opened.Counter), Detail: cause.Error() + ", STAN " + k.m.STAN(), At: w.at})
		return err
	}, func(now time.Time, err error) {
		if err != nil {
			k.fail("auditing a refused counter", err)
			return
		}
		k.refusal(now, CodeBadMAC)
	})
}

// confirm spends the counter of a message that is no transaction (sign-on,
// sign-off) and notes what it confirms. inside, optional, is called in the same
// commit.
func (k *call) confirm(now time.Time, inside func(tx *store.Tx) error) {
	w := k.core.work(now)
	k.commit(now, "authorize.confirm", func(tx *store.Tx) error {
		if err := checkCounters(tx, k.m); err != nil {
			return err
		}
		if err := confirm(tx, k.m, w.at); err != nil {
			return err
		}
		if inside == nil {
			return nil
		}
		return inside(tx)
	}, func(_ time.Time, err error) { k.finish(Reply{}, 0, err) })
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
