package e2e_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"tallystick.example/internal/xtls"
	"tallystick.example/simulator/adversary"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/terminal"
)

// impatient are deadlines that a test can wait for.
var impatient = []string{"TALLYSTICK_HOST_LIMITS_FRAME=400ms", "TALLYSTICK_HOST_LIMITS_HANDSHAKE=1s"}

// TestBadInput sends every bad input of the table, while a good terminal pays. The
// bad terminal's card is a canary: whatever it sends in clear is in no file of the
// host.
func TestBadInput(t *testing.T) {
	s, c := newCanarySystem(t, lab.Options{Env: impatient})
	s.start(lab.Host)
	b := adversary.Bench{
		Bad: s.addTerminal("BADBAD01", "aes"), BadCard: c.card(), BadPIN: text(c.pin), BadCurrency: 840,
		Good: s.addTerminal("GOOD0001", "aes"), GoodCard: s.addCard("4929000000000022", cardPIN, 1_000_000), GoodPIN: cardPIN,
	}
	r, err := b.Run(t.Context())
	must(t, err)
	for _, c := range r.Failed() {
		t.Errorf("%s (%s): %s, want %s", c.Name, c.Clause, c.Got, c.Want)
	}
	if len(r.Checks) != len(adversary.Inputs()) {
		t.Errorf("%d of %d inputs were sent", len(r.Checks), len(adversary.Inputs()))
	}
	for _, c := range r.Checks {
		if c.Served == 0 {
			t.Errorf("%s: the good terminal was not served meanwhile", c.Name)
		}
	}
	t.Logf("%d inputs, %d sales of the good terminal", len(r.Checks), r.Served)
	s.sound()
	must(t, s.Close())
	for _, f := range c.scanFiles(s).Findings {
		t.Errorf("found: %s", f)
	}
}

// TestBlocked: the live connection of a terminal that is blocked ends within a
// second, and it is not admitted again.
func TestBlocked(t *testing.T) {
	s := newSystem(t, lab.Options{})
	s.start(lab.Host)
	card := s.addCard(cardPAN, cardPIN, 1000)
	tm, other := s.addTerminal("BLOCKED1", "aes"), s.addTerminal("OTHER001", "aes")
	k, err := tm.Dial(t.Context())
	must(t, err)
	defer k.Close()
	must(t, k.Echo(t.Context()))
	s.run("terminal", "block", "BLOCKED1")
	select {
	case <-k.Gone():
	case <-time.After(time.Second):
		t.Error("the connection of a blocked terminal lives after a second")
	}
	again, err := tm.Dial(t.Context()) // with TLS 1.3 the refusal comes with the first read
	if err == nil {
		err = again.Echo(t.Context())
		again.Close()
	}
	if err == nil {
		t.Error("a blocked terminal was admitted again")
	}
	k2, err := other.Dial(t.Context())
	must(t, err)
	defer k2.Close()
	if _, ans, err := k2.Pay(t.Context(), terminal.Sale{Card: card, Minor: 1, PIN: cardPIN}); err != nil || ans.ResponseCode() != "00" {
		t.Errorf("another terminal: %v, %v", ans, err)
	}
}

// TestFalseHost: a terminal's certificate is refused as a host's, by the agent
// and by any client that is made of the shared TLS configuration.
func TestFalseHost(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := newSystem(t, lab.Options{Env: []string{"TALLYSTICK_AGENT_HOST_ADDRESS=" + plain.Addr().String()}})
	cert, err1 := os.ReadFile(s.Path("agent.crt"))
	key, err2 := os.ReadFile(s.Path("agent", "tls.key"))
	ca, err3 := os.ReadFile(s.Path("agent.crt.ca"))
	must(t, errors.Join(err1, err2, err3))
	pair, err := tls.X509KeyPair(cert, key)
	must(t, err)
	ln := tls.NewListener(plain, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}})
	asked := make(chan error, 1024)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			asked <- c.(*tls.Conn).HandshakeContext(t.Context())
			c.Close()
		}
	})
	defer accepting.Wait()
	defer ln.Close()
	client, err := xtls.Client(cert, key, ca, "localhost")
	must(t, err)
	if c, err := tls.Dial("tcp", ln.Addr().String(), client); err == nil {
		c.Close()
		t.Error("a terminal's certificate passed for a host's")
	}
	s.start(lab.Card, lab.Reader, lab.Keypad, lab.Agent)
	for i := range 4 { // the first is the client above
		if err := <-asked; err == nil {
			t.Errorf("handshake %d with the false host went well", i)
		}
	}
}
