package register

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tallystick.example/dukpt"
	"tallystick.example/internal/pure/secret"
)

var testIK = secret.New(bytes.Repeat([]byte{0x5A}, 16))

func ksnOf(t *testing.T, device byte) dukpt.KSN {
	t.Helper()
	k, err := dukpt.ParseKSN(dukpt.AES, []byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, device, 0, 0, 0, 0})
	ok(t, err)
	return k
}

func loaded(t *testing.T) (Options, *Register) {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "registers"), Key: testKey, Random: rand.Reader, NoSync: true}
	ok(t, Load(o, "", testIK, ksnOf(t, 1)))
	return o, openRegister(t, o, 0)
}

func openRegister(t *testing.T, o Options, floor uint32) *Register {
	t.Helper()
	r, _, err := Open(o, setName(ksnOf(t, 1)), floor)
	ok(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func nothing(dukpt.KSN) error { return nil }

// TestOrderOfRule8 looks at the file from within the journal's step: the next
// state must be there already, and no key may be out when that step fails.
func TestOrderOfRule8(t *testing.T) {
	o, r := loaded(t)
	recorded := uint32(0)
	keys, err := r.Next(func(k dukpt.KSN) error {
		recorded = k.Counter()
		_, payload, _, err := openSlots(o.Path, o.Key, o.Random, true)
		ok(t, err)
		s, err := dukpt.ParseState(payload)
		ok(t, err)
		if s.KSN() != k {
			t.Errorf("the journal is asked for %v while the registers on disk are at %v", k, s.KSN())
		}
		return nil
	})
	ok(t, err)
	if keys.KSN().Counter() != recorded || recorded != 1 {
		t.Errorf("key %v, recorded %d", keys.KSN(), recorded)
	}
	failed := errors.New("journal full")
	keys, err = r.Next(func(dukpt.KSN) error { return failed })
	if keys != nil || !errors.Is(err, failed) {
		t.Errorf("a key was released without the journal: %v, %v", keys, err)
	}
	keys, err = r.Next(nothing)
	ok(t, err)
	if keys.KSN().Counter() != 3 {
		t.Errorf("counter %d after a lost one, want 3", keys.KSN().Counter())
	}
}

func TestNoCounterTwiceOverRestarts(t *testing.T) {
	o, r := loaded(t)
	seen := map[dukpt.KSN]bool{}
	for range 20 {
		keys, err := r.Next(nothing)
		ok(t, err)
		if seen[keys.KSN()] {
			t.Fatalf("%v was used twice", keys.KSN())
		}
		seen[keys.KSN()] = true
		if len(seen)%3 == 0 {
			ok(t, r.Close())
			r = openRegister(t, o, 0)
		}
	}
}

func TestDamagedNewestSlotNeverRepeatsAKey(t *testing.T) {
	o, r := loaded(t)
	var last uint32
	for range 5 {
		keys, err := r.Next(nothing)
		ok(t, err)
		last = keys.KSN().Counter()
	}
	at := int64(r.slots.sequence%2) * slotSize
	ok(t, r.Close())
	f, err := os.OpenFile(o.Path, os.O_RDWR, 0)
	ok(t, err)
	_, err = f.WriteAt([]byte{0xFF, 0xFF, 0xFF}, at+100)
	ok(t, err)
	ok(t, f.Close())
	r, skipped, err := Open(o, setName(ksnOf(t, 1)), 0)
	ok(t, err)
	defer r.Close()
	keys, err := r.Next(nothing)
	ok(t, err)
	if keys.KSN().Counter() <= last || !skipped {
		t.Errorf("counter %d after %d was used, skipped %v", keys.KSN().Counter(), last, skipped)
	}
}

func TestRolledBackFileSkipsToTheJournal(t *testing.T) {
	o, r := loaded(t)
	old, err := os.ReadFile(o.Path)
	ok(t, err)
	for range 9 {
		_, err := r.Next(nothing)
		ok(t, err)
	}
	ok(t, r.Close())
	ok(t, os.WriteFile(o.Path, old, 0o600))
	r = openRegister(t, o, 9)
	keys, err := r.Next(nothing)
	ok(t, err)
	if keys.KSN().Counter() != 10 {
		t.Errorf("counter %d, want 10", keys.KSN().Counter())
	}
}

func TestForwardNeverBack(t *testing.T) {
	_, r := loaded(t)
	ok(t, r.SkipTo(1000))
	ok(t, r.SkipTo(7))
	keys, err := r.Next(nothing)
	ok(t, err)
	if keys.KSN().Counter() != 1001 {
		t.Errorf("counter %d, want 1001", keys.KSN().Counter())
	}
	if err := r.SkipTo(0x1FFFF); !errors.Is(err, dukpt.ErrCounter) {
		t.Errorf("a counter that no terminal uses: %v", err)
	}
}

func TestLoadRefusesTheSameKey(t *testing.T) {
	o, r := loaded(t)
	_, err := r.Next(nothing)
	ok(t, err)
	ok(t, r.Close())
	if err := Load(o, "", testIK, ksnOf(t, 1)); !errors.Is(err, ErrSameKey) {
		t.Errorf("the key in the file: %v", err)
	}
	ok(t, os.Remove(o.Path))
	if err := Load(o, setName(ksnOf(t, 1)), testIK, ksnOf(t, 1)); !errors.Is(err, ErrSameKey) {
		t.Errorf("the key that the journal knows: %v", err)
	}
	ok(t, Load(o, setName(ksnOf(t, 1)), testIK, ksnOf(t, 2)))
	ok(t, Load(o, setName(ksnOf(t, 2)), testIK, ksnOf(t, 3)))
	r, _, err = Open(o, "", 0)
	ok(t, err)
	defer r.Close()
	if r.Set() != setName(ksnOf(t, 3)) {
		t.Errorf("set %s", r.Set())
	}
}

func TestLoadReplacesDamagedRegistersByAnotherKey(t *testing.T) {
	o, r := loaded(t)
	ok(t, r.Close())
	ok(t, os.WriteFile(o.Path, make([]byte, 2*slotSize), 0o600))
	if _, _, err := Open(o, "", 0); !errors.Is(err, ErrDamaged) {
		t.Fatalf("%v, want ErrDamaged", err)
	}
	if err := Load(o, setName(ksnOf(t, 1)), testIK, ksnOf(t, 1)); !errors.Is(err, ErrSameKey) {
		t.Errorf("%v, want ErrSameKey", err)
	}
	ok(t, Load(o, setName(ksnOf(t, 1)), testIK, ksnOf(t, 2)))
	if _, err := os.Stat(o.Path + ".damaged"); err != nil {
		t.Errorf("the evidence is gone: %v", err)
	}
}

func TestNoKeyIsSaid(t *testing.T) {
	_, _, err := Open(Options{Path: filepath.Join(t.TempDir(), "none"), Key: testKey, Random: rand.Reader}, "", 0)
	if !errors.Is(err, ErrNoKey) {
		t.Errorf("%v, want ErrNoKey", err)
	}
}

func TestFailedWriteStopsHandingOutKeys(t *testing.T) {
	_, r := loaded(t)
	ok(t, r.slots.file.Close())
	if _, err := r.Next(nothing); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
	if err := r.SkipTo(5); !errors.Is(err, ErrUnknown) {
		t.Errorf("went on after a failed write: %v", err)
	}
}
