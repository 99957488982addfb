package adversary

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tallystick.example/iso8583"
	"tallystick.example/simulator/terminal"
)

// duplicates are messages that come again, whole or in part.
func duplicates() []Input {
	const counters, identity = "7. Counters", "10. Identity"
	return []Input{
		{"the same bytes again", counters, "00", replayed},
		{"a repeat of the same sale", identity, "00", again(true, func(*terminal.Plan) {})},
		{"the same sale again, not marked as a repeat", identity, "00", again(false, func(*terminal.Plan) {})},
		{"another amount for the same attempt", identity, "94", again(false, func(p *terminal.Plan) { p.Payment.Amount.Minor++ })},
		{"another entry mode for the same attempt", identity, "94", again(false, func(p *terminal.Plan) { p.Payment.Entry = "052" })},
		{"the same STAN without attempt id", identity, "00", again(false, func(p *terminal.Plan) {}, anonymous)},
		{"another amount under the same STAN without attempt id", identity, "94", again(false, func(p *terminal.Plan) { p.Payment.Amount.Minor++ }, anonymous)},
		{"the same STAN for another attempt", identity, "00", sameSTAN},
		{"the cryptogram of another sale", "9. Answers", "05", sameCryptogram},
		{"a sale that was reversed before", "10. No answer means reversal", "68", tooLate},
		{"a reversal of another amount", identity, "94", otherReversal},
		{"a reversal under a wrong MAC", "7. MAC", "63", badReversal},
	}
}

// anonymous takes the attempt id out of a plan.
func anonymous(p *terminal.Plan) { p.Payment.Private.AttemptID = iso8583.AttemptID{} }

// unexpected is an error of what should have gone well.
func unexpected(what string, ans *iso8583.Message, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s was answered with %s", what, ans.ResponseCode())
}

// replayed sends the bytes of a sale twice. Both answers must be the same.
func replayed(ctx context.Context, a *attack) (string, error) {
	f, packed, err := a.packed()
	if err != nil {
		return "", err
	}
	first, err1 := a.k.Exchange(ctx, f.m, packed, f.keys)
	second, err2 := a.k.Exchange(ctx, f.m, packed, f.keys)
	if err := errors.Join(err1, err2, first.Fault, second.Fault); err != nil {
		return "", err
	}
	if !bytes.Equal(first.Raw(), second.Raw()) {
		return "another answer", nil
	}
	return second.ResponseCode(), nil
}

// again sends a sale and then, under new keys, the same sale after a change.
// before changes both.
func again(repeat bool, change func(*terminal.Plan), before ...func(*terminal.Plan)) func(context.Context, *attack) (string, error) {
	return func(ctx context.Context, a *attack) (string, error) {
		plan, err := a.k.Plan(a.sale(2))
		if err != nil {
			return "", err
		}
		for _, f := range before {
			f(&plan)
		}
		_, first, err := a.k.Transmit(ctx, plan, false)
		if err != nil || first.ResponseCode() != "00" {
			return "", unexpected("the first sale", first, err)
		}
		change(&plan)
		_, second, err := a.k.Transmit(ctx, plan, repeat)
		if err != nil {
			return "", err
		}
		if rc := second.ResponseCode(); rc != "00" || second.RRN() == first.RRN() {
			return rc, nil
		}
		return "approved as another sale", nil
	}
}

// sameSTAN pays twice under one STAN: with attempt ids these are two sales.
func sameSTAN(ctx context.Context, a *attack) (string, error) {
	var stan uint32
	var rrn string
	for i := range 2 {
		plan, err := a.k.Plan(a.sale(2))
		if err != nil {
			return "", err
		}
		if i == 0 {
			stan = plan.Payment.STAN
		}
		plan.Payment.STAN = stan
		_, ans, err := a.k.Transmit(ctx, plan, false)
		if err != nil {
			return "", err
		}
		if ans.RRN() == rrn {
			return "the answer of the first", nil
		}
		if rrn = ans.RRN(); ans.ResponseCode() != "00" {
			return ans.ResponseCode(), nil
		}
	}
	return "00", nil
}

// sameCryptogram pays twice with one cryptogram.
func sameCryptogram(ctx context.Context, a *attack) (string, error) {
	first, second, err := Replay(ctx, a.Bad, a.Bad, a.sale(2))
	if err == nil && first != "00" {
		err = fmt.Errorf("the first sale was answered with %s", first)
	}
	return second, err
}

// tooLate reverses a sale that was never sent, and then sends it.
func tooLate(ctx context.Context, a *attack) (string, error) {
	f, err := a.forge()
	if err != nil {
		return "", err
	}
	ans, err := a.k.Reverse(ctx, f.m)
	if err != nil || ans.ResponseCode() != "00" && ans.ResponseCode() != "21" {
		return "", unexpected("the reversal", ans, err)
	}
	return a.sealed(ctx, f)
}

// otherReversal reverses a sale with another amount than it had.
func otherReversal(ctx context.Context, a *attack) (string, error) {
	req, ans, err := a.k.Pay(ctx, a.sale(2))
	if err != nil || ans.ResponseCode() != "00" {
		return "", unexpected("the sale", ans, err)
	}
	other := req.Clone()
	other.SetAmount(iso8583.Amount{Minor: 1, Currency: currencyOf(req)})
	if ans, err = a.k.Reverse(ctx, other); err != nil {
		return "", err
	}
	return ans.ResponseCode(), nil
}

// currencyOf is the currency of a request.
func currencyOf(m *iso8583.Message) uint16 {
	a, _ := m.Amount()
	return a.Currency
}

// badReversal sends a reversal whose MAC is wrong.
func badReversal(ctx context.Context, a *attack) (string, error) {
	f, err := a.forge()
	if err != nil {
		return "", err
	}
	ks, err := a.k.NextKeys()
	if err != nil {
		return "", err
	}
	h := a.k.Header()
	m, err := a.k.Reversal(f.m, h.STAN, h.At, ks)
	if err != nil {
		return "", err
	}
	packed, err := terminal.Seal(m, ks)
	if err != nil {
		return "", err
	}
	packed[len(packed)-3] ^= 0x10
	return a.exchange(ctx, m, packed, ks)
}
