package mac_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"sync"
	"testing"

	"tallystick.example/internal/pure/mac"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKeyLengths lists, per function, the key lengths that are refused.
func TestKeyLengths(t *testing.T) {
	for name, c := range map[string]struct {
		run func(key []byte) error
		ok  []int
	}{
		"tdes":      {func(k []byte) error { _, err := mac.NewTDES(k); return err }, []int{8, 16, 24}},
		"aes":       {func(k []byte) error { _, err := mac.NewAES(k); return err }, []int{16, 24, 32}},
		"alg1":      {func(k []byte) error { _, err := mac.Algorithm1(k, nil, 1); return err }, []int{8, 16, 24}},
		"alg3":      {func(k []byte) error { _, err := mac.Algorithm3(k, nil, 1); return err }, []int{16, 32}},
		"cmac tdes": {func(k []byte) error { _, err := mac.CMACTDES(k, nil); return err }, []int{16, 24}},
		"cmac aes":  {func(k []byte) error { _, err := mac.CMACAES(k, nil); return err }, []int{16, 24, 32}},
	} {
		for n := range 40 {
			want := error(mac.ErrKeyLength)
			for _, ok := range c.ok {
				if n == ok {
					want = nil
				}
			}
			if err := c.run(make([]byte, n)); !errors.Is(err, want) {
				t.Errorf("%s with %d bytes: %v, want %v", name, n, err, want)
			}
		}
	}
}

func TestPaddings(t *testing.T) {
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	sum := func(data []byte, p mac.Padding) []byte {
		s, err := mac.Algorithm3(key, data, p)
		if err != nil {
			t.Fatal(err)
		}
		return s[:]
	}
	// Padding by hand and padding by the function must agree (ISO/IEC 9797-1:2011, 6.3).
	for n := range 20 {
		data := bytes.Repeat([]byte{0xA5}, n)
		zeros := append(bytes.Clone(data), make([]byte, (8-n%8)%8)...)
		if n == 0 {
			zeros = make([]byte, 8)
		}
		if got, want := sum(data, mac.Padding1), sum(zeros, mac.Padding1); !bytes.Equal(got, want) {
			t.Errorf("padding 1 of %d bytes: %x, want %x", n, got, want)
		}
		bit := append(bytes.Clone(data), 0x80)
		if got, want := sum(data, mac.Padding2), sum(bit, mac.Padding1); !bytes.Equal(got, want) {
			t.Errorf("padding 2 of %d bytes: %x, want %x", n, got, want)
		}
		long := append([]byte{0, 0, 0, 0, 0, 0, 0, byte(n * 8)}, zeros...)
		if got, want := sum(data, mac.Padding3), sum(long, mac.Padding1); !bytes.Equal(got, want) {
			t.Errorf("padding 3 of %d bytes: %x, want %x", n, got, want)
		}
	}
	for _, p := range []mac.Padding{-1, 0, 4} {
		if _, err := mac.Algorithm1(key, nil, p); !errors.Is(err, mac.ErrPadding) {
			t.Errorf("padding %d: %v", p, err)
		}
	}
}

func TestVerify(t *testing.T) {
	want := unhex(t, "A1C72E7411223344")
	for _, c := range []struct {
		name string
		got  []byte
		ok   bool
	}{
		{"whole", want, true},
		{"four bytes", want[:4], true},
		{"three bytes", want[:3], false},
		{"none", nil, false},
		{"too long", append(bytes.Clone(want), 0), false},
		{"last byte", unhex(t, "A1C72E7411223345"), false},
		{"first byte", unhex(t, "A0C72E7411223344"), false},
	} {
		if got := mac.Verify(want, c.got); got != c.ok {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestKCVRefusals(t *testing.T) {
	key := make([]byte, 16)
	for name, c := range map[string]struct {
		algorithm mac.KCVAlgorithm
		key       []byte
		length    int
		err       error
	}{
		"algorithm":     {"md5", key, 3, mac.ErrAlgorithm},
		"key":           {mac.AESCMAC, key[:8], 3, mac.ErrKeyLength},
		"zero length":   {mac.DESZero, key, 0, mac.ErrLength},
		"nine of eight": {mac.DESZero, key, 9, mac.ErrLength},
		"17 of 16":      {mac.AESZero, key, 17, mac.ErrLength},
	} {
		if _, err := mac.KCV(c.algorithm, c.key, c.length); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	// A zero block under the key 80 00… is the first variable key test of NIST's
	// Advanced Encryption Standard Algorithm Validation Suite, ECB, 128 bits.
	got, err := mac.KCV(mac.AESZero, append([]byte{0x80}, make([]byte, 15)...), 16)
	if want := unhex(t, "0EDD33D3C621E546455BD8BA1418BEC8"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("aes_zero = %x, %v, want %x", got, err, want)
	}
}

// TestSharedUse computes many codes under one Retail and one CMAC at once and
// over one shared input: each must be right and the input untouched.
func TestSharedUse(t *testing.T) {
	key := unhex(t, "2B7E151628AED2A6ABF7158809CF4F3C")
	data := bytes.Repeat([]byte{7}, 37)
	r, err := mac.NewRetail(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mac.NewAES(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := mac.NewCMAC(b)
	if err != nil {
		t.Fatal(err)
	}
	wantR, err := r.Sum(data, mac.Padding2)
	if err != nil {
		t.Fatal(err)
	}
	wantC := c.Sum(data)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got, err := r.Sum(data, mac.Padding2); err != nil || got != wantR {
					t.Errorf("retail %x, %v", got, err)
				}
				if got := c.Sum(data); !bytes.Equal(got, wantC) {
					t.Errorf("cmac %x", got)
				}
			}
		})
	}
	wg.Wait()
	if !bytes.Equal(data, bytes.Repeat([]byte{7}, 37)) {
		t.Error("the data were changed")
	}
}

func BenchmarkRetail256(b *testing.B) {
	r, err := mac.NewRetail(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Sum(data, mac.Padding1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCMACAES256(b *testing.B) {
	key, data := make([]byte, 16), make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mac.CMACAES(key, data); err != nil {
			b.Fatal(err)
		}
	}
}
