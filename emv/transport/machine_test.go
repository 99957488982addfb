package transport

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/testvectors/vectortest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// takesData is the direction of the instructions that the tests use.
func takesData(_, ins byte) bool { return ins&1 == 0 && ins != 0xB2 && ins != insGetResponse }

// runT0 plays one command over single characters between both machines.
func runT0(command []byte, card *CardT0, app func(Command) Response) (Response, error) {
	m, err := NewT0(command)
	if err != nil {
		return Response{}, err
	}
	for range 10_000 {
		if r, done := m.Response(); done {
			return r, nil
		}
		out, cmd := card.Receive(m.Send())
		if cmd != nil {
			out = append(out, card.Answer(*cmd, app(*cmd))...)
		}
		if err := m.Receive(out); err != nil {
			return Response{}, err
		}
	}
	return Response{}, errors.New("no end")
}

// TestT0Carries: whatever the application answers arrives, in all four cases.
func TestT0Carries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card := NewCardT0(takesData)
		for range rapid.IntRange(1, 4).Draw(t, "commands") {
			c := Command{CLA: 0x80, INS: rapid.SampledFrom([]byte{0xAE, 0xB2, 0xA4}).Draw(t, "ins"), P1: 1}
			if c.INS != 0xB2 {
				c.Data = rapid.SliceOfN(rapid.Byte(), 1, 255).Draw(t, "data")
			}
			if c.INS != 0xA4 {
				c.Le = rapid.IntRange(1, 256).Draw(t, "le")
			}
			want := Response{SW: rapid.SampledFrom([]uint16{0x9000, 0x6A82, 0x6985}).Draw(t, "sw")}
			if c.INS != 0xA4 && want.SW == 0x9000 {
				want.Data = rapid.SliceOfN(rapid.Byte(), 1, 256).Draw(t, "answer")
			}
			var seen []Command
			got, err := runT0(c.Bytes(), card, func(x Command) Response { seen = append(seen, x); return want })
			if err != nil {
				t.Fatal(err)
			}
			if got.SW != want.SW || !bytes.Equal(got.Data, want.Data) {
				t.Fatalf("got %X %04X, want %X %04X", got.Data, got.SW, want.Data, want.SW)
			}
			if len(seen) != 1 || !bytes.Equal(seen[0].Data, c.Data) || seen[0].INS != c.INS {
				t.Fatalf("the application saw %d commands", len(seen))
			}
		}
	})
}

func TestT0WarningKeepsItsStatus(t *testing.T) {
	got, err := runT0(unhex(t, "00A4040002AABB00"), NewCardT0(takesData), func(Command) Response {
		return Response{Data: []byte{1, 2, 3}, SW: 0x6283}
	})
	if err != nil || got.SW != 0x6283 || !bytes.Equal(got.Data, []byte{1, 2, 3}) {
		t.Fatalf("got %X %04X, %v", got.Data, got.SW, err)
	}
}

func TestT0SingleBytes(t *testing.T) {
	m, err := NewT0(unhex(t, "00A4040003AABBCC"))
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct{ sent, received string }{
		{"00A4040003", "60605B"}, // two waits, then one byte wanted
		{"AA", "5B"}, {"BB", "60A4"}, {"CC", "9000"},
	}
	for i, s := range steps {
		if got := m.Send(); !bytes.Equal(got, unhex(t, s.sent)) {
			t.Fatalf("step %d sent %X, want %s", i, got, s.sent)
		}
		if err := m.Receive(unhex(t, s.received)); err != nil {
			t.Fatal(err)
		}
	}
	if r, done := m.Response(); !done || r.SW != 0x9000 {
		t.Fatalf("got %+v, %v", r, done)
	}
	m, _ = NewT0(unhex(t, "00B2010C02"))
	m.Send()
	if err := m.Receive(unhex(t, "4DAA604DBB9000")); err != nil {
		t.Fatal(err)
	}
	if r, done := m.Response(); !done || !bytes.Equal(r.Data, []byte{0xAA, 0xBB}) {
		t.Fatalf("got %+v, %v", r, done)
	}
}

func TestT0Refuses(t *testing.T) {
	for name, c := range map[string]struct{ command, received string }{
		"unknown procedure byte":   {"00B2010C02", "00"},
		"data of a case 1 command": {"00B20100", "B2"},
		"more data than there are": {"00A4040001AA", "A4A4"},
		"speaking out of turn":     {"00A4040002AABB", "A49000"},
		"bytes behind the end":     {"00B2010C02", "6A8200"},
	} {
		m, err := NewT0(unhex(t, c.command))
		if err != nil {
			t.Fatal(err)
		}
		m.Send()
		if err := m.Receive(unhex(t, c.received)); !errors.Is(err, ErrCard) {
			t.Errorf("%s: %v, want ErrCard", name, err)
		}
	}
	for _, command := range []string{"00", "0060000000", "00920000", "00A4040002AA", "00A40400000000"} {
		if _, err := NewT0(unhex(t, command)); !errors.Is(err, ErrCommand) {
			t.Errorf("command %s: %v, want ErrCommand", command, err)
		}
	}
	m, _ := NewT0(unhex(t, "00B2010C02"))
	m.Send()
	if err := m.Receive(bytes.Repeat([]byte{0x60}, maxNull+1)); !errors.Is(err, ErrCard) {
		t.Errorf("endless time requests: %v, want ErrCard", err)
	}
}

