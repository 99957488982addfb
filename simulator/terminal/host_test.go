package terminal_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/terminal"
)

// The published initial key of the supplement to ANSI X9.24-3:2017 (AES-128), and
// a TDES set of ANSI X9.24-1.
const (
	aesBDK  = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
	aesID   = "123456789012345600000000"
	tdesBDK = "0123456789ABCDEFFEDCBA9876543210"
	tdesID  = "FFFF9876543210E00000"
	imk     = "0123456789ABCDEFFEDCBA9876543210"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A host for the tests of this package: it holds the base key, checks every MAC,
// and answers as script says; nil answers 00.
type host struct {
	t      *testing.T
	base   *dukpt.Base
	scheme dukpt.Scheme
	mu     sync.Mutex
	script func(c *tls.Conn, m *iso8583.Message, answer func(rc string)) // owns the answer
	seen   []*iso8583.Message
}

// start makes a host and a terminal that knows it.
func start(t *testing.T, scheme dukpt.Scheme) (*host, *terminal.Terminal) {
	t.Helper()
	bdk, id := unhex(t, aesBDK), unhex(t, aesID)
	if scheme == dukpt.TDES {
		bdk, id = unhex(t, tdesBDK), unhex(t, tdesID)
	}
	base, err := dukpt.NewBase(scheme, bdk)
	must(t, err)
	h := &host{t: t, base: base, scheme: scheme}
	ca, caPEM, _, err := xtls.NewCA("test", true, time.Now())
	must(t, err)
	serverKey, serverPEM, err := xtls.NewKey()
	must(t, err)
	server, err := ca.SignServer(serverKey.Public(), []string{"localhost"}, time.Now())
	must(t, err)
	cfg, err := xtls.Server(server, serverPEM, caPEM, func(*x509.Certificate) error { return nil })
	must(t, err)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	must(t, err)
	var conns sync.WaitGroup
	t.Cleanup(func() { ln.Close(); conns.Wait() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { h.serve(c.(*tls.Conn)) })
		}
	}()
	ksn, err := dukpt.ParseKSN(scheme, id)
	must(t, err)
	ik, err := dukpt.InitialKey(bdk, ksn)
	must(t, err)
	state, err := dukpt.NewState(ik, ksn)
	must(t, err)
	return h, newTerminal(t, ca, caPEM, ln.Addr(), state)
}

func newTerminal(t *testing.T, ca *xtls.CA, caPEM []byte, addr net.Addr, keys *dukpt.State) *terminal.Terminal {
	t.Helper()
	id := xtls.Identity{Terminal: "TERM0001", Merchant: "MERCHANT0000001"}
	key, keyPEM, err := xtls.NewKey()
	must(t, err)
	csr, err := xtls.NewRequest(key, id)
	must(t, err)
	cert, err := ca.SignTerminal(csr, id, time.Now())
	must(t, err)
	cfg, err := xtls.Client(cert, keyPEM, caPEM, "localhost")
	must(t, err)
	tm, err := terminal.New(terminal.Config{Identity: id, Address: addr.String(), TLS: cfg, Keys: keys})
	must(t, err)
	return tm
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *host) serve(c *tls.Conn) {
	defer c.Close()
	var write sync.Mutex
	for {
		f, err := iso8583.ReadFrame(c, nil, iso8583.Limits{})
		if err != nil {
			return
		}
		m, err := iso8583.Unpack(f.Body)
		if err != nil {
			h.t.Errorf("the host cannot read a message: %v", err)
			return
		}
		h.mu.Lock()
		h.seen = append(h.seen, m)
		script := h.script
		h.mu.Unlock()
		answer := func(rc string) {
			write.Lock()
			defer write.Unlock()
			if err := iso8583.WriteFrame(c, iso8583.Frame{Body: h.answer(m, rc)}); err != nil && !errors.Is(err, net.ErrClosed) {
				h.t.Errorf("the host cannot answer: %v", err)
			}
		}
		if script != nil {
			script(c, m, answer)
		} else {
			answer("00")
		}
	}
}

// answer checks the MAC of m and answers it, MACed unless it is an echo.
func (h *host) answer(m *iso8583.Message, rc string) []byte {
	a, err := iso8583.Answer(m, rc)
	if err != nil {
		h.t.Errorf("answering: %v", err)
		return nil
	}
	p, err := m.Private()
	if err != nil || p.MACKSN == nil {
		b, err := iso8583.Pack(a)
		if err != nil {
			h.t.Error(err)
		}
		return b
	}
	ksn, err := dukpt.ParseKSN(h.scheme, p.MACKSN)
	if err != nil {
		h.t.Error(err)
		return nil
	}
	keys, err := h.base.Keys(ksn, 0)
	if err != nil {
		h.t.Error(err)
		return nil
	}
	input, code, err := iso8583.MACInput(m.Raw())
	if ok, vErr := keys.VerifyMAC(dukpt.Request, input, code); err != nil || vErr != nil || !ok {
		h.t.Errorf("the MAC of a %s is wrong", m.MTI())
	}
	a.SetText(37, "000000000042")
	if rc == "00" && m.MTI().Class() == iso8583.ClassPayment {
		a.SetText(38, "A1B2C3")
	}
	b, err := iso8583.SealMAC(a, func(in []byte) ([8]byte, error) {
		sum, err := keys.MAC(dukpt.Response, in)
		return [8]byte(sum), err
	})
	if err != nil {
		h.t.Errorf("sealing an answer: %v", err)
	}
	return b
}

// does sets the script.
func (h *host) does(script func(*tls.Conn, *iso8583.Message, func(string))) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.script = script
}

func (h *host) dial(tm *terminal.Terminal) *terminal.Link {
	h.t.Helper()
	k, err := tm.Dial(context.Background())
	must(h.t, err)
	h.t.Cleanup(func() { k.Close() })
	return k
}

func card(t testing.TB, profile cryptogram.Profile) *terminal.Card {
	t.Helper()
	c, err := terminal.NewCard(secret.New([]byte("4929000000000006")), secret.New([]byte("1234")), "3012", "00", profile, secret.New(unhex(t, imk)))
	must(t, err)
	return c
}
