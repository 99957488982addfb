package main

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// TestKinds: every server answers the client of its kind, many times on one
// connection and on several at once, so that what is measured is real work.
func TestKinds(t *testing.T) {
	dir := t.TempDir()
	config, err := certificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pairings {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			done <- serve(l, p.kind, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}})
		}()
		clients, err := connect(&child{addr: l.Addr().String()}, p.kind, 3, config)
		if err != nil {
			t.Fatalf("%s: %v", p.kind, err)
		}
		for _, c := range clients {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-done
	}
	if err := serve(nil, "none", nil); err == nil {
		t.Error("a server that does not exist")
	}
}

// TestSample: the message is one of the terminal interface, and our answer too.
func TestSample(t *testing.T) {
	if _, err := iso8583.Unpack(sample); err != nil {
		t.Fatal(err)
	}
	out, err := answerOurs(codec.NewMessage(program), nil, sample)
	if err != nil {
		t.Fatal(err)
	}
	m, err := iso8583.Unpack(out)
	if err != nil || m.MTI() != iso8583.FinancialAnswer || m.ResponseCode() != "00" || m.STAN() != "001234" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := answerOurs(codec.NewMessage(program), nil, sample[:100]); err == nil {
		t.Error("half a message was answered")
	}
}
