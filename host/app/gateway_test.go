package app_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/iso8583"
)

// network builds a 0800.
func (tm *terminal) network(code string, p iso8583.Private) *iso8583.Message {
	tm.t.Helper()
	m, err := iso8583.NewNetwork(tm.header(), code, p)
	if err != nil {
		tm.t.Fatal(err)
	}
	return m
}

// signOn sends a sign-on and returns the private data of the answer.
func (k *link) signOn() iso8583.Private {
	k.t.Helper()
	keys := k.advance()
	ans := k.ask(k.network(iso8583.SignOn, iso8583.Private{MACKSN: keys.KSN().Bytes(), Software: "test 1"}), keys)
	if ans.ResponseCode() != "00" {
		k.t.Fatalf("sign-on: %s", ans.ResponseCode())
	}
	p, err := ans.Private()
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

// TestSignOn: the answer carries the highest counter of each key set, and a
// checkpoint of the audit chain that the boundary signed.
func TestSignOn(t *testing.T) {
	for _, scheme := range []string{"aes", "tdes"} {
		l := newLab(t)
		l.serve()
		tm := l.addTerminal("TERM0001", scheme)
		k := tm.dial()
		p := k.signOn()
		if len(p.HighestKSNs) != 1 || string(p.HighestKSNs[0]) != string(tm.ksn.Bytes()) {
			t.Errorf("%s: highest counters %X, want %s", scheme, p.HighestKSNs, tm.ksn)
		}
		for range 100 { // checkpoints come each second
			if p = k.signOn(); p.Checkpoint != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if p.Checkpoint == nil {
			t.Fatalf("%s: no checkpoint in the answer", scheme)
		}
		cp := api.Checkpoint{Node: p.Checkpoint.Node, Boot: p.Checkpoint.Boot, Count: p.Checkpoint.Count, Head: p.Checkpoint.Head, Signature: p.Checkpoint.Signature[:]}
		if key := unhex(t, strings.TrimSpace(l.read("h/audit.pub"))); !api.VerifyCheckpoint(key, cp) {
			t.Errorf("%s: the checkpoint is not signed by the boundary", scheme)
		}
	}
}

// TestEchoAndRefusals: echo has no MAC; message types that the host does not
// carry out are refused as the table says, and the connection lives.
func TestEchoAndRefusals(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	echo := tm.network(iso8583.Echo, iso8583.Private{})
	packed, err := iso8583.Pack(echo)
	if err != nil {
		t.Fatal(err)
	}
	ans, err := k.exchange(packed)
	if err != nil || ans.ResponseCode() != "00" || ans.Has(64) || ans.Has(128) || iso8583.Matches(echo, ans) != nil {
		t.Fatalf("echo: %v, %v", ans, err)
	}
	for name, c := range map[string]struct {
		build func(keys *dukpt.WorkingKeys) *iso8583.Message
		rc    string
	}{
		"balance inquiry": {func(keys *dukpt.WorkingKeys) *iso8583.Message {
			p := tm.plan(sale{minor: 1, pin: testPIN})
			p.Type = iso8583.BalanceInquiry
			return tm.encrypt(p, testPIN, keys)
		}, "40"},
		"key exchange": {func(keys *dukpt.WorkingKeys) *iso8583.Message {
			return tm.network(iso8583.KeyExchange, iso8583.Private{MACKSN: keys.KSN().Bytes()})
		}, "40"},
		"sign-off": {func(keys *dukpt.WorkingKeys) *iso8583.Message {
			return tm.network(iso8583.SignOff, iso8583.Private{MACKSN: keys.KSN().Bytes()})
		}, "00"},
		"reconciliation": {func(keys *dukpt.WorkingKeys) *iso8583.Message {
			m, err := iso8583.NewReconcile(tm.header(), false, iso8583.Private{MACKSN: keys.KSN().Bytes(), Totals: &iso8583.Totals{Batch: 1, Currency: 978}})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}, "40"},
		"foreign merchant": {func(keys *dukpt.WorkingKeys) *iso8583.Message {
			m := tm.purchase(sale{minor: 1, pin: testPIN}, keys)
			m.SetText(42, "MERCHANT0000009")
			return m
		}, "03"},
		"card data in clear": {func(keys *dukpt.WorkingKeys) *iso8583.Message {
			m := tm.purchase(sale{minor: 1, pin: testPIN}, keys)
			m.SetBytes(55, append(m.Bytes(55), 0x5F, 0x24, 0x03, 0x30, 0x12, 0x31))
			return m
		}, "30"},
	} {
		keys := k.advance()
		req := c.build(keys)
		ans, err := k.exchange(seal(t, req, keys))
		if err != nil || ans.ResponseCode() != c.rc {
			t.Errorf("%s: %v %v, want %s", name, ans, err, c.rc)
			continue
		}
		k.authentic(req, ans, keys)
	}
	if _, ans := k.pay(sale{minor: 5, pin: testPIN}); ans.ResponseCode() != "00" {
		t.Errorf("a sale after the refusals: %s", ans.ResponseCode())
	}
	l.sound(5)
}

// TestBadContent: what is not authentic, not readable or not the terminal's is
// refused or dropped, and the connection lives; a stream of it ends it.
func TestBadContent(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	keys := k.advance()
	packed := seal(t, k.purchase(sale{minor: 9, pin: testPIN}, keys), keys)
	wrong := append([]byte{}, packed...)
	wrong[len(wrong)-1] ^= 1
	if ans, err := k.exchange(wrong); err != nil || ans.ResponseCode() != "63" {
		t.Errorf("a wrong MAC: %v, %v", ans, err)
	}
	// The counter of a message that was not authentic is not spent.
	if ans, err := k.exchange(packed); err != nil || ans.ResponseCode() != "00" {
		t.Errorf("the same with its MAC: %v, %v", ans, err)
	}
	foreign := k.advance()
	other := k.purchase(sale{minor: 9, pin: testPIN}, foreign)
	other.SetText(41, "TERM0002")
	unknown := append([]byte{}, packed...)
	unknown[0], unknown[1] = 0x07, 0x77
	truncated := packed[:len(packed)-20]
	for name, b := range map[string][]byte{"another terminal's": seal(t, other, foreign), "unknown MTI": unknown} {
		if err := iso8583.WriteFrame(k.c, iso8583.Frame{Body: b}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if ans, err := k.exchange(truncated); err != nil || ans.ResponseCode() != "30" {
		t.Errorf("a truncated message, and nothing for the two before: %v, %v", ans, err)
	}
	l.sound(9)
}

// TestStreamOfBadMessages ends the connection; so do a length of zero and half a
// frame at its deadline.
func TestStreamOfBadMessages(t *testing.T) {
	l := newLab(t)
	l.set("frame: 10s", "frame: 200ms")
	l.serve()
	tm := l.addTerminal("TERM0001", "aes")
	for name, send := range map[string]func(k *link) error{
		"bad messages": func(k *link) error {
			for range 32 {
				if err := iso8583.WriteFrame(k.c, iso8583.Frame{Body: []byte("not a message")}); err != nil {
					return nil // the host has closed already
				}
			}
			return nil
		},
		"zero length":    func(k *link) error { _, err := k.c.Write([]byte{0, 0}); return err },
		"over the limit": func(k *link) error { _, err := k.c.Write([]byte{0xFF, 0xFF}); return err },
		"half a frame":   func(k *link) error { _, err := k.c.Write([]byte{0, 200, 2}); return err },
	} {
		k := tm.dial()
		if err := send(k); err != nil {
			t.Fatal(err)
		}
		if err := k.c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := k.c.Read(make([]byte, 1))
		var timeout net.Error
		if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: the connection lives (%v)", name, err)
		}
	}
}

// TestTPDU: the answer carries the TPDU with its addresses swapped.
func TestTPDU(t *testing.T) {
	_, tm := open(t, "aes")
	k := tm.dial()
	packed, err := iso8583.Pack(tm.network(iso8583.Echo, iso8583.Private{}))
	if err != nil {
		t.Fatal(err)
	}
	tpdu := iso8583.TPDU{0x60, 1, 2, 3, 4}
	if err := iso8583.WriteFrame(k.c, iso8583.Frame{TPDU: tpdu, Body: packed}); err != nil {
		t.Fatal(err)
	}
	f, err := iso8583.ReadFrame(k.c, nil, iso8583.Limits{})
	if err != nil || f.TPDU != (iso8583.TPDU{0x60, 3, 4, 1, 2}) {
		t.Errorf("TPDU %X, %v", f.TPDU, err)
	}
}

// TestBlocked: a blocked terminal's connection is cut and it is not admitted
// again; others go on.
func TestBlocked(t *testing.T) {
	l := newLab(t)
	l.addCard(testPAN, 1000)
	l.serve()
	blocked, other := l.addTerminal("TERM0001", "aes").dial(), l.addTerminal("TERM0002", "aes").dial()
	if rc := blocked.ask2(t, sale{minor: 1, pin: testPIN}); rc != "00" {
		t.Fatalf("before: %s", rc)
	}
	l.run("terminal", "block", "TERM0001")
	if err := blocked.c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := blocked.c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.ErrNoProgress) {
		t.Error("the connection of a blocked terminal was not cut")
	}
	other.atc = 50 // the same card, later
	if rc := other.ask2(t, sale{minor: 1, pin: testPIN}); rc != "00" {
		t.Errorf("another terminal: %s", rc)
	}
	if c, err := net.Dial("tcp", l.addr); err != nil {
		t.Fatal(err)
	} else {
		c.Close()
	}
	if err := blocked.tryHandshake(); err == nil {
		t.Error("a blocked terminal was admitted")
	}
	if out := l.run("terminal", "list"); !strings.Contains(out, "blocked") {
		t.Errorf("terminal list: %s", out)
	}
}

// tryHandshake connects and asks for an echo: with TLS 1.3 a client learns of a
// refused certificate at its first read.
func (tm *terminal) tryHandshake() error {
	k := tm.dial()
	packed, err := iso8583.Pack(tm.network(iso8583.Echo, iso8583.Private{}))
	if err != nil {
		return err
	}
	_, err = k.exchange(packed)
	return err
}
