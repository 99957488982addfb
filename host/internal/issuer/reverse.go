package issuer

import (
	"context"
	"fmt"

	"tallystick.example/host/internal/store"
)

// Reverse is described at [Issuer]. A pending authorization is marked, and its
// decision then finds the mark; an approved one is taken back by the opposite
// entries; one that was declined or that nobody knows ends as reversed without
// entries.
func (o *OnUs) Reverse(ctx context.Context, rev Reversal) error {
	err := o.st.Do(ctx, "issuer.reverse", func(tx *store.Tx) error { return reverse(tx, rev) })
	if err != nil {
		return fmt.Errorf("reversing an authorization: %w", err)
	}
	return nil
}

func reverse(tx *store.Tx, rev Reversal) error {
	fresh, err := insertAuthorization(tx, authorization{key: rev.Key, terminal: rev.Terminal, attempt: rev.Attempt,
		amount: rev.Amount, currency: rev.Currency, state: stateReversed, at: rev.At})
	if err != nil || fresh {
		return err
	}
	a, err := lockAuthorization(tx, rev.Key)
	if err != nil {
		return err
	}
	switch a.state {
	case stateReversed:
		return nil
	case stateApproved:
		c, err := readCard(tx.Lock, a.token)
		if err != nil {
			return err
		}
		if err := move(tx, movement{id: rev.Key.String() + "/reversal", from: AcquirerAccount + ":" + currencyText(a.currency),
			to: c.account, minor: a.amount, currency: a.currency, rrn: rev.Key.RRN, at: rev.At}); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(`UPDATE issuer_authorization SET state = $1, changed = $2 WHERE key = $3`,
		stateReversed, rev.At, rev.Key.String()); err != nil {
		return fmt.Errorf("marking an authorization reversed: %w", err)
	}
	return nil
}

// Settle ends every authorization of node that a crash left pending, as declined:
// nothing was posted for it, and its acquirer reverses it. PIN tries that were
// taken and never judged go back. It returns how many authorizations it ended.
// It runs at start, before the first request.
func (o *OnUs) Settle(ctx context.Context, node string, at int64) (int64, error) {
	var n int64
	err := o.st.Do(ctx, "issuer.settle", func(tx *store.Tx) error {
		if err := closeInterrupted(tx, node); err != nil {
			return err
		}
		var err error
		n, err = tx.Exec(`UPDATE issuer_authorization SET state = $1, code = $2, why = 'interrupted', changed = $3
			WHERE node = $4 AND state = $5`, stateDeclined, codeUnavailable, at, node, statePending)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("settling interrupted authorizations: %w", err)
	}
	return n, nil
}
