package xtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"tallystick.example/internal/xtls"
)

var id = xtls.Identity{Terminal: "TERM0001", Merchant: "MERCHANT0000001"}

type parties struct{ caPEM, serverCert, serverKey, termCert, termKey []byte }

func setup(t *testing.T) parties {
	t.Helper()
	now := time.Now()
	ca, caPEM, _, err := xtls.NewCA("Test CA", true, now)
	must(t, err)
	sk, skPEM, err := xtls.NewKey()
	must(t, err)
	sc, err := ca.SignServer(sk.Public(), []string{"host.test", "127.0.0.1"}, now)
	must(t, err)
	tk, tkPEM, err := xtls.NewKey()
	must(t, err)
	csr, err := xtls.NewRequest(tk, id)
	must(t, err)
	tc, err := ca.SignTerminal(csr, id, now)
	must(t, err)
	other := id
	other.Terminal = "TERM0002"
	if _, err := ca.SignTerminal(csr, other, now); err == nil {
		t.Fatal("a request for TERM0001 was signed as TERM0002")
	}
	return parties{caPEM, sc, skPEM, tc, tkPEM}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shake runs one handshake and a byte each way, since a TLS 1.3 client learns of
// a refusal only with the first read.
func shake(t *testing.T, server, client *tls.Config) (atServer, atClient error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		s := tls.Server(c, server)
		if err := s.Handshake(); err != nil {
			done <- err
			return
		}
		_, err = s.Write([]byte{1})
		done <- err
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	return <-done, err
}

func TestMutual(t *testing.T) {
	p := setup(t)
	var seen xtls.Identity
	server, err := xtls.Server(p.serverCert, p.serverKey, p.caPEM, func(c *x509.Certificate) error {
		var err error
		seen, err = xtls.IdentityOf(c)
		if !xtls.IsTest(c) {
			t.Error("a certificate of a test CA does not say so")
		}
		return err
	})
	must(t, err)
	client, err := xtls.Client(p.termCert, p.termKey, p.caPEM, "host.test")
	must(t, err)
	if a, b := shake(t, server, client); a != nil || b != nil || seen != id {
		t.Fatalf("server %v, client %v, identity %v", a, b, seen)
	}
}

func TestRefusals(t *testing.T) {
	p := setup(t)
	admit := func(*x509.Certificate) error { return nil }
	server, err := xtls.Server(p.serverCert, p.serverKey, p.caPEM, admit)
	must(t, err)
	client, err := xtls.Client(p.termCert, p.termKey, p.caPEM, "host.test")
	must(t, err)

	asServer, err := xtls.Server(p.termCert, p.termKey, p.caPEM, admit)
	must(t, err)
	lax := client.Clone()
	lax.ServerName = "TERM0001"
	if _, err := shake(t, asServer, lax); err == nil {
		t.Error("a terminal's certificate passed for a server's")
	}
	asClient, err := xtls.Client(p.serverCert, p.serverKey, p.caPEM, "host.test")
	must(t, err)
	if a, _ := shake(t, server, asClient); a == nil {
		t.Error("a server's certificate passed for a terminal's")
	}
	blocked, err := xtls.Server(p.serverCert, p.serverKey, p.caPEM, func(*x509.Certificate) error { return errors.New("blocked") })
	must(t, err)
	if a, b := shake(t, blocked, client); a == nil || b == nil || !strings.Contains(a.Error(), "blocked") {
		t.Errorf("a blocked terminal: server %v, client %v", a, b)
	}
	foreign := setup(t)
	stranger, err := xtls.Client(foreign.termCert, foreign.termKey, p.caPEM, "host.test")
	must(t, err)
	if a, _ := shake(t, server, stranger); a == nil {
		t.Error("a certificate of another CA was accepted")
	}
	old := client.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if a, _ := shake(t, server, old); a == nil {
		t.Error("TLS 1.2 was accepted")
	}
	wrong := client.Clone()
	wrong.ServerName = "other.test"
	if _, b := shake(t, server, wrong); b == nil {
		t.Error("a certificate for another name was accepted")
	}
}

func TestIdentityIsStrict(t *testing.T) {
	for _, bad := range []xtls.Identity{{}, {"TERM001", id.Merchant}, {"term0001", id.Merchant}, {id.Terminal, "M"}, {"TERM 001", id.Merchant}} {
		if bad.Check() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	for _, junk := range []string{"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := xtls.ParseCertificate([]byte(junk)); err == nil {
			t.Errorf("certificate %q was accepted", junk)
		}
		if _, err := xtls.ParseKey([]byte(junk)); err == nil {
			t.Errorf("key %q was accepted", junk)
		}
	}
}
