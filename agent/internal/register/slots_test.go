package register

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tallystick.example/internal/pure/secret"
)

var testKey = secret.New(bytes.Repeat([]byte{9}, 32))

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSlots(t *testing.T, payload string) (*slots, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registers")
	s, err := createSlots(path, testKey, rand.Reader, true, []byte(payload))
	ok(t, err)
	t.Cleanup(func() { _ = s.close() })
	return s, path
}

func reopen(t *testing.T, path string) (payload string, torn bool, err error) {
	t.Helper()
	s, p, torn, err := openSlots(path, testKey, rand.Reader, true)
	if err != nil {
		return "", false, err
	}
	ok(t, s.close())
	return string(p), torn, nil
}

func TestSlotsKeepTheNewest(t *testing.T) {
	s, path := newSlots(t, "state 0")
	if p, torn, err := reopen(t, path); p != "state 0" || torn || err != nil {
		t.Fatalf("%q, %v, %v", p, torn, err)
	}
	for i := range 5 {
		ok(t, s.write(fmt.Appendf(nil, "state %d", i+1)))
		if p, torn, err := reopen(t, path); p != fmt.Sprintf("state %d", i+1) || torn || err != nil {
			t.Fatalf("after write %d: %q, %v, %v", i+1, p, torn, err)
		}
	}
}

// TestCutWriteLeavesTheOlderState cuts the write of the next state at every
// byte: what opens afterwards is the state before or the whole new one.
func TestCutWriteLeavesTheOlderState(t *testing.T) {
	s, path := newSlots(t, "state 0")
	ok(t, s.write([]byte("state 1")))
	before, err := os.ReadFile(path)
	ok(t, err)
	ok(t, s.write([]byte("state 2")))
	after, err := os.ReadFile(path)
	ok(t, err)
	for cut := 0; cut <= slotSize; cut += 61 {
		at := int(s.sequence%2) * slotSize
		mixed := bytes.Clone(before)
		copy(mixed[at:at+cut], after[at:at+cut])
		ok(t, os.WriteFile(path, mixed, 0o600))
		p, torn, err := reopen(t, path)
		ok(t, err)
		if whole := bytes.Equal(mixed, after); (whole && p != "state 2") || (!whole && p != "state 1") {
			t.Fatalf("cut at %d: %q", cut, p)
		}
		if unchanged := bytes.Equal(mixed, before) || bytes.Equal(mixed, after); torn == unchanged {
			t.Fatalf("cut at %d: torn = %v", cut, torn)
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	s, path := newSlots(t, "state 0")
	ok(t, s.write([]byte("state 1")))
	whole, err := os.ReadFile(path)
	ok(t, err)
	for at := 0; at < slotSize; at += 97 {
		b := bytes.Clone(whole)
		b[at] ^= 1
		b[slotSize+at] ^= 1
		ok(t, os.WriteFile(path, b, 0o600))
		if _, _, err := reopen(t, path); !errors.Is(err, ErrDamaged) {
			t.Fatalf("both slots changed at %d: %v", at, err)
		}
	}
	swapped := append(bytes.Clone(whole[slotSize:]), whole[:slotSize]...)
	ok(t, os.WriteFile(path, swapped, 0o600))
	if _, _, err := reopen(t, path); !errors.Is(err, ErrDamaged) {
		t.Errorf("swapped slots: %v", err)
	}
	ok(t, os.WriteFile(path, whole[:100], 0o600))
	if _, _, err := reopen(t, path); !errors.Is(err, ErrDamaged) {
		t.Errorf("a short file: %v", err)
	}
	if _, _, _, err := openSlots(path+"x", testKey, rand.Reader, true); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestAnotherDeviceKeyDoesNotOpen(t *testing.T) {
	_, path := newSlots(t, "state 0")
	other := secret.New(bytes.Repeat([]byte{8}, 32))
	if _, _, _, err := openSlots(path, other, rand.Reader, true); !errors.Is(err, ErrDamaged) {
		t.Errorf("opened with another device key: %v", err)
	}
}

func TestSlotRefusesWhatDoesNotFit(t *testing.T) {
	s, _ := newSlots(t, "state 0")
	if s.write(make([]byte, maxSlotBytes+1)) == nil {
		t.Error("a payload that does not fit was written")
	}
	ok(t, s.write(make([]byte, maxSlotBytes)))
}