func TestExchangeLimits(t *testing.T) {
	x, err := NewExchange(unhex(t, "00B2010C00"), LevelAPDU)
	if err != nil {
		t.Fatal(err)
	}
	x.Send()
	if err := x.Receive(unhex(t, "6C05")); err != nil {
		t.Fatal(err)
	}
	x.Send()
	if err := x.Receive(unhex(t, "6C05")); err != nil {
		t.Fatal(err)
	}
	if r, done := x.Response(); !done || r.SW != 0x6C05 {
		t.Errorf("6Cxx twice gives %+v, %v; want it as the answer", r, done)
	}
	x, _ = NewExchange(unhex(t, "00B2010C00"), LevelAPDU)
	for range 3 {
		x.Send()
		if err = x.Receive(unhex(t, "6105")); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrCard) {
		t.Errorf("61xx without data: %v, want ErrCard", err)
	}
	x, _ = NewExchange(unhex(t, "00B2010C00"), LevelAPDU)
	for range 3 {
		x.Send()
		if err = x.Receive(append(make([]byte, 200), 0x61, 0xFF)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrCard) {
		t.Errorf("400 bytes of answer: %v, want ErrCard", err)
	}
}

func TestATRChecks(t *testing.T) {
	for name, c := range map[string]struct {
		atr        string
		cold, warm bool
	}{
		"T=0":                    {"3B65000020056A0102", true, true},
		"T=1":                    {"3BE000008131FE45EB", true, true},
		"TB1 only":               {"3B240080729443", true, true},
		"no TB1 at all":          {"3B02AABB", false, true},
		"TB1 not zero":           {"3B2025", false, true},
		"TA2 for other protocol": {"3B90131001", false, false},
		"T=1 without TB3":        {"3BE0000081112050", false, false},
		"T=14 first":             {"3B800E8E", false, false},
	} {
		atr, err := ParseATR(unhex(t, c.atr))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := atr.CheckEMV(ColdReset); (err == nil) != c.cold {
			t.Errorf("%s, cold: %v", name, err)
		}
		if _, err := atr.CheckEMV(WarmReset); (err == nil) != c.warm {
			t.Errorf("%s, warm: %v", name, err)
		}
	}
	for name, s := range map[string]string{
		"TS": "3A00", "empty": "", "T0 missing": "3B", "history missing": "3B0FAA", "TA1 missing": "3B10",
		"bytes too many": "3B00AA", "wrong TCK": "3BE000008131FE45EA", "TCK missing": "3BE000008131FE45", "TD for ever": "3B8080808080808080808080808080808080808080",
	} {
		if _, err := ParseATR(unhex(t, s)); !errors.Is(err, ErrATR) {
			t.Errorf("%s: %v, want ErrATR", name, err)
		}
	}
}

func TestPPS(t *testing.T) {
	p := PPS{Protocol: 0, FiDi: 0x13}
	req, err := p.Request()
	if err != nil || !bytes.Equal(req, unhex(t, "FF1013FC")) {
		t.Fatalf("request %X, %v", req, err)
	}
	if rate, err := p.Accept(req); err != nil || rate != 0x13 {
		t.Errorf("echo: %02X, %v", rate, err)
	}
	if rate, err := p.Accept(unhex(t, "FF00FF")); err != nil || rate != 0x11 {
		t.Errorf("without PPS1: %02X, %v", rate, err)
	}
	for _, s := range []string{"", "FF1013FD", "FF1012FD", "FF1113FD", "FF1013FC00", "FE1013FD"} {
		if _, err := p.Accept(unhex(t, s)); !errors.Is(err, ErrCard) {
			t.Errorf("answer %s: %v, want ErrCard", s, err)
		}
	}
}

func FuzzATR(f *testing.F) {
	vectortest.Seed(f, "emv_atr")
	f.Fuzz(func(t *testing.T, in []byte) {
		atr, err := ParseATR(in)
		if err != nil {
			return
		}
		if len(atr.Protocols) == 0 || len(atr.Historical) > 15 {
			t.Fatalf("accepted %X as %+v", in, atr)
		}
		_, _ = atr.CheckEMV(ColdReset) // no panic, whatever it says
	})
}

// FuzzT0 feeds a terminal with anything that a card may send: it ends or asks,
// and never holds more than an answer.
func FuzzT0(f *testing.F) {
	f.Add(unhex(f, "00A404000E315041592E5359532E444446303100"), unhex(f, "A46126C06F9000"))
	f.Fuzz(func(t *testing.T, command, in []byte) {
		m, err := NewT0(command)
		if err != nil {
			return
		}
		for _, b := range in {
			m.Send()
			if m.Receive([]byte{b}) != nil {
				break
			}
			if r, done := m.Response(); done {
				if len(r.Data) > maxAnswer {
					t.Fatalf("answer of %d bytes", len(r.Data))
				}
				return
			}
		}
		_ = m.Silence()
	})
}

func FuzzCardT0(f *testing.F) {
	f.Add(unhex(f, "00A4040002AABB00C0000010"))
	f.Fuzz(func(t *testing.T, in []byte) {
		card := NewCardT0(takesData)
		for _, b := range in {
			if _, cmd := card.Receive([]byte{b}); cmd != nil {
				card.Answer(*cmd, Response{Data: in[:min(len(in), 256)], SW: 0x9000})
			}
		}
		if len(card.in) > headerSize+255 {
			t.Fatalf("%d bytes kept", len(card.in))
		}
	})
}
