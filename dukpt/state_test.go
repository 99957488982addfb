package dukpt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/dukpt"
)

// setup is a key hierarchy for tests.
type setup struct {
	scheme dukpt.Scheme
	base   *dukpt.Base
	ik     []byte
	ksn    dukpt.KSN // counter 0
}

// setups are one hierarchy of each kind.
func setups(t testing.TB) []setup {
	t.Helper()
	var all []setup
	for _, k := range []struct {
		s      dukpt.Scheme
		length int
	}{{dukpt.TDES, 16}, {dukpt.AES, 16}, {dukpt.AES, 24}, {dukpt.AES, 32}} {
		bdk := make([]byte, k.length)
		for i := range bdk {
			bdk[i] = byte(i*37 + 11)
		}
		id := []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 0}
		if k.s == dukpt.AES {
			id = []byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0, 0, 0, 0}
		}
		base, err := dukpt.NewBase(k.s, bdk)
		if err != nil {
			t.Fatal(err)
		}
		ksn := parse(t, k.s, id)
		ik, err := base.InitialKey(ksn)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, setup{k.s, base, ik, ksn})
	}
	return all
}

func (s setup) state(t testing.TB) *dukpt.State {
	t.Helper()
	state, err := dukpt.NewState(s.ik, s.ksn)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// stored is the stored form of a state.
func stored(t fataler, s *dukpt.State) []byte {
	t.Helper()
	b, err := s.AppendState(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type fataler interface {
	Helper()
	Fatal(...any)
}

// TestTerminalMeetsHost walks a terminal forward by steps and jumps at random;
// at every stop its key must be the one that a host derives from the base key,
// its registers those that the counter implies, and storing it must lose nothing.
func TestTerminalMeetsHost(t *testing.T) {
	for _, su := range setups(t) {
		maxOnes, width := 10, 21
		if su.scheme == dukpt.AES {
			maxOnes, width = 16, 32
		}
		t.Run(fmt.Sprint(su.scheme, len(su.ik)), func(t *testing.T) {
			first := su.state(t)
			rapid.Check(t, func(t *rapid.T) {
				state := first
				for range rapid.IntRange(1, 12).Draw(t, "steps") {
					counter := state.KSN().Counter()
					if rapid.Bool().Draw(t, "jump") {
						counter += rapid.Uint32Range(0, (1<<width-1-counter)/2).Draw(t, "by")
					}
					at, err := state.KSN().WithCounter(counter)
					if err != nil {
						t.Fatal(err)
					}
					ksn, err := at.Next()
					if errors.Is(err, dukpt.ErrExhausted) {
						return
					}
					before := stored(t, state)
					next, key, err := state.KeyAt(ksn.Counter())
					if err != nil {
						t.Fatalf("from %s to %s: %v", state.KSN(), ksn, err)
					}
					want, err := su.base.TransactionKey(ksn)
					if err != nil || !bytes.Equal(key, want) {
						t.Fatalf("%s: the terminal has %X, the host %X, %v", ksn, key, want, err)
					}
					if !bytes.Equal(before, stored(t, state)) {
						t.Fatal("the old state has changed")
					}
					checkRegisters(t, next, maxOnes, width)
					again, err := dukpt.ParseState(stored(t, next))
					if err != nil || !bytes.Equal(stored(t, again), stored(t, next)) || again.KSN() != ksn {
						t.Fatalf("stored and read: %v, %v", again, err)
					}
					state = again
				}
			})
		})
	}
}

// checkRegisters compares which registers are full with the rule: those of zero
// bits, as long as the counter has ones left to give above them.
func checkRegisters(t *rapid.T, s *dukpt.State, maxOnes, width int) {
	counter := s.KSN().Counter()
	for i := range width {
		want := counter>>i&1 == 0 && bits.OnesCount32(counter>>i) < maxOnes
		if got := slices.Contains(s.Registers(), i); got != want {
			t.Fatalf("after %X register %d is full: %v, want %v", counter, i, got, want)
		}
	}
}

// TestNothingOfThePastIsKept searches the stored state for the initial key and
// for the keys of all transactions so far.
func TestNothingOfThePastIsKept(t *testing.T) {
	for _, su := range setups(t) {
		state := su.state(t)
		past := [][]byte{su.ik}
		for range 40 {
			next, err := state.KSN().Next()
			if err != nil {
				t.Fatal(err)
			}
			var key []byte
			if state, key, err = state.KeyAt(next.Counter()); err != nil {
				t.Fatal(err)
			}
			past = append(past, key)
			for i, p := range past {
				if bytes.Contains(stored(t, state), p) {
					t.Fatalf("%s: after transaction %s the key of transaction %d is still there", su.scheme, next, i)
				}
			}
		}
		skipped, err := state.SkipTo(0x1000)
		if err != nil {
			t.Fatal(err)
		}
		for c := state.KSN(); c.Counter() < 0x1000; {
			if c, err = c.Next(); err != nil {
				t.Fatal(err)
			}
			key, err := su.base.TransactionKey(c)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(stored(t, skipped), key) {
				t.Fatalf("%s: the key of the skipped %s is still there", su.scheme, c)
			}
		}
	}
}

// TestAdvanceIsRepeatable is the power cut before the new state was durable: the
// old state gives the same keys again, and two states lead to different ones.
func TestAdvanceIsRepeatable(t *testing.T) {
	for _, su := range setups(t) {
		state := su.state(t)
		n1, k1, err1 := state.Advance()
		n2, k2, err2 := state.Advance()
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if k1.KSN() != k2.KSN() || !bytes.Equal(code(t, k1), code(t, k2)) || !bytes.Equal(stored(t, n1), stored(t, n2)) {
			t.Error("the same state gave different keys")
		}
		state.Wipe() // must not touch the new states or keys
		_, k3, err := n1.Advance()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(code(t, k1), code(t, k3)) || k3.KSN().Counter() != 2 {
			t.Error("a key was used twice")
		}
	}
}

// code is a MAC under k, which tells keys apart.
func code(t *testing.T, k *dukpt.WorkingKeys) []byte {
	t.Helper()
	c, err := k.MAC(dukpt.Request, []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEndOfLife(t *testing.T) {
	last := map[dukpt.Scheme]uint32{dukpt.TDES: 0x1FF800, dukpt.AES: 0xFFFF0000}
	for _, su := range setups(t) {
		end, err := su.state(t).SkipTo(last[su.scheme])
		if err != nil {
			t.Fatal(err)
		}
		if len(end.Registers()) != 0 {
			t.Errorf("%s: registers %v at the end", su.scheme, end.Registers())
		}
		if _, _, err := end.Advance(); !errors.Is(err, dukpt.ErrExhausted) {
			t.Errorf("%s: after the last transaction: %v", su.scheme, err)
		}
	}
}

func TestNeverBack(t *testing.T) {
	for _, su := range setups(t) {
		state, err := su.state(t).SkipTo(0x100)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []uint32{0, 1, 0xFF} {
			if _, err := state.SkipTo(c); !errors.Is(err, dukpt.ErrBackward) {
				t.Errorf("%s: back to %X: %v", su.scheme, c, err)
			}
		}
		if _, _, err := state.KeyAt(0x100); !errors.Is(err, dukpt.ErrBackward) {
			t.Errorf("%s: the same key again: %v", su.scheme, err)
		}
		if same, err := state.SkipTo(0x100); err != nil || !bytes.Equal(stored(t, same), stored(t, state)) {
			t.Errorf("%s: staying: %v", su.scheme, err)
		}
		if _, err := state.SkipTo(0x1FFFFF); !errors.Is(err, dukpt.ErrCounter) {
			t.Errorf("%s: to a counter that is not used: %v", su.scheme, err)
		}
	}
}

func TestNewStateRefusals(t *testing.T) {
	for _, su := range setups(t) {
		ksn, err := su.ksn.WithCounter(1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dukpt.NewState(su.ik, ksn); !errors.Is(err, dukpt.ErrCounter) {
			t.Errorf("%s: counter 1: %v", su.scheme, err)
		}
		for n := range 40 {
			ok := n == 16 || su.scheme == dukpt.AES && (n == 24 || n == 32)
			if _, err := dukpt.NewState(make([]byte, n), su.ksn); ok != (err == nil) || !ok && !errors.Is(err, dukpt.ErrKeyLength) {
				t.Errorf("%s: key of %d bytes: %v", su.scheme, n, err)
			}
		}
	}
}

func TestWipedState(t *testing.T) {
	for _, su := range setups(t) {
		state := su.state(t)
		state.Wipe()
		_, _, err := state.Advance()
		_, skipErr := state.SkipTo(5)
		_, stayErr := state.SkipTo(0)
		_, storeErr := state.AppendState(nil)
		for _, err := range []error{err, skipErr, stayErr, storeErr} {
			if !errors.Is(err, dukpt.ErrWiped) {
				t.Errorf("%s: %v", su.scheme, err)
			}
		}
	}
}

func TestNothingPrintsKeys(t *testing.T) {
	for _, su := range setups(t) {
		state, keys, err := su.state(t).Advance()
		if err != nil {
			t.Fatal(err)
		}
		register := stored(t, state)[len(stored(t, state))-len(su.ik):]
		wrapped := struct {
			s *dukpt.State
			k *dukpt.WorkingKeys
		}{state, keys}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
			text := fmt.Sprintf(verb+verb+verb+verb+verb, state, keys, wrapped, *state, *keys)
			for _, form := range []string{fmt.Sprintf("%x", register), fmt.Sprintf("%X", register), strings.Trim(fmt.Sprint(register), "[]"), string(register)} {
				if strings.Contains(text, form) {
					t.Errorf("%s: %s prints a register", su.scheme, verb)
				}
			}
		}
	}
}

func TestParseStateIsStrict(t *testing.T) {
	for _, su := range setups(t) {
		state, err := su.state(t).SkipTo(5)
		if err != nil {
			t.Fatal(err)
		}
		good := stored(t, state)
		if len(good) != dukpt.StateSize(su.scheme, len(su.ik)) {
			t.Errorf("%s: %d bytes", su.scheme, len(good))
		}
		start := len(good) - su.width()*len(su.ik)
		for name, change := range map[string]func(b []byte) []byte{
			"nothing": func(b []byte) []byte { return nil },
			"mark":    func(b []byte) []byte { b[0]++; return b },
			"version": func(b []byte) []byte { b[3]++; return b },
			"scheme":  func(b []byte) []byte { b[4] = 3; return b },
			"length":  func(b []byte) []byte { b[5] = 17; return b },
			"cut":     func(b []byte) []byte { return b[:len(b)-1] },
			"longer":  func(b []byte) []byte { return append(b, 0) },
			"counter": func(b []byte) []byte { b[start-1] ^= 2; return b }, // 7: register 1 should be empty
			"unusable": func(b []byte) []byte {
				b[start-1], b[start-2], b[start-3] = 0xFF, 0xFF, 0xFF
				clear(b[start:])
				return b
			},
			"emptied":         func(b []byte) []byte { clear(b[start+len(su.ik) : start+2*len(su.ik)]); return b },
			"filled register": func(b []byte) []byte { b[start] = 1; return b },
		} {
			if _, err := dukpt.ParseState(change(bytes.Clone(good))); !errors.Is(err, dukpt.ErrState) {
				t.Errorf("%s, %s: %v", su.scheme, name, err)
			}
		}
	}
}

func (s setup) width() int {
	if s.scheme == dukpt.TDES {
		return 21
	}
	return 32
}

// FuzzParseState checks that no bytes make ParseState or a state that it accepts
// panic, and that what is accepted is stored the same again.
func FuzzParseState(f *testing.F) {
	for _, su := range setups(f) {
		for _, c := range []uint32{0, 1, 0x401, 0xFFC00} {
			state, err := su.state(f).SkipTo(c)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(stored(f, state))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		state, err := dukpt.ParseState(b)
		if err != nil {
			return
		}
		if again := stored(t, state); !bytes.Equal(again, b) {
			t.Fatalf("%X became %X", b, again)
		}
		next, _, err := state.Advance()
		if errors.Is(err, dukpt.ErrExhausted) {
			return
		}
		if err != nil || next.KSN().Counter() <= state.KSN().Counter() {
			t.Fatalf("%s to %v: %v", state.KSN(), next, err)
		}
		if _, err := dukpt.ParseState(stored(t, next)); err != nil {
			t.Fatalf("what Advance gave is refused: %v", err)
		}
	})
}
