package transport

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestT1Capture is an exchange recorded from a serial reader's driver: block
// sizes, SELECT of the payment environment, and the next command.
func TestT1Capture(t *testing.T) {
	m := NewT1(0xFE)
	if err := m.Begin(unhex(t, "00A404000E315041592E5359532E444446303100")); err != nil {
		t.Fatal(err)
	}
	fci := "6F1A840E315041592E5359532E4444463031A5088801015F2D02656E9000"
	first := append([]byte{0, 0, 0x1E}, unhex(t, fci)...)
	first = append(first, checkXOR(first))
	step := func(sent string, received []byte) {
		t.Helper()
		if got := m.Send(); !bytes.Equal(got, unhex(t, sent)) {
			t.Fatalf("sent %X, want %s", got, sent)
		}
		if err := m.Receive(received); err != nil {
			t.Fatal(err)
		}
	}
	step("00C101FE3E", unhex(t, "00E101FE1E"))
	step("00001400A404000E315041592E5359532E444446303100DD", first)
	if r, done := m.Response(); !done || r.SW != 0x9000 || len(r.Data) != 28 {
		t.Fatalf("got %+v, %v", r, done)
	}
	if err := m.Begin(unhex(t, "00B2010C00")); err != nil {
		t.Fatal(err)
	}
	if got := m.Send(); !bytes.Equal(got, unhex(t, "00400500B2010C00FA")) {
		t.Fatalf("second command sent %X", got)
	}
}

// line carries blocks between both sides and damages or loses some.
func line(m *T1, card *CardT1, app func([]byte) Response, harm func([]byte) []byte) (Response, error) {
	for range 2000 {
		if r, done := m.Response(); done {
			return r, nil
		}
		out := harm(m.Send())
		var back []byte
		if out != nil {
			send, command := card.Receive(out)
			if command != nil {
				send = card.Answer(app(command))
			}
			back = harm(send)
		}
		var err error
		if back == nil {
			err = m.Silence()
		} else {
			err = m.Receive(back)
		}
		if err != nil {
			return Response{}, err
		}
	}
	return Response{}, errors.New("no end")
}

// TestT1Carries: over a good line every command arrives once and every answer
// whole; over a bad one a command is either answered right or fails, and the
// application never sees one twice.
func TestT1Carries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, card := NewT1(rapid.ByteRange(16, 254).Draw(t, "ifsc")), NewCardT1()
		harmPercent := rapid.SampledFrom([]int{0, 0, 5, 20}).Draw(t, "harm")
		harm := func(b []byte) []byte {
			if b == nil || rapid.IntRange(1, 100).Draw(t, "dice") > harmPercent {
				return b
			}
			if rapid.Bool().Draw(t, "lose") {
				return nil
			}
			bad := bytes.Clone(b)
			bad[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
			return bad
		}
		for range rapid.IntRange(1, 3).Draw(t, "commands") {
			command := append([]byte{0, 0xA4, 4, 0}, bytesOf(t, "command", 257)...)
			want := Response{Data: bytesOf(t, "answer", 256), SW: 0x9000}
			seen := 0
			if err := m.Begin(command); err != nil {
				t.Fatal(err)
			}
			got, err := line(m, card, func(c []byte) Response {
				if seen++; seen > 1 || !bytes.Equal(c, command) {
					t.Fatalf("the application saw command %d: %X, want %X", seen, c, command)
				}
				return want
			}, harm)
			if err != nil {
				if harmPercent == 0 || !errors.Is(err, ErrCard) {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got.Data, want.Data) || got.SW != want.SW {
				t.Fatalf("got %X, want %X", got.Data, want.Data)
			}
		}
	})
}

// bytesOf draws long and short texts alike.
func bytesOf(t *rapid.T, label string, most int) []byte {
	n := rapid.SampledFrom([]int{0, 1, 30, 31, 32, 33, 100, 200, most - 1, most}).Draw(t, label+" length")
	return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, label)
}

func TestT1Time(t *testing.T) {
	m := NewT1(32)
	if err := m.Begin(unhex(t, "00B2010C00")); err != nil {
		t.Fatal(err)
	}
	m.Send()
	if err := m.Receive(unhex(t, "00E101FE1E")); err != nil {
		t.Fatal(err)
	}
	m.Send()
	if err := m.Receive(unhex(t, "00C30105C7")); err != nil {
		t.Fatal(err)
	}
	if f := m.WaitFactor(); f != 5 {
		t.Errorf("wait factor %d, want 5", f)
	}
	if got := m.Send(); !bytes.Equal(got, unhex(t, "00E30105E7")) {
		t.Errorf("sent %X", got)
	}
	var err error
	for i := 0; err == nil && i < maxWTX+1; i++ {
		err = m.Receive(unhex(t, "00C30105C7"))
		m.Send()
	}
	if !errors.Is(err, ErrCard) {
		t.Errorf("time for ever: %v, want ErrCard", err)
	}
}

// TestT1Duplicate: a block that comes twice is refused, not taken twice.
func TestT1Duplicate(t *testing.T) {
	card := NewCardT1()
	part := iBlock(0, true, []byte{0, 0xA4}).bytes()
	card.Receive(part)
	if send, command := card.Receive(part); command != nil || !bytes.Equal(send, rBlock(1, pcbROther).bytes()) {
		t.Errorf("second time: sent %X, command %X", send, command)
	}
	m := NewT1(32)
	m.settled = true
	if err := m.Begin([]byte{0, 0xB2, 1, 0x0C}); err != nil {
		t.Fatal(err)
	}
	m.Send()
	answer := iBlock(0, true, []byte{1, 2, 3}).bytes()
	for range 2 {
		if err := m.Receive(answer); err != nil {
			t.Fatal(err)
		}
		if got := m.Send(); got[1]&pcbRNumber == 0 {
			t.Errorf("asked for %X, want the second block", got)
		}
	}
	if !bytes.Equal(m.got, []byte{1, 2, 3}) {
		t.Errorf("took %X", m.got)
	}
}

func TestT1GivesUp(t *testing.T) {
	m := NewT1(32)
	if err := m.Begin(unhex(t, "00B2010C00")); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for {
		if m.Send() == nil {
			t.Fatal("nothing sent")
		}
		sent++
		if err := m.Silence(); err != nil {
			break
		}
	}
	if sent != maxT1Tries {
		t.Errorf("sent %d times, want %d", sent, maxT1Tries)
	}
	if err := m.Begin(unhex(t, "00B2010C00")); !errors.Is(err, ErrCard) {
		t.Errorf("after the end: %v, want ErrCard", err)
	}
}

func FuzzT1(f *testing.F) {
	f.Add([]byte{5, 0, 0xE1, 1, 0xFE, 0x1E, 6, 0, 0, 2, 0x90, 0, 0x92})
	f.Fuzz(func(t *testing.T, in []byte) {
		m, card := NewT1(32), NewCardT1()
		if err := m.Begin([]byte{0, 0xB2, 1, 0x0C, 0}); err != nil {
			t.Fatal(err)
		}
		for len(in) > 0 {
			n := min(int(in[0]), len(in)-1)
			part := in[1 : 1+n]
			in = in[1+n:]
			if _, command := card.Receive(part); command != nil {
				card.Answer(Response{SW: 0x9000})
			}
			m.Send()
			if _, done := m.Response(); done || m.Receive(part) != nil {
				return
			}
			if len(m.got) > maxT1Answer || len(card.got) > maxCommandSize {
				t.Fatal("memory without bound")
			}
		}
	})
}
