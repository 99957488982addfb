package card

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/emv/transport"
)

// rank orders cryptograms as EMV Book 3, 9.3 does: a card may answer lower than
// asked, never higher.
func rank(kind byte) int {
	return map[byte]int{typeAAC: 0, typeARQC: 1, typeTC: 2}[kind]
}

// TestNeverHigher: whatever the card's limits, state and the terminal's data, the
// card never answers a higher cryptogram than asked for, never a TC after a
// wrong issuer's answer, and not more than two cryptograms.
func TestNeverHigher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := Load(rapid.SampledFrom(Names()).Draw(t, "card"))
		if err != nil {
			t.Fatal(err)
		}
		p.Apps[0].Risk = Risk{
			OfflineLimit: rapid.IntRange(0, 2).Draw(t, "limit"), OfflineAmount: rapid.Int64Range(0, 9999).Draw(t, "amount"),
			IssuerAuthRequired: rapid.Bool().Draw(t, "required"),
		}
		store, err := OpenStore("", p)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(p, store, zeros{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.apps[0].state.Offline = rapid.IntRange(0, 3).Draw(t, "offline")
		c.apps[0].state.Blocked = rapid.Bool().Draw(t, "blocked") && rapid.Bool().Draw(t, "really")
		transmit := func(cmd transport.Command) transport.Response {
			r, err := c.Transmit(cmd)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		transmit(transport.Command{INS: 0xA4, P1: 4, Data: c.apps[0].aid, Le: 256})
		transmit(transport.Command{CLA: 0x80, INS: 0xA8, Data: []byte{0x83, 0}, Le: 256})
		kinds := []byte{typeAAC, typeTC, typeARQC, typeRFU, 0x10}
		answered, wrongAuth := 0, false
		for i := range rapid.IntRange(1, 5).Draw(t, "commands") {
			if rapid.Bool().Draw(t, "authenticate") {
				r := transmit(transport.Command{INS: 0x82, Data: bytes.Repeat([]byte{byte(i)}, 10)})
				wrongAuth = wrongAuth || r.SW == swAuthFailed
				if r.SW == swOK {
					t.Fatal("the card took a made-up answer of the issuer")
				}
			}
			list := c.apps[0].cdol1
			if c.tx.firstDone {
				list = c.apps[0].cdol2
			}
			asked := rapid.SampledFrom(kinds).Draw(t, "asked")
			data := rapid.SliceOfN(rapid.ByteRange(0, 9), list.Len(), list.Len()).Draw(t, "data")
			r := transmit(transport.Command{CLA: 0x80, INS: 0xAE, P1: asked, Data: data, Le: 256})
			if r.SW != swOK {
				continue
			}
			answered++
			kind := c.tx.first
			if c.tx.second != nil {
				kind = *c.tx.second
			}
			if rank(kind) > rank(asked) || answered > 2 || wrongAuth && kind == typeTC {
				t.Fatalf("asked %02X, answered %02X as cryptogram %d, issuer wrong: %v", asked, kind, answered, wrongAuth)
			}
			if answered == 2 && kind == typeARQC {
				t.Fatal("a second ARQC")
			}
		}
	})
}

// TestTriesNeverGrow: without the right PIN or a script, tries only go down, and
// at zero even the right PIN is refused.
func TestTriesNeverGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := Load("offline-pin")
		if err != nil {
			t.Fatal(err)
		}
		store, err := OpenStore("", p)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(p, store, zeros{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tries := p.PINTryLimit
		for range rapid.IntRange(1, 8).Draw(t, "tries") {
			c.Reset()
			for _, cmd := range []transport.Command{
				{INS: 0xA4, P1: 4, Data: c.apps[0].aid, Le: 256}, {CLA: 0x80, INS: 0xA8, Data: []byte{0x83, 0}, Le: 256},
			} {
				if _, err := c.Transmit(cmd); err != nil {
					t.Fatal(err)
				}
			}
			right := rapid.IntRange(0, 3).Draw(t, "right") == 0
			block := []byte{0x24, 0x99, 0x99, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
			if right {
				block[1], block[2] = 0x12, 0x34
			}
			r, err := c.Transmit(transport.Command{INS: 0x20, P2: 0x80, Data: block})
			if err != nil {
				t.Fatal(err)
			}
			want := uint16(swBlocked)
			switch {
			case tries == 0:
			case right:
				want, tries = swOK, p.PINTryLimit
			default:
				tries--
				want = swTriesLeft + uint16(tries)
			}
			if r.SW != want || store.state.PINTries != tries {
				t.Fatalf("status %04X and %d tries, want %04X and %d", r.SW, store.state.PINTries, want, tries)
			}
		}
	})
}

// FuzzTransmit sends anything to a card: no panic, and no answer that T=0 could
// not carry.
func FuzzTransmit(f *testing.F) {
	f.Add([]byte("\x0d\x00\xA4\x04\x00\x07\xA0\x00\x00\x00\x03\x10\x10\x00\x08\x80\xA8\x00\x00\x02\x83\x00\x00"))
	p := load(f, "visa-chip")
	f.Fuzz(func(t *testing.T, in []byte) {
		store, err := OpenStore("", p)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(p, store, zeros{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		slot := NewSlot(c)
		for _, protocol := range []byte{T0, T1} {
			if _, err := slot.PowerOn(t.Context(), protocol); err != nil {
				t.Fatal(err)
			}
			for rest := in; len(rest) > 0; {
				n := min(int(rest[0]), len(rest)-1)
				block := rest[1 : 1+n]
				rest = rest[1+n:]
				out, err := slot.Transmit(t.Context(), block)
				if err == nil && (len(out) < 2 || len(out) > 260) {
					t.Fatalf("answer of %d bytes", len(out))
				}
				if err != nil && errors.Is(err, ErrNotPowered) {
					t.Fatal(err)
				}
			}
		}
	})
}
