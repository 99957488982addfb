package bcd_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"tallystick.example/internal/pure/bcd"
)

func TestPack(t *testing.T) {
	for _, c := range []struct {
		name string
		got  func() ([]byte, error)
		want []byte
		err  error
	}{
		{"even", func() ([]byte, error) { return bcd.Append(nil, "1234") }, []byte{0x12, 0x34}, nil},
		{"odd right", func() ([]byte, error) { return bcd.Append(nil, []byte("123")) }, []byte{0x01, 0x23}, nil},
		{"odd left", func() ([]byte, error) { return bcd.AppendLeft(nil, "123", 0xF) }, []byte{0x12, 0x3F}, nil},
		{"left with zero", func() ([]byte, error) { return bcd.AppendLeft(nil, "123", 0) }, []byte{0x12, 0x30}, nil},
		{"cn", func() ([]byte, error) { return bcd.AppendCN(nil, "12345", 4) }, []byte{0x12, 0x34, 0x5F, 0xFF}, nil},
		{"cn too long", func() ([]byte, error) { return bcd.AppendCN(nil, "12345", 2) }, nil, bcd.ErrLength},
		{"number", func() ([]byte, error) { return bcd.AppendUint([]byte{9}, 1234, 3) }, []byte{9, 0, 0x12, 0x34}, nil},
		{"number too big", func() ([]byte, error) { return bcd.AppendUint(nil, 10000, 2) }, []byte{}, bcd.ErrLength},
		{"letter", func() ([]byte, error) { return bcd.Append(nil, "12A4") }, nil, bcd.ErrDigit},
		{"below the digits", func() ([]byte, error) { return bcd.AppendLeft(nil, "12/4", 0) }, nil, bcd.ErrDigit},
		{"above the digits", func() ([]byte, error) { return bcd.Append(nil, ":") }, nil, bcd.ErrDigit},
		{"filler", func() ([]byte, error) { return bcd.AppendLeft(nil, "1", 16) }, nil, bcd.ErrFiller},
	} {
		got, err := c.got()
		if !errors.Is(err, c.err) || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x, %v, want %x, %v", c.name, got, err, c.want, c.err)
		}
	}
}

func TestUnpack(t *testing.T) {
	for _, c := range []struct {
		name string
		got  func() ([]byte, error)
		want string
		err  error
	}{
		{"odd right", func() ([]byte, error) { return bcd.AppendDigits(nil, []byte{0x01, 0x23}, 3) }, "123", nil},
		{"digit in the filler", func() ([]byte, error) { return bcd.AppendDigits(nil, []byte{0x91, 0x23}, 3) }, "", bcd.ErrFiller},
		{"wrong size", func() ([]byte, error) { return bcd.AppendDigits(nil, []byte{0x01, 0x23}, 5) }, "", bcd.ErrLength},
		{"high nibble", func() ([]byte, error) { return bcd.AppendDigits(nil, []byte{0x12, 0xA3}, 4) }, "", bcd.ErrDigit},
		{"low nibble", func() ([]byte, error) { return bcd.AppendDigits(nil, []byte{0x12, 0x3A}, 4) }, "", bcd.ErrDigit},
		{"odd left", func() ([]byte, error) { return bcd.AppendDigitsLeft(nil, []byte{0x12, 0x3F}, 3, 0xF) }, "123", nil},
		{"other filler", func() ([]byte, error) { return bcd.AppendDigitsLeft(nil, []byte{0x12, 0x3F}, 3, 0) }, "", bcd.ErrFiller},
		{"cn", func() ([]byte, error) { return bcd.AppendDigitsCN(nil, []byte{0x12, 0x3F, 0xFF}) }, "123", nil},
		{"cn goes on after F", func() ([]byte, error) { return bcd.AppendDigitsCN(nil, []byte{0x12, 0xF3}) }, "", bcd.ErrFiller},
		{"cn letter", func() ([]byte, error) { return bcd.AppendDigitsCN(nil, []byte{0xD2}) }, "", bcd.ErrDigit},
	} {
		got, err := c.got()
		if !errors.Is(err, c.err) || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q, %v", c.name, got, err, c.want, c.err)
		}
	}
	if v, err := bcd.Uint([]byte{0x00, 0x12, 0x34}); v != 1234 || err != nil {
		t.Errorf("Uint = %d, %v", v, err)
	}
	if _, err := bcd.Uint([]byte{0x1A}); !errors.Is(err, bcd.ErrDigit) {
		t.Errorf("Uint of a letter: %v", err)
	}
	if v, err := bcd.Uint(bytes.Repeat([]byte{0x99}, 9)); v != 999_999_999_999_999_999 || err != nil {
		t.Errorf("Uint of 18 digits = %d, %v", v, err)
	}
	if _, err := bcd.Uint(bytes.Repeat([]byte{0x99}, 10)); !errors.Is(err, bcd.ErrLength) {
		t.Errorf("Uint of 20 digits: %v", err)
	}
}

func TestErrorsLeaveTheSliceAlone(t *testing.T) {
	dst := []byte{1, 2}
	out, err := bcd.AppendDigits(dst, []byte{0x12, 0xFF}, 4)
	if err == nil || !bytes.Equal(out, dst) {
		t.Errorf("%x, %v", out, err)
	}
}

func TestNoAllocation(t *testing.T) {
	buf, pan := make([]byte, 0, 64), "4111111111111111"
	n := testing.AllocsPerRun(100, func() {
		packed, err := bcd.Append(buf[:0], pan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bcd.AppendDigits(packed, packed, 16); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDigits checks that what unpacks packs to the same bytes.
func FuzzDigits(f *testing.F) {
	f.Add([]byte{0x12, 0x3F}, 3)
	f.Add([]byte{0x01, 0x23}, 3)
	f.Fuzz(func(t *testing.T, packed []byte, n int) {
		if digits, err := bcd.AppendDigits(nil, packed, n); err == nil {
			again, err := bcd.Append(nil, digits)
			if err != nil || !bytes.Equal(again, packed) || len(digits) != n {
				t.Fatalf("%x → %q → %x, %v", packed, digits, again, err)
			}
		}
		if digits, err := bcd.AppendDigitsLeft(nil, packed, n, 0xF); err == nil {
			again, err := bcd.AppendLeft(nil, digits, 0xF)
			if err != nil || !bytes.Equal(again, packed) {
				t.Fatalf("%x → %q → %x, %v", packed, digits, again, err)
			}
		}
		if digits, err := bcd.AppendDigitsCN(nil, packed); err == nil {
			again, err := bcd.AppendCN(nil, digits, len(packed))
			if err != nil || !bytes.Equal(again, packed) {
				t.Fatalf("%x → %q → %x, %v", packed, digits, again, err)
			}
		}
		if v, err := bcd.Uint(packed); err == nil {
			again, err := bcd.AppendUint(nil, v, len(packed))
			if err != nil || !bytes.Equal(again, packed) {
				t.Fatalf("%x → %d → %x, %v", packed, v, again, err)
			}
		}
	})
}

func TestIsDigits(t *testing.T) {
	if !bcd.IsDigits("0123456789") || !bcd.IsDigits("") || bcd.IsDigits("12 4") || bcd.IsDigits(strings.Repeat("1", 5)+"\xff") {
		t.Error("IsDigits is wrong")
	}
}
