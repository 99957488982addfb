package dukpt_test

import (
	"bytes"
	"errors"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/dukpt"
	"tallystick.example/testvectors/vectortest"
)

func TestParseKSN(t *testing.T) {
	for s, ok := range map[dukpt.Scheme]string{dukpt.TDES: "8 10", dukpt.AES: "12", 0: "", 3: ""} {
		for n := range 16 {
			want := map[int]string{8: "8", 10: "10", 12: "12"}[n]
			_, err := dukpt.ParseKSN(s, make([]byte, n))
			if accepted := want != "" && bytes.Contains([]byte(ok), []byte(want)); (err == nil) != accepted {
				t.Errorf("%s with %d bytes: %v", s, n, err)
			}
			if err != nil && !errors.Is(err, dukpt.ErrKSN) {
				t.Errorf("%s with %d bytes: %v", s, n, err)
			}
		}
	}
	short := parse(t, dukpt.TDES, []byte{0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 1})
	if short.String() != "FFFF9876543210E00001" {
		t.Errorf("the short form is %s", short)
	}
}

func TestSplitKSN(t *testing.T) {
	tdes := parse(t, dukpt.TDES, []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xF2, 0x34, 0x56})
	if c := tdes.Counter(); c != 0x123456 {
		t.Errorf("counter %X", c)
	}
	if d := tdes.DeviceID(); d != 0x3210F2>>5 {
		t.Errorf("device %X", d)
	}
	if id := tdes.BDKID(); !bytes.Equal(id, []byte{0xFF, 0xFF, 0x98, 0x76, 0x54}) {
		t.Errorf("key set %X", id)
	}
	if id := tdes.ID(); !bytes.Equal(id, []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 0}) {
		t.Errorf("initial KSN %X", id)
	}
	aes := parse(t, dukpt.AES, []byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0, 1, 0, 2})
	if aes.Counter() != 0x10002 || aes.DeviceID() != 0x90123456 || !bytes.Equal(aes.BDKID(), []byte{0x12, 0x34, 0x56, 0x78}) {
		t.Errorf("%s: %X %X %X", aes, aes.Counter(), aes.DeviceID(), aes.BDKID())
	}
	if !bytes.Equal(aes.ID(), []byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56}) {
		t.Errorf("initial key ID %X", aes.ID())
	}
	if _, err := tdes.WithCounter(1 << 21); !errors.Is(err, dukpt.ErrCounter) {
		t.Errorf("a counter of 22 bits: %v", err)
	}
	if k, err := tdes.WithCounter(7); err != nil || k.Counter() != 7 || k.Initial() != tdes.Initial() {
		t.Errorf("%v, %v", k, err)
	}
}

func TestParseID(t *testing.T) {
	for _, k := range []dukpt.KSN{
		parse(t, dukpt.TDES, []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xF2, 0x34, 0x56}),
		parse(t, dukpt.AES, []byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0, 1, 0, 2}),
	} {
		if got, err := dukpt.ParseID(k.Scheme(), k.ID()); err != nil || got != k.Initial() {
			t.Errorf("%s: %s, %v", k, got, err)
		}
		for n := range 14 {
			if _, err := dukpt.ParseID(k.Scheme(), make([]byte, n)); (err == nil) != (n == len(k.ID())) {
				t.Errorf("%s with %d bytes: %v", k.Scheme(), n, err)
			}
		}
	}
	if _, err := dukpt.ParseID(dukpt.TDES, []byte{9: 1}); !errors.Is(err, dukpt.ErrKSN) {
		t.Errorf("an ID with a counter: %v", err)
	}
}

