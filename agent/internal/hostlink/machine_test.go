package hostlink

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tallystick.example/iso8583"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var policy = Policy{EchoEvery: time.Minute, AnswerTime: 25 * time.Second, RetryFirst: 250 * time.Millisecond, RetryMax: 10 * time.Second}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testMAC(in []byte) (mac [8]byte, err error) {
	for i, b := range in {
		mac[i%8] ^= b + byte(i)
	}
	return mac, nil
}

func verify(in, mac []byte) bool {
	want, _ := testMAC(in)
	return string(want[:]) == string(mac)
}

// request is a message with a MAC that needs no card.
func request(t testing.TB, kind Kind, stan uint32) Request {
	t.Helper()
	h := iso8583.Header{Terminal: "TERM0001", Merchant: "MERCHANT0000001", STAN: stan, At: epoch}
	if kind == Echo {
		m, err := iso8583.NewNetwork(h, iso8583.Echo, iso8583.Private{})
		ok(t, err)
		b, err := iso8583.Pack(m)
		ok(t, err)
		return Request{Kind: kind, Tag: stan, Message: m, Body: b}
	}
	m, err := iso8583.NewNetwork(h, iso8583.SignOn, iso8583.Private{Software: "test", MACKSN: make([]byte, 12)})
	ok(t, err)
	b, err := iso8583.SealMAC(m, testMAC)
	ok(t, err)
	return Request{Kind: kind, Tag: stan, Message: m, Body: b, Verify: verify}
}

// answer is the host's answer to r, as change leaves it.
func answer(t testing.TB, r Request, change func(a *iso8583.Message)) []byte {
	t.Helper()
	a, err := iso8583.Answer(r.Message, "00")
	ok(t, err)
	if change != nil {
		change(a)
	}
	b, err := iso8583.SealMAC(a, testMAC)
	if r.Verify == nil {
		b, err = iso8583.Pack(a)
	}
	ok(t, err)
	return b
}

// results are the ends of requests in actions.
func results(actions []Action) (out []Result) {
	for _, a := range actions {
		if r, is := a.(Result); is {
			out = append(out, r)
		}
	}
	return out
}

func has[A Action](actions []Action) bool {
	for _, a := range actions {
		if _, is := a.(A); is {
			return true
		}
	}
	return false
}

// signedOn is a machine whose terminal has signed on, over connection 1.
func signedOn(t testing.TB) *Machine {
	t.Helper()
	m := &Machine{Policy: policy}
	m.Start(epoch)
	if !has[WantSignOn](m.Dialed(epoch, 1)) {
		t.Fatal("a new connection wants no sign-on")
	}
	r := request(t, SignOn, 1)
	if !has[Send](m.Send(epoch, r)) || len(results(m.Came(epoch, 1, answer(t, r, nil)))) != 1 {
		t.Fatal("the sign-on did not go through")
	}
	if !has[Changed](m.SignedOn(epoch)) || !m.Status().Up {
		t.Fatal("not up after the sign-on")
	}
	return m
}

