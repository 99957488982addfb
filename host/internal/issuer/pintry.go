package issuer

import (
	"fmt"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// A PIN try is taken, durably, before the PIN is verified (rule 9 of the tally)
// and stays open until its verdict: a wrong PIN spends it, a right one restores
// all of the card's tries, and without a verdict it goes back. Nobody learns
// anything from a try that goes back: its payment is declined or reversed alike
// whatever the PIN was. A fault that came with wrong PINs only would tell them
// apart all the same, so at most maxReturned go back before a right PIN or a reset.
const maxReturned = 8

// An openTry is a try that was taken for the authorization key and waits for its
// verdict; epoch 0 is none.
type openTry struct {
	key, token string
	epoch      int64
}

// takeTry takes one of the card's tries for the authorization key; false means
// that none is left.
func takeTry(tx *store.Tx, key Key, c card) (bool, error) {
	if c.pinLeft <= 0 {
		return false, nil
	}
	if _, err := tx.Exec(`UPDATE card SET pin_left = pin_left - 1 WHERE token = $1`, c.token); err != nil {
		return false, fmt.Errorf("taking a PIN try: %w", err)
	}
	return true, setTry(tx, key.String(), c.pinEpoch)
}

// closeTry closes a try of the locked card c according to the verdict on the PIN.
func closeTry(tx *store.Tx, t openTry, c card, verdict api.PINVerdict) error {
	if t.epoch == 0 {
		return nil
	}
	switch {
	case verdict == api.PINRight:
		if err := restoreTries(tx, c.token); err != nil {
			return err
		}
	case verdict == api.PINNone && t.epoch == c.pinEpoch && c.pinReturned < maxReturned:
		if _, err := tx.Exec(`UPDATE card SET pin_left = pin_left + 1, pin_returned = pin_returned + 1 WHERE token = $1`, c.token); err != nil {
			return fmt.Errorf("giving a PIN try back: %w", err)
		}
	}
	return setTry(tx, t.key, 0)
}

// restoreTries gives a card all its tries back and ends the count of those that
// are still open.
func restoreTries(tx *store.Tx, token string) error {
	n, err := tx.Exec(`UPDATE card SET pin_left = pin_limit, pin_epoch = pin_epoch + 1, pin_returned = 0 WHERE token = $1`, token)
	if err != nil {
		return fmt.Errorf("restoring the PIN tries: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// closeInterrupted gives back the tries of node that a crash left without a verdict.
func closeInterrupted(tx *store.Tx, node string) error {
	var open []openTry
	err := tx.Each(func(scan store.Scan) error {
		var t openTry
		if err := scan(&t.key, &t.token, &t.epoch); err != nil {
			return err
		}
		open = append(open, t)
		return nil
	}, `SELECT key, token, pin_epoch FROM issuer_authorization WHERE node = $1 AND pin_epoch > 0 ORDER BY token, key`, node)
	if err != nil {
		return fmt.Errorf("reading interrupted PIN tries: %w", err)
	}
	for _, t := range open {
		c, err := readCard(tx.Lock, t.token)
		if err != nil {
			return err
		}
		if err := closeTry(tx, t, c, api.PINNone); err != nil {
			return err
		}
	}
	return nil
}

func setTry(tx *store.Tx, key string, epoch int64) error {
	if _, err := tx.Exec(`UPDATE issuer_authorization SET pin_epoch = $1 WHERE key = $2`, epoch, key); err != nil {
		return fmt.Errorf("noting a PIN try: %w", err)
	}
	return nil
}
