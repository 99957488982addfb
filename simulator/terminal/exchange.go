package terminal

import (
	"context"
	"fmt"

	"tallystick.example/dukpt"
	"tallystick.example/iso8583"
)

// Ask seals req under keys, sends it and gives its authentic answer; one that is
// not authentic is an error.
func (k *Link) Ask(ctx context.Context, req *iso8583.Message, keys *dukpt.WorkingKeys) (*iso8583.Message, error) {
	packed, err := Seal(req, keys)
	if err != nil {
		return nil, err
	}
	a, err := k.Exchange(ctx, req, packed, keys)
	if err != nil {
		return nil, fmt.Errorf("terminal: %s: %w", req.MTI(), err)
	}
	if !a.Authentic {
		return nil, fmt.Errorf("terminal: %s was answered with %s, which does not count: %w", req.MTI(), a.ResponseCode(), a.Fault)
	}
	return a.Message, nil
}

// Pay sends a sale and gives its request and its authentic answer.
func (k *Link) Pay(ctx context.Context, s Sale) (req, ans *iso8583.Message, err error) {
	p, err := k.Plan(s)
	if err != nil {
		return nil, nil, err
	}
	return k.Transmit(ctx, p, false)
}

// Transmit sends a plan once, as an original or as a repeat, under the next keys.
func (k *Link) Transmit(ctx context.Context, p Plan, repeat bool) (req, ans *iso8583.Message, err error) {
	keys, err := k.NextKeys()
	if err != nil {
		return nil, nil, err
	}
	defer keys.Wipe()
	if req, err = k.Request(p, keys); err != nil {
		return nil, nil, err
	}
	if repeat {
		if req, err = Repeat(req); err != nil {
			return nil, nil, err
		}
	}
	ans, err = k.Ask(ctx, req, keys)
	return req, ans, err
}

// Reverse sends a 0420 for a request and gives its authentic answer.
func (k *Link) Reverse(ctx context.Context, req *iso8583.Message) (*iso8583.Message, error) {
	keys, err := k.NextKeys()
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	h := k.Header()
	m, err := k.Reversal(req, h.STAN, h.At, keys)
	if err != nil {
		return nil, err
	}
	return k.Ask(ctx, m, keys)
}

// SignOn sends a sign-on and gives the private data of its answer.
func (k *Link) SignOn(ctx context.Context) (iso8583.Private, error) {
	keys, err := k.NextKeys()
	if err != nil {
		return iso8583.Private{}, err
	}
	defer keys.Wipe()
	m, err := k.Network(iso8583.SignOn, iso8583.Private{}, keys)
	if err != nil {
		return iso8583.Private{}, err
	}
	ans, err := k.Ask(ctx, m, keys)
	if err != nil {
		return iso8583.Private{}, err
	}
	if rc := ans.ResponseCode(); rc != "00" {
		return iso8583.Private{}, fmt.Errorf("terminal: the sign-on was answered with %s", rc)
	}
	return ans.Private()
}

// Echo sends an echo, the one message without a MAC, and fails unless it is
// answered with 00.
func (k *Link) Echo(ctx context.Context) error {
	m, err := k.Network(iso8583.Echo, iso8583.Private{}, nil)
	if err != nil {
		return err
	}
	packed, err := iso8583.Pack(m)
	if err != nil {
		return err
	}
	a, err := k.Exchange(ctx, m, packed, nil)
	if err != nil {
		return fmt.Errorf("terminal: echo: %w", err)
	}
	if rc := a.ResponseCode(); rc != "00" || iso8583.Matches(m, a.Message) != nil {
		return fmt.Errorf("terminal: the echo was answered with %q", rc)
	}
	return nil
}
