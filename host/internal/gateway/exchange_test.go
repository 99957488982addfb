package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

var who = xtls.Identity{Terminal: "TERM0001", Merchant: "MERCHANT0000001"}

// network is a packed 0800 of a terminal.
func network(t *testing.T, terminal, merchant, code string) []byte {
	t.Helper()
	p := iso8583.Private{}
	if code != iso8583.Echo {
		p = iso8583.Private{Software: "test", MACKSN: make([]byte, 12)}
	}
	m, err := iso8583.NewNetwork(iso8583.Header{Terminal: terminal, Merchant: merchant, STAN: 7, At: time.Unix(1e9, 0)}, code, p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := iso8583.SealMAC(m, func([]byte) ([8]byte, error) { return [8]byte{1}, nil })
	if code == iso8583.Echo {
		b, err = iso8583.Pack(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// play gives an exchange the results that the test has for its orders, and returns
// the names of the orders and the code of the answer that was sent.
func play(t *testing.T, body []byte, results ...Input) (names, code string) {
	t.Helper()
	x, orders := Begin(who, func() (api.Checkpoint, bool) { return api.Checkpoint{}, false }, iso8583.Frame{Body: body})
	var out []string
	for {
		for i, o := range orders {
			switch o := o.(type) {
			case Came, Note, Count:
				continue
			case Send:
				m, err := iso8583.Unpack(o.Frame.Body)
				if err != nil {
					t.Fatalf("what is sent cannot be read: %v", err)
				}
				code = m.ResponseCode()
			case LookUp, Open, Decide, Seal:
				if i != len(orders)-1 {
					t.Errorf("%T is not the last of its list", o)
				}
			}
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", o), "gateway."))
		}
		if len(results) == 0 || x.then == nil {
			break
		}
		orders, results = x.Step(results[0]), results[1:]
	}
	if x.then != nil || len(results) > 0 {
		t.Errorf("after %v the exchange waits: %v, results left over: %d", out, x.then != nil, len(results))
	}
	return strings.Join(out, " "), code
}

// TestOrderOfBelief: identity, then register, then MAC, then row; what fails goes no
// further.
func TestOrderOfBelief(t *testing.T) {
	signOn := network(t, who.Terminal, who.Merchant, iso8583.SignOn)
	good := OpenDone{Opened: api.Opened{MAC: api.MACValid, Handle: 5}}
	answer := func(body []byte) *iso8583.Message {
		m, err := iso8583.Unpack(body)
		if err != nil {
			t.Fatal(err)
		}
		a, err := iso8583.Answer(m, "63")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	sealed := network(t, who.Terminal, who.Merchant, iso8583.SignOn)
	fault := errors.New("fault")
	for name, c := range map[string]struct {
		body    []byte
		results []Input
		orders  string
		code    string
	}{
		"garbage":           {[]byte{8, 0, 255}, nil, "Bad", ""},
		"readable identity": {signOn[:len(signOn)-9], nil, "Bad Send", "30"},
		"other terminal":    {network(t, "TERM0002", who.Merchant, iso8583.SignOn), nil, "Bad", ""},
		"not admitted":      {signOn, []Input{LookedUp{Err: ErrNotAdmitted}}, "LookUp End", ""},
		"register fails":    {signOn, []Input{LookedUp{Err: fault}}, "LookUp", ""},
		"echo":              {network(t, who.Terminal, who.Merchant, iso8583.Echo), []Input{LookedUp{}}, "LookUp Good Send", "00"},
		"boundary refuses":  {signOn, []Input{LookedUp{}, OpenDone{Err: api.ErrInput}}, "LookUp Open Bad Send", "30"},
		"boundary away":     {signOn, []Input{LookedUp{}, OpenDone{Err: fault}}, "LookUp Open Send", "96"},
		"bare MAC refusal":  {signOn, []Input{LookedUp{}, OpenDone{Opened: api.Opened{MAC: api.MACInvalid}}}, "LookUp Open Bad Send", "63"},
		"sealed MAC refusal": {signOn, []Input{LookedUp{}, OpenDone{Opened: api.Opened{MAC: api.MACInvalid, Handle: 5}},
			DecideDone{Reply: authorize.Reply{Answer: answer(signOn)}}, SealDone{Sealed: api.Sealed{Answer: sealed}}}, "LookUp Open Bad Decide Seal Send", ""},
		"other merchant": {network(t, who.Terminal, "MERCHANT0000002", iso8583.SignOn), []Input{LookedUp{}, good, DecideDone{Err: fault}},
			"LookUp Open Good Decide Release", ""},
		"decision fails": {signOn, []Input{LookedUp{}, good, DecideDone{Err: fault}}, "LookUp Open Good Decide Release", ""},
		"seal fails":     {signOn, []Input{LookedUp{}, good, DecideDone{}, SealDone{Err: fault}}, "LookUp Open Good Decide Seal", ""},
		"signed on": {signOn, []Input{LookedUp{}, good, DecideDone{}, SealDone{Sealed: api.Sealed{Answer: sealed}}},
			"LookUp Open Good Decide Seal Send", ""},
	} {
		t.Run(name, func(t *testing.T) {
			orders, code := play(t, c.body, c.results...)
			if orders != c.orders || code != c.code {
				t.Errorf("%s, answer %q, want %s, answer %q", orders, code, c.orders, c.code)
			}
		})
	}
}
