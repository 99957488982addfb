package hostlink

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/iso8583"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A host is the other end of the connections that a link makes: it answers each
// message with what the test says.
type host struct {
	t      *testing.T
	mu     sync.Mutex
	answer func(h *host, c net.Conn, m *iso8583.Message)
	dials  atomic.Int32
	refuse error
}

func (h *host) dial(context.Context) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials.Add(1)
	if h.refuse != nil {
		return nil, h.refuse
	}
	ours, theirs := net.Pipe()
	go h.serve(theirs)
	return ours, nil
}

func (h *host) serve(c net.Conn) {
	defer c.Close()
	for {
		f, err := iso8583.ReadFrame(c, nil, iso8583.Limits{})
		if err != nil {
			return
		}
		m, err := iso8583.Unpack(f.Body)
		if err != nil {
			h.t.Error(err)
			return
		}
		h.mu.Lock()
		answer := h.answer
		h.mu.Unlock()
		answer(h, c, m)
	}
}

// reply sends the answer to m, as change leaves it.
func reply(t *testing.T, c net.Conn, m *iso8583.Message, change func(a *iso8583.Message)) {
	a, err := iso8583.Answer(m, "00")
	if err != nil {
		t.Error(err)
		return
	}
	if change != nil {
		change(a)
	}
	b, err := iso8583.SealMAC(a, testMAC)
	if m.Digits(70) == iso8583.Echo {
		b, err = iso8583.Pack(a)
	}
	if err != nil {
		t.Error(err)
		return
	}
	// The link may have gone away meanwhile: then nobody misses the answer.
	_ = iso8583.WriteFrame(c, iso8583.Frame{Body: b})
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

var stan atomic.Uint32

// echo is a request without MAC, with its own number.
func echo(t *testing.T) Request {
	t.Helper()
	m, err := iso8583.NewNetwork(iso8583.Header{Terminal: "TERM0001", Merchant: "MERCHANT0000001", STAN: stan.Add(1), At: time.Unix(1e9, 0)}, iso8583.Echo, iso8583.Private{})
	ok(t, err)
	b, err := iso8583.Pack(m)
	ok(t, err)
	return Request{Message: m, Body: b}
}

// reversal is a request with a MAC that needs no card.
func reversal(t *testing.T) Request {
	t.Helper()
	h := iso8583.Header{Terminal: "TERM0001", Merchant: "MERCHANT0000001", STAN: stan.Add(1), At: time.Unix(1e9, 0)}
	m, err := iso8583.NewNetwork(h, iso8583.SignOn, iso8583.Private{Software: "test", MACKSN: make([]byte, 12)})
	ok(t, err)
	b, err := iso8583.SealMAC(m, testMAC)
	ok(t, err)
	return Request{Message: m, Body: b, Verify: verify}
}

// run starts a link to h inside a synctest bubble and stops it at the end.
func run(t *testing.T, h *host, body func(l *Link)) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	l := New(Options{
		Dial: h.dial, SignOn: func(context.Context, Exchanger) error { return nil },
		Echo:      func() (Request, error) { return echo(t), nil },
		EchoEvery: time.Minute, AnswerTime: 25 * time.Second, WriteTime: 5 * time.Second,
		RetryFirst: 250 * time.Millisecond, RetryMax: 10 * time.Second, Log: log,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	body(l)
	cancel()
	ok(t, <-done)
}

func answering(change func(a *iso8583.Message)) func(*host, net.Conn, *iso8583.Message) {
	return func(h *host, c net.Conn, m *iso8583.Message) { reply(h.t, c, m, change) }
}

func TestAnswersAreCheckedBeforeTheyCount(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*host, net.Conn, *iso8583.Message)
		want   error
	}{
		"good": {answering(nil), nil},
		"wrong MAC": {func(h *host, c net.Conn, m *iso8583.Message) {
			a, _ := iso8583.Answer(m, "00")
			b, _ := iso8583.SealMAC(a, func([]byte) ([8]byte, error) { return [8]byte{1}, nil })
			_ = iso8583.WriteFrame(c, iso8583.Frame{Body: b})
		}, ErrBadMAC},
		"no MAC": {func(h *host, c net.Conn, m *iso8583.Message) {
			a, _ := iso8583.Answer(m, "00")
			b, _ := iso8583.Pack(a)
			_ = iso8583.WriteFrame(c, iso8583.Frame{Body: b})
		}, ErrBadMAC},
		"other merchant":  {answering(func(a *iso8583.Message) { a.SetText(42, "SOMEBODY") }), ErrBadAnswer},
		"no code":         {answering(func(a *iso8583.Message) { a.Clear(39) }), ErrBadAnswer},
		"other function":  {answering(func(a *iso8583.Message) { a.SetDigits(70, "002") }), ErrBadAnswer},
		"other terminal":  {answering(func(a *iso8583.Message) { a.SetText(41, "TERM0002") }), ErrNoAnswer},
		"other number":    {answering(func(a *iso8583.Message) { a.SetNumber(11, 999999) }), ErrNoAnswer},
		"silence":         {func(*host, net.Conn, *iso8583.Message) {}, ErrNoAnswer},
		"connection gone": {func(_ *host, c net.Conn, _ *iso8583.Message) { c.Close() }, ErrNoAnswer},
		"garbage": {func(_ *host, c net.Conn, _ *iso8583.Message) {
			_ = iso8583.WriteFrame(c, iso8583.Frame{Body: []byte{8, 16, 255}})
		}, ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{t: t, answer: c.answer}
				run(t, h, func(l *Link) {
					ok(t, l.WaitUp(t.Context()))
					m, err := l.Exchange(t.Context(), reversal(t))
					if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
						t.Errorf("%v, want %v", err, c.want)
					}
					if (m != nil) != (c.want == nil) {
						t.Error("an answer that does not count was handed on")
					}
				})
			})
		})
	}
}

func TestManyInFlightAnsweredInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = maxPending
		var held []*iso8583.Message
		h := &host{t: t, answer: func(h *host, c net.Conn, m *iso8583.Message) {
			if held = append(held, m); len(held) < n {
				return
			}
			for i := len(held) - 1; i >= 0; i-- {
				reply(t, c, held[i], nil)
			}
		}}
		run(t, h, func(l *Link) {
			ok(t, l.WaitUp(t.Context()))
			var group sync.WaitGroup
			for range n {
				r := reversal(t)
				group.Go(func() {
					m, err := l.Exchange(t.Context(), r)
					if err != nil || m.STAN() != r.Message.STAN() {
						t.Errorf("%v", err)
					}
				})
			}
			group.Wait()
		})
	})
}

func TestTheSameNumberIsNeverInFlightTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, answer: func(*host, net.Conn, *iso8583.Message) {}}
		run(t, h, func(l *Link) {
			ok(t, l.WaitUp(t.Context()))
			r := reversal(t)
			go func() { _, _ = l.Exchange(t.Context(), r) }()
			synctest.Wait()
			if _, err := l.Exchange(t.Context(), r); !errors.Is(err, ErrNotSent) {
				t.Errorf("%v, want ErrNotSent", err)
			}
		})
	})
}

func TestNothingLeavesWithoutAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, refuse: errors.New("connection refused")}
		run(t, h, func(l *Link) {
			time.Sleep(time.Minute)
			if _, err := l.Exchange(t.Context(), reversal(t)); !errors.Is(err, ErrNotSent) {
				t.Errorf("%v, want ErrNotSent", err)
			}
			if s := l.Status(); s.Up || s.Error != "connection refused" {
				t.Errorf("status %+v", s)
			}
			h.mu.Lock()
			dials := h.dials.Load()
			h.refuse, h.answer = nil, answering(nil)
			h.mu.Unlock()
			if dials < 8 || dials > 13 { // 0.25 s doubled up to 10 s
				t.Errorf("%d attempts in a minute", dials)
			}
			ok(t, l.WaitUp(t.Context()))
			_, err := l.Exchange(t.Context(), reversal(t))
			ok(t, err)
		})
	})
}

func TestSilentHostIsFoundByEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, answer: answering(nil)}
		run(t, h, func(l *Link) {
			ok(t, l.WaitUp(t.Context()))
			time.Sleep(10 * time.Minute)
			if h.dials.Load() != 1 {
				t.Fatalf("%d connections while the host answers echoes", h.dials.Load())
			}
			h.mu.Lock()
			h.answer = func(*host, net.Conn, *iso8583.Message) {}
			h.mu.Unlock()
			time.Sleep(2 * time.Minute)
			if h.dials.Load() < 2 {
				t.Error("a host that answers no echo keeps its connection")
			}
		})
	})
}

func TestRefusedSignOnKeepsTheLinkDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, answer: answering(nil)}
		log := logrus.New()
		log.SetOutput(io.Discard)
		var signs atomic.Int32
		l := New(Options{
			Dial: h.dial, RetryFirst: time.Second, RetryMax: time.Second, AnswerTime: time.Second, WriteTime: time.Second, EchoEvery: time.Minute, Log: log,
			SignOn: func(ctx context.Context, exchange Exchanger) error {
				_, err := exchange(ctx, reversal(t))
				if signs.Add(1) < 3 {
					return errors.Join(errors.New("refused"), err)
				}
				return err
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(1500 * time.Millisecond)
		if l.Status().Up {
			t.Error("up without a sign-on")
		}
		ok(t, l.WaitUp(t.Context()))
		if signs.Load() != 3 {
			t.Errorf("%d sign-ons", signs.Load())
		}
		cancel()
		ok(t, <-done)
	})
}

func TestAbortAfterSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, answer: func(*host, net.Conn, *iso8583.Message) {}}
		run(t, h, func(l *Link) {
			ok(t, l.WaitUp(t.Context()))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := l.Exchange(ctx, reversal(t)); !errors.Is(err, ErrNoAnswer) {
				t.Errorf("%v: what has left may have reached the host", err)
			}
			cancelled, stop := context.WithCancel(t.Context())
			stop()
			if _, err := l.Exchange(cancelled, reversal(t)); err == nil {
				t.Error("an exchange that was given up has an answer")
			}
		})
	})
}