// TestLife checks the number of transactions of a terminal, and for TDES, whose
// counters can all be walked through, every step.
func TestLife(t *testing.T) {
	tdes, aes := parse(t, dukpt.TDES, make([]byte, 10)), parse(t, dukpt.AES, make([]byte, 12))
	if tdes.Remaining() != 1_048_575 || aes.Remaining() != 2_448_023_842 {
		t.Errorf("lives are %d and %d", tdes.Remaining(), aes.Remaining())
	}
	left, last := tdes.Remaining(), tdes
	for c := uint32(1); c < 1<<21; c++ {
		valid := bits.OnesCount32(c) <= 10
		k, err := tdes.WithCounter(c)
		if err != nil || (k.Check() == nil) != valid {
			t.Fatalf("counter %X: valid is %v, %v", c, !valid, err)
		}
		if !valid {
			continue
		}
		next, err := last.Next()
		if err != nil || next != k {
			t.Fatalf("after %s comes %s, %v, want %s", last, next, err, k)
		}
		left, last = left-1, k
		if k.Remaining() != left {
			t.Fatalf("%d remain after %s, want %d", k.Remaining(), k, left)
		}
	}
	if _, err := last.Next(); !errors.Is(err, dukpt.ErrExhausted) || last.Remaining() != 0 {
		t.Errorf("after the last: %v", err)
	}
}

// TestAESNext compares Next with a search from any counter.
func TestAESNext(t *testing.T) {
	zero := parse(t, dukpt.AES, make([]byte, 12))
	rapid.Check(t, func(t *rapid.T) {
		// A search stays short only from counters with few ones at the bottom.
		c := rapid.Uint32().Draw(t, "counter") &^ rapid.SampledFrom([]uint32{0xFFFF, 0xFFF, 0xFF, 0}).Draw(t, "mask")
		k, err := zero.WithCounter(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Next()
		want := uint64(c) + 1
		for range 1 << 17 {
			if bits.OnesCount64(want) <= 16 {
				break
			}
			want++
		}
		switch {
		case want >= 1<<32:
			if !errors.Is(err, dukpt.ErrExhausted) {
				t.Fatalf("%v, want exhausted", err)
			}
		case bits.OnesCount64(want) > 16: // beyond the search
		case err != nil || uint64(got.Counter()) != want:
			t.Fatalf("after %X comes %s, %v, want %X", c, got, err, want)
		case k.Check() == nil && k.Remaining() != got.Remaining()+1:
			t.Fatalf("%d remain after %s, %d after %s", k.Remaining(), k, got.Remaining(), got)
		}
	})
}

func TestZeroKSN(t *testing.T) {
	var k dukpt.KSN
	if _, err := k.Next(); !errors.Is(err, dukpt.ErrKSN) {
		t.Errorf("Next: %v", err)
	}
	if err := k.Check(); !errors.Is(err, dukpt.ErrKSN) || !k.IsZero() || k.Remaining() != 0 || len(k.Bytes()) != 0 {
		t.Errorf("%v %q", err, k)
	}
	if _, err := dukpt.InitialKey(make([]byte, 16), k); !errors.Is(err, dukpt.ErrKSN) {
		t.Errorf("InitialKey: %v", err)
	}
	if _, err := dukpt.NewState(make([]byte, 16), k); !errors.Is(err, dukpt.ErrKSN) {
		t.Errorf("NewState: %v", err)
	}
}

// FuzzParseKSN checks that bytes of any length are refused or come back whole.
func FuzzParseKSN(f *testing.F) {
	vectortest.Seed(f, "dukpt_tdes", "dukpt.tdes.next_ksn", "dukpt.tdes.check_ksn")
	vectortest.Seed(f, "dukpt_aes", "dukpt.aes.next_ksn", "dukpt.aes.check_ksn")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []dukpt.Scheme{0, dukpt.TDES, dukpt.AES, 3} {
			k, err := dukpt.ParseKSN(s, b)
			if err != nil {
				continue
			}
			if got := k.Bytes(); !bytes.Equal(got[len(got)-len(b):], b) || k.Scheme() != s {
				t.Fatalf("%X became %s", b, k)
			}
			if again, err := k.Initial().WithCounter(k.Counter()); err != nil || again != k {
				t.Fatalf("%s taken apart and put together is %s, %v", k, again, err)
			}
			if next, err := k.Next(); err == nil && (next.Check() != nil || next.Counter() <= k.Counter()) {
				t.Fatalf("after %s comes %s", k, next)
			}
		}
	})
}
