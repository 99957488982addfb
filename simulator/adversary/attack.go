package adversary

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"tallystick.example/iso8583"
	"tallystick.example/simulator/terminal"
)

// What an input can get, beside a response code.
const (
	noAnswer = "no answer"
	closed   = "closed"
	// bare follows a response code without a MAC, which a terminal takes as no
	// answer and logs.
	bare = " without MAC"
)

// An attack is one bad input under way.
type attack struct {
	*Bench
	k *terminal.Link
}

// A forgery is a sale in the making: its message, its keys, and what will be
// exchanged under them.
type forgery struct {
	plan terminal.Plan
	m    *iso8583.Message
	keys keys
}

// forge makes a good sale to spoil.
func (a *attack) forge() (*forgery, error) {
	plan, err := a.k.Plan(a.sale(2))
	if err != nil {
		return nil, err
	}
	return a.transmit(plan)
}

// transmit makes a sale of a plan under the next keys.
func (a *attack) transmit(plan terminal.Plan) (*forgery, error) {
	ks, err := a.k.NextKeys()
	if err != nil {
		return nil, err
	}
	m, err := a.k.Request(plan, ks)
	return &forgery{plan, m, ks}, err
}

// private changes DE 63 of a forgery.
func (f *forgery) private(change func(*iso8583.Private)) error {
	p, err := f.m.Private()
	if err != nil {
		return err
	}
	change(&p)
	f.m.SetPrivate(p)
	return f.m.Err()
}

// exchange sends packed in place of m and names the answer.
func (a *attack) exchange(ctx context.Context, m *iso8583.Message, packed []byte, ks keys) (string, error) {
	ans, err := a.k.Exchange(ctx, m, packed, ks)
	switch {
	case errors.Is(err, terminal.ErrClosed):
		return closed, nil
	case err != nil:
		return "", err
	case ans.Authentic:
		return ans.ResponseCode(), nil
	case !ans.Has(64) && !ans.Has(128):
		return ans.ResponseCode() + bare, nil
	}
	return "", fmt.Errorf("the answer %s does not count: %w", ans.ResponseCode(), ans.Fault)
}

// sealed seals and sends a forgery.
func (a *attack) sealed(ctx context.Context, f *forgery) (string, error) {
	packed, err := terminal.Seal(f.m, f.keys)
	if err != nil {
		return "", err
	}
	return a.exchange(ctx, f.m, packed, f.keys)
}

// silent sends what gets no answer; whether one came all the same is seen when
// the connection is tried afterwards.
func (a *attack) silent(packed []byte) (string, error) {
	if err := a.k.Send(packed); err != nil {
		return "", err
	}
	return noAnswer, nil
}

// ends waits for the host to end the connection.
func (a *attack) ends() (string, error) {
	select {
	case <-a.k.Gone():
		return closed, nil
	case <-time.After(a.Patience):
		return "the connection lives", nil
	}
}

// raw sends bytes that are no frame and waits for the end of the connection. The
// host may end it before all are sent.
func (a *attack) raw(b ...byte) (string, error) {
	if err := a.k.Raw(b); err != nil {
		return a.ends()
	}
	return a.ends()
}

// tcp sends bytes to the host without TLS and waits for the end.
func (a *attack) tcp(ctx context.Context, b []byte) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.Bad.Address())
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(a.Patience)); err != nil {
		return "", err
	}
	if _, err := c.Write(b); err != nil {
		return closed, nil
	}
	for {
		_, err := c.Read(make([]byte, 256)) // an alert may come first
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			return "the connection lives", nil
		}
		if err != nil {
			return closed, nil
		}
	}
}