func TestAnswersAreCheckedBeforeTheyCount(t *testing.T) {
	r := request(t, Ordinary, 7)
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"good": {answer(t, r, nil), nil},
		"wrong MAC": {func() []byte {
			b := answer(t, r, nil)
			b[len(b)-1] ^= 1
			return b
		}(), ErrBadMAC},
		"no MAC": {func() []byte {
			a, _ := iso8583.Answer(r.Message, "00")
			b, _ := iso8583.Pack(a)
			return b
		}(), ErrBadMAC},
		"other merchant":  {answer(t, r, func(a *iso8583.Message) { a.SetText(42, "SOMEBODY") }), ErrBadAnswer},
		"no code":         {answer(t, r, func(a *iso8583.Message) { a.Clear(39) }), ErrBadAnswer},
		"other function":  {answer(t, r, func(a *iso8583.Message) { a.SetDigits(70, "002") }), ErrBadAnswer},
		"other terminal":  {answer(t, r, func(a *iso8583.Message) { a.SetText(41, "TERM0002") }), ErrNoAnswer},
		"other number":    {answer(t, r, func(a *iso8583.Message) { a.SetNumber(11, 999999) }), ErrNoAnswer},
		"silence":         {nil, ErrNoAnswer},
		"garbage":         {[]byte{8, 16, 255}, ErrNoAnswer},
		"half an answer":  {answer(t, r, nil)[:len(answer(t, r, nil))-9], ErrBadAnswer},
		"connection gone": {[]byte("gone"), ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			m := signedOn(t)
			m.Send(epoch, r)
			var got []Result
			switch {
			case name == "connection gone":
				got = results(m.Lost(epoch, 1, "reset"))
			case c.body != nil:
				got = results(m.Came(epoch, 1, c.body))
			}
			if len(got) == 0 {
				got = results(m.Tick(epoch.Add(policy.AnswerTime)))
			}
			if len(got) != 1 || !errors.Is(got[0].Err, c.want) || (got[0].Err == nil) != (c.want == nil) {
				t.Fatalf("%+v, want %v", got, c.want)
			}
			if (got[0].Answer != nil) != (c.want == nil) {
				t.Error("an answer that does not count was handed on")
			}
			if more := results(m.Came(epoch, 1, answer(t, r, nil))); len(more) != 0 {
				t.Error("a request has two results")
			}
		})
	}
}

func TestManyInFlightAnsweredInAnyOrder(t *testing.T) {
	m := signedOn(t)
	var sent []Request
	for n := range uint32(maxPending) {
		sent = append(sent, request(t, Ordinary, n+10))
		if !has[Send](m.Send(epoch, sent[n])) {
			t.Fatal("not sent")
		}
	}
	if got := results(m.Send(epoch, request(t, Ordinary, 99))); len(got) != 1 || !errors.Is(got[0].Err, ErrNotSent) {
		t.Errorf("one more than may be in flight: %+v", got)
	}
	for n := len(sent) - 1; n >= 0; n-- {
		got := results(m.Came(epoch, 1, answer(t, sent[n], nil)))
		if len(got) != 1 || got[0].Err != nil || got[0].Request.Tag != sent[n].Tag {
			t.Errorf("%+v", got)
		}
	}
}

func TestTheSameNumberIsNeverInFlightTwice(t *testing.T) {
	m, r := signedOn(t), request(t, Ordinary, 7)
	m.Send(epoch, r)
	got := m.Send(epoch, r)
	if has[Send](got) || !errors.Is(results(got)[0].Err, ErrNotSent) {
		t.Errorf("%+v, want ErrNotSent", got)
	}
}

// TestNothingLeavesWithoutAConnection also counts the attempts to connect.
func TestNothingLeavesWithoutAConnection(t *testing.T) {
	m := &Machine{Policy: policy}
	now, dials := epoch, 1
	m.Start(now)
	m.Lost(now, m.conn, "connection refused")
	for now.Before(epoch.Add(time.Minute)) {
		due, waits := m.Next()
		if !waits || due.Before(now) {
			t.Fatalf("next attempt at %v", due)
		}
		now = due
		if has[Dial](m.Tick(now)) {
			dials++
			m.Lost(now, m.conn, "connection refused")
		}
	}
	if dials < 8 || dials > 13 { // 0.25 s doubled up to 10 s
		t.Errorf("%d attempts in a minute", dials)
	}
	if got := results(m.Send(now, request(t, Ordinary, 7))); len(got) != 1 || !errors.Is(got[0].Err, ErrNotSent) {
		t.Errorf("%+v, want ErrNotSent", got)
	}
	if s := m.Status(); s.Up || s.Error != "connection refused" {
		t.Errorf("status %+v", s)
	}
}

