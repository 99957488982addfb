package iso8583_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/iso8583"
)

// TestMACPosition: DE 128 with a second bitmap, DE 64 without, always the last
// bytes, over everything before them.
func TestMACPosition(t *testing.T) {
	seen := map[int]int{}
	for _, s := range samples(t) {
		m := unpacked(t, s.raw)
		input, sum, err := iso8583.MACInput(s.raw)
		if m.Digits(70) == iso8583.Echo {
			if !errors.Is(err, iso8583.ErrNoMAC) {
				t.Errorf("%s: an echo has a MAC: %v", s.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		de := 64
		if s.raw[2]&0x80 != 0 {
			de = 128
		}
		seen[de]++
		if !m.Has(de) || !bytes.Equal(m.Bytes(de), sum) || !bytes.Equal(append(bytes.Clone(input), sum...), s.raw) {
			t.Errorf("%s: the MAC is not DE %d at the end", s.name, de)
		}
		key := sampleMACKey
		if s.dir == iso8583.ToTerminal {
			key = sampleAnswerKey
		}
		full, err := mac.CMACAES(unhex(key), input)
		if err != nil || !mac.Verify(full[:8], sum) {
			t.Errorf("%s: the MAC is not over what MACInput gives", s.name)
		}
	}
	if seen[64] == 0 || seen[128] == 0 {
		t.Errorf("samples with DE 64 and DE 128: %v", seen)
	}
}

func TestPackForMACKeepsTheMessage(t *testing.T) {
	m, err := iso8583.NewPayment(paymentOf(iso8583.Purchase))
	must(t, m, err)
	before, err := iso8583.Pack(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := iso8583.PackForMAC(m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b[len(b)-iso8583.MACSize:], make([]byte, iso8583.MACSize)) || b[9]&1 == 0 {
		t.Errorf("no place for the MAC in %X", b)
	}
	after, err := iso8583.Pack(m)
	if err != nil || !bytes.Equal(before, after) || m.Has(64) {
		t.Errorf("the message was changed: %X, %v", after, err)
	}
	// A message that came with a MAC gets a new one, not a second.
	again := unpacked(t, sealed(t, m))
	c, err := iso8583.PackForMAC(again)
	if err != nil || len(c) != len(again.Raw()) || bytes.Equal(c, again.Raw()) {
		t.Errorf("the MAC was not replaced: %X, %v", c, err)
	}
}

// TestMACMoves: a message with a MAC in DE 64 that gets an element of the second
// bitmap has its MAC in DE 128 alone; and packing may be done by several at once.
func TestMACMoves(t *testing.T) {
	m := unpacked(t, samples(t)[0].raw)
	m.SetOriginal(iso8583.Original{MTI: iso8583.FinancialRequest, STAN: "000001", Transmitted: "0101000000"})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			b, err := iso8583.PackForMAC(m)
			if err != nil {
				t.Error(err)
				return
			}
			if c, err := iso8583.Unpack(b); err != nil || c.Has(64) || !c.Has(128) {
				t.Errorf("the MAC did not move: %X, %v", b, err)
			}
		})
	}
	wg.Wait()
}

func TestSealMACErrors(t *testing.T) {
	fail := errors.New("no key")
	m, err := iso8583.NewPayment(paymentOf(iso8583.Purchase))
	must(t, m, err)
	if _, err := iso8583.SealMAC(m, func([]byte) (s [8]byte, err error) { return s, fail }); !errors.Is(err, fail) {
		t.Errorf("SealMAC hides the error: %v", err)
	}
	m.SetDigits(4, "12")
	if b, err := iso8583.SealMAC(m, sampleMAC(sampleMACKey)); err == nil {
		t.Errorf("a wrong element was packed: %X", b)
	}
	for _, raw := range []string{"", "0200", "02000000000000000001", "020000000000000000010000", "0200" + "8000000000000001" + "0000000000000000"} {
		if _, _, err := iso8583.MACInput(unhex(raw)); err == nil {
			t.Errorf("MACInput(%s) found a MAC", raw)
		}
	}
}
