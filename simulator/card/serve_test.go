package card

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/emv/transport"
)

// contacts is what a reader has of a card.
type contacts interface {
	PowerOn(ctx context.Context, protocol byte) ([]byte, error)
	PowerOff(ctx context.Context) error
	Transmit(ctx context.Context, block []byte) ([]byte, error)
}

// exchange carries an APDU through contacts under T=0 as a terminal does.
func exchange(t *testing.T, c contacts, apdu string) transport.Response {
	t.Helper()
	x, err := transport.NewExchange(hexBytesOf(t, apdu), transport.LevelTPDU)
	if err != nil {
		t.Fatal(err)
	}
	for out := x.Send(); out != nil; out = x.Send() {
		in, err := c.Transmit(t.Context(), out)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Receive(in); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := x.Response()
	return r
}

func TestSelectPartial(t *testing.T) {
	slot := NewSlot(open(t, load(t, "two-apps"), "", nil))
	if _, err := slot.PowerOn(t.Context(), T0); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		apdu string
		sw   uint16
		part string
	}{
		{"00A4040007A000000003101000", swOK, "A000000003101001"},
		{"00A4040207A000000003101000", swOK, "A000000003101002"},
		{"00A4040207A000000003101000", swNotFound, ""},
		{"00A4040207A000000003101100", swNotFound, ""},
		{"00A4040008A00000000310100200", swOK, "A000000003101002"},
		{"00A404000E315041592E5359532E444446303100", swOK, "315041592E5359532E4444463031"},
		{"00B2010C00", swOK, "A000000003101001"},
		{"00B2020C00", swOK, "A000000003101002"},
		{"00B2030C00", swNoRecord, ""},
		{"00A4040007A000000004101000", swNotFound, ""},
		{"00A4040003A0000000", swLength, ""},
		{"00A4000002000000", swP1P2, ""},
	} {
		r := exchange(t, slot, step.apdu)
		if r.SW != step.sw || !bytes.Contains(r.Data, hexBytesOf(t, step.part)) {
			t.Errorf("step %d answered %X %04X", i, r.Data, r.SW)
		}
	}
}

func TestPPS(t *testing.T) {
	slot := NewSlot(open(t, load(t, "visa-chip"), "", nil))
	if _, err := slot.PowerOn(t.Context(), T0); err != nil {
		t.Fatal(err)
	}
	request := hexBytesOf(t, "FF1013FC")
	if out, err := slot.Transmit(t.Context(), request); err != nil || !bytes.Equal(out, request) {
		t.Errorf("answered %X, %v", out, err)
	}
	if _, err := slot.Transmit(t.Context(), hexBytesOf(t, "FF1113FD")); !errors.Is(err, ErrMute) {
		t.Errorf("another protocol: %v, want ErrMute", err)
	}
}

// serveCard serves a card on a socket for the time of a test.
func serveCard(t *testing.T, c *Card) string {
	path := filepath.Join(t.TempDir(), "card.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, NewSlot(c)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestServedCard(t *testing.T) {
	p := load(t, "visa-chip")
	p.Faults.Mute = []string{cmdGetChallenge}
	path := serveCard(t, open(t, p, "", nil))
	for range 2 { // a second reader finds the card unpowered
		c, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Transmit(t.Context(), hexBytesOf(t, "00A4040000")); err == nil || !strings.Contains(err.Error(), "not powered") {
			t.Errorf("before power: %v", err)
		}
		atr, err := c.PowerOn(t.Context(), T0)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := transport.ParseATR(atr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.CheckEMV(transport.ColdReset); err != nil {
			t.Error(err)
		}
		if r := exchange(t, c, "00A4040007A000000003101000"); r.SW != swOK {
			t.Errorf("SELECT answered %04X", r.SW)
		}
		if _, err := c.Transmit(t.Context(), hexBytesOf(t, "0084000008")); !errors.Is(err, ErrMute) {
			t.Errorf("a mute card: %v, want ErrMute", err)
		}
		if err := c.PowerOff(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Listen(path); err == nil {
		t.Error("a second card took the same socket")
	}
}

func TestServedCardT1(t *testing.T) {
	c, err := Dial(t.Context(), serveCard(t, open(t, load(t, "mchip-chip"), "", nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	atr, err := c.PowerOn(t.Context(), T1)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := transport.ParseATR(atr)
	if err != nil {
		t.Fatal(err)
	}
	params, err := parsed.CheckEMV(transport.ColdReset)
	if err != nil || params.Protocol != 1 || params.IFSC != 0xFE {
		t.Fatalf("parameters %+v, %v", params, err)
	}
	m := transport.NewT1(params.IFSC)
	for _, apdu := range []string{"00A404000E315041592E5359532E444446303100", "00B2010C00", "00A4040007A000000004101000"} {
		if err := m.Begin(hexBytesOf(t, apdu)); err != nil {
			t.Fatal(err)
		}
		for out := m.Send(); out != nil; out = m.Send() {
			in, err := c.Transmit(t.Context(), out)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Receive(in); err != nil {
				t.Fatal(err)
			}
		}
		if r, done := m.Response(); !done || r.SW != swOK {
			t.Errorf("%s answered %04X", apdu, r.SW)
		}
	}
}

// TestBadFrames: a client that breaks the protocol is cut off, and the card goes
// on for the next one.
func TestBadFrames(t *testing.T) {
	path := serveCard(t, open(t, load(t, "visa-chip"), "", nil))
	for _, bad := range [][]byte{{0, 0}, {0xFF, 0xFF, 'T'}, {0, 1}} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(bad); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := readFrame(c); err == nil {
			t.Errorf("frame %X was answered", bad)
		}
		c.Close()
	}
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.PowerOn(t.Context(), 7); err == nil {
		t.Error("a protocol that does not exist was accepted")
	}
	if _, err := c.PowerOn(t.Context(), T0); err != nil {
		t.Error(err)
	}
}

func TestListenReplacesDeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	again, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