func TestSilentHostIsFoundByEcho(t *testing.T) {
	m, now := signedOn(t), epoch
	for n := range uint32(10) {
		now = now.Add(policy.EchoEvery)
		if !has[WantEcho](m.Tick(now)) || has[WantEcho](m.Tick(now)) {
			t.Fatal("not one echo after the silence")
		}
		r := request(t, Echo, n+50)
		m.Send(now, r)
		if got := m.Came(now, 1, answer(t, r, nil)); len(got) != 0 || !m.Status().Up {
			t.Fatalf("an answered echo brings %+v", got)
		}
	}
	now = now.Add(policy.EchoEvery)
	m.Tick(now)
	m.Send(now, request(t, Echo, 99))
	got := m.Tick(now.Add(policy.AnswerTime))
	if !has[Hangup](got) || m.Status().Up {
		t.Errorf("a host that answers no echo keeps its connection: %+v", got)
	}
}

func TestRefusedSignOnKeepsTheLinkDown(t *testing.T) {
	m := &Machine{Policy: policy}
	m.Start(epoch)
	m.Dialed(epoch, 1)
	if got := results(m.Send(epoch, request(t, Ordinary, 7))); len(got) != 1 || !errors.Is(got[0].Err, ErrNotSent) {
		t.Errorf("a message left before the sign-on: %+v", got)
	}
	m.Send(epoch, request(t, SignOn, 1))
	if got := m.Failed(epoch, "refused"); !has[Hangup](got) || m.Status().Up || m.Status().Error != "refused" {
		t.Errorf("%+v", got)
	}
	if got := m.SignedOn(epoch); got != nil || m.Status().Up {
		t.Error("up without a sign-on")
	}
}

func TestStreamOfGarbageIsHungUp(t *testing.T) {
	m := signedOn(t)
	for n := range maxBad {
		if got := m.Came(epoch, 1, []byte{8, 16, 255}); has[Hangup](got) != (n == maxBad-1) {
			t.Errorf("message %d: %+v", n+1, got)
		}
	}
}

// TestEveryRequestHasOneResult: whatever happens to a link, a request that the
// machine took has exactly one result, and what came back as not sent was not.
func TestEveryRequestHasOneResult(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, now, stan := &Machine{Policy: policy}, epoch, uint32(0)
		open, ends, left := map[uint32]Request{}, map[uint32]int{}, map[string]bool{}
		see := func(actions []Action) {
			for _, a := range actions {
				switch a := a.(type) {
				case Send:
					left[string(a.Body)] = true
				case Result:
					n := a.Request.Tag.(uint32)
					ends[n]++
					if errors.Is(a.Err, ErrNotSent) && left[string(a.Request.Body)] {
						rt.Fatalf("request %d left and is called not sent", n)
					}
				}
			}
		}
		see(m.Start(now))
		rt.Repeat(map[string]func(*rapid.T){
			"dialed": func(*rapid.T) { see(m.Dialed(now, m.conn)) },
			"signed": func(*rapid.T) { see(m.SignedOn(now)) },
			"lost":   func(*rapid.T) { see(m.Lost(now, m.conn, "lost")) },
			"old":    func(*rapid.T) { see(m.Lost(now, m.conn-1, "old")) },
			"tick": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "s")) * time.Second)
				see(m.Tick(now))
			},
			"send": func(*rapid.T) {
				stan++
				open[stan] = request(t, Ordinary, stan)
				see(m.Send(now, open[stan]))
			},
			"answer": func(rt *rapid.T) {
				if stan > 0 {
					n := uint32(rapid.IntRange(1, int(stan)).Draw(rt, "n"))
					see(m.Came(now, m.conn, answer(t, open[n], nil)))
				}
			},
		})
		see(m.End(now))
		for n := range open {
			if ends[n] != 1 {
				rt.Fatal(fmt.Sprintf("request %d has %d results", n, ends[n]))
			}
		}
		if _, waits := m.Next(); waits {
			rt.Fatal("a link that has ended waits for something")
		}
	})
}
