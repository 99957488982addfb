package iso8583_test

import (
	"bytes"
	"testing"

	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// TestPackMasked: of a whole payment only PIN blocks and card data become zeros,
// and the message itself stays as it came.
func TestPackMasked(t *testing.T) {
	for _, s := range samples(t) {
		m := unpacked(t, s.raw)
		out, err := iso8583.PackMasked(m)
		if err != nil || len(out) != len(s.raw) {
			t.Fatalf("%s: %X, %v", s.name, out, err)
		}
		if same, err := iso8583.Pack(m); err != nil || !bytes.Equal(same, s.raw) {
			t.Errorf("%s: masking changed the message", s.name)
		}
		p, err := m.Private()
		if err != nil {
			t.Fatal(err)
		}
		hidden := len(m.Bytes(52))
		for _, v := range [][]byte{m.Bytes(52), p.PINBlock.Expose(), p.CardData.Ciphertext} {
			if len(v) > 0 && bytes.Contains(out, v) {
				t.Errorf("%s: %X is still there", s.name, v)
			}
		}
		hidden += p.PINBlock.Len() + len(p.CardData.Ciphertext)
		changed := 0
		for i := range out {
			if out[i] != s.raw[i] {
				changed++
			}
		}
		if changed > hidden || hidden > 0 && changed == 0 {
			t.Errorf("%s: %d bytes changed, at most %d are secret", s.name, changed, hidden)
		}
	}
}

func TestPackMaskedShortPINBlock(t *testing.T) {
	p := paymentOf(iso8583.Purchase)
	p.Private.PINKSN, p.Private.PINBlock, p.PINBlock = unhex("FFFF9876543210E00001"), secret.Secret{}, secret.New(unhex("0123456789ABCDEF"))
	m, err := iso8583.NewPayment(p)
	must(t, m, err)
	out, err := iso8583.PackMasked(m)
	if err != nil || bytes.Contains(out, unhex("0123456789ABCDEF")) || !bytes.Equal(unpacked(t, out).Bytes(52), make([]byte, 8)) {
		t.Errorf("PackMasked = %X, %v", out, err)
	}
	m.SetBytes(63, unhex("0100"))
	if out, err := iso8583.PackMasked(m); err == nil {
		t.Errorf("unreadable private data are masked as %X", out)
	}
}
