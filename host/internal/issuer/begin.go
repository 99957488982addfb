package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// Authorization states.
const (
	statePending  = "pending"
	stateApproved = "approved"
	stateDeclined = "declined"
	stateReversed = "reversed"
)

// begun is what the first commit found.
type begun struct {
	decided  bool
	response Response
	card     card
}

// begin is the first commit: it claims the key, refuses what needs no
// verification, and takes the PIN try.
func (o *OnUs) begin(ctx context.Context, req Request) (begun, error) {
	var out begun
	err := o.st.DoSale(ctx, "issuer.begin", func(tx *store.Tx) error {
		var err error
		out, err = claim(tx, req)
		return err
	})
	if err != nil {
		return begun{}, fmt.Errorf("beginning an authorization: %w", err)
	}
	return out, nil
}

func claim(tx *store.Tx, req Request) (begun, error) {
	fresh, err := insertAuthorization(tx, authorization{key: req.Key, terminal: req.Terminal, attempt: req.Attempt,
		token: req.Token, amount: req.Amount, currency: req.Currency, state: statePending, at: req.At})
	if err != nil {
		return begun{}, err
	}
	if !fresh {
		a, err := lockAuthorization(tx, req.Key)
		if err != nil {
			return begun{}, err
		}
		if a.state != statePending {
			return begun{decided: true, response: a.response()}, nil
		}
		if a.token != req.Token || a.amount != req.Amount || a.currency != req.Currency {
			return begun{}, errors.New("issuer: one key, two requests")
		}
	}
	c, err := readCard(tx.Lock, req.Token)
	if errors.Is(err, ErrNotFound) {
		return refuse(tx, req, codeUnknownCard, "unknown card")
	}
	if err != nil {
		return begun{}, err
	}
	if code, why := c.refusal(req.Expiry, req.At); code != "" {
		return refuse(tx, req, code, why)
	}
	if err := c.fillKeys(tx); err != nil {
		return begun{}, err
	}
	// A second run of a pending request took its try already.
	if req.HasPIN && fresh {
		taken, err := takeTry(tx, req.Key, c)
		if err != nil {
			return begun{}, err
		}
		if !taken {
			return refuse(tx, req, codePINTries, "PIN tries exceeded")
		}
	}
	return begun{card: c}, nil
}

// refuse decides an authorization in the first commit already.
func refuse(tx *store.Tx, req Request, code, why string) (begun, error) {
	r := Response{Code: code, Why: why, PIN: api.PINNone, Cryptogram: api.CryptogramNone, CardCode: api.CardCodeNone}
	if err := writeDecision(tx, req.Key, stateDeclined, r, req.At); err != nil {
		return begun{}, err
	}
	return begun{decided: true, response: r}, nil
}

// expired reports whether a card of expiry YYMM, good to the end of that month,
// has expired at a time in microseconds UTC. An expiry that is no month has.
func expired(yymm string, at int64) bool {
	t, err := time.Parse("0601", yymm)
	if err != nil {
		return true
	}
	return at >= t.AddDate(0, 1, 0).UnixMicro()
}
