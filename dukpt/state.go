package dukpt

import (
	"fmt"
	"io"
	"math/bits"

	"tallystick.example/internal/pure/secret"
)

// A State is the key memory of a terminal: the future key registers and the
// counter of the last transaction (X9.24-1:2009, A.3; X9.24-3:2017, 6.6). There
// is one register per counter bit, 21 for TDES and 32 for AES. From a State no
// key of a past transaction can be computed.
//
// A State never changes but by Wipe: Advance and SkipTo return a new one in
// memory of its own. The terminal uses a new key in this order:
//
//	next, keys, err := state.Advance()
//	// make next durable (AppendState, seal, write, sync), then
//	state.Wipe()
//	state = next
//	// only now use keys, then keys.Wipe()
//
// A power cut before the state is durable leaves the old one, whose next
// Advance gives the same keys: that is right, since they were not used yet. A
// cut afterwards loses one transaction number and repeats none.
//
// A State prints as its KSN. It is safe for many goroutines but for Wipe.
type State struct {
	ksn    KSN     // of the last transaction; counter 0 before the first
	typ    KeyType // of the registers: TDES2, or the AES type of the initial key
	length int     // of a register in bytes
	// held has bit i set where register i holds a key. It follows from the
	// counter alone; see holds.
	held      uint32
	registers secret.Secret // one after another from bit 0; empty ones are zero
}

// NewState loads an initial key that was derived for ksn, whose counter must be
// zero (else ErrCounter). ik is 16 bytes for TDES and 16, 24 or 32 for AES, else
// it gives ErrKeyLength. The initial key itself is in no register afterwards;
// the caller clears ik at once.
func NewState(ik []byte, ksn KSN) (*State, error) {
	if ksn.scheme == 0 {
		return nil, ErrKSN
	}
	if ksn.Counter() != 0 {
		return nil, fmt.Errorf("%w: an initial key has counter zero", ErrCounter)
	}
	typ := TDES2
	if ksn.scheme == AES {
		t, err := derivationType(len(ik))
		if err != nil {
			return nil, err
		}
		typ = t
	}
	if len(ik) != typ.Len() {
		return nil, ErrKeyLength
	}
	s := emptyState(ksn, typ)
	if err := s.fill(ik, 0, ksn.scheme.counterBits()); err != nil {
		s.Wipe()
		return nil, err
	}
	return s, nil
}

func emptyState(ksn KSN, typ KeyType) *State {
	n := typ.Len()
	return &State{ksn: ksn, typ: typ, length: n, registers: secret.Take(make([]byte, ksn.scheme.counterBits()*n))}
}

// register is the memory of register i.
func (s *State) register(i int) []byte {
	return s.registers.Expose()[i*s.length : (i+1)*s.length]
}

// fill derives registers from low (included) to high (excluded) from key, which
// belongs to the counter of s.
func (s *State) fill(key []byte, low, high int) error {
	f, err := newForward(s.ksn.scheme, key)
	if err != nil {
		return err
	}
	counter := s.ksn.Counter()
	for i := low; i < high; i++ {
		if err := f.derive(s.register(i), s.ksn.at(counter|1<<i)); err != nil {
			return err
		}
		s.held |= 1 << i
	}
	return nil
}

// erase overwrites the registers from 0 to high (included).
func (s *State) erase(high int) {
	clear(s.registers.Expose()[:(high+1)*s.length])
	s.held &^= 1<<(high+1) - 1
}

// KSN is the key serial number of the last transaction, with counter zero before
// the first.
func (s *State) KSN() KSN { return s.ksn }

// Registers are the numbers of the registers that hold a key, as bit numbers of
// the counter from the lowest, 0.
func (s *State) Registers() []int {
	var held []int
	for i := range s.ksn.scheme.counterBits() {
		if s.held>>i&1 == 1 {
			held = append(held, i)
		}
	}
	return held
}

// Advance gives the state after the next transaction and the working keys of
// that transaction, of the default type of the scheme (TDES2, AES128). The
// caller makes the new state durable before it uses the keys. After the last
// transaction it gives ErrExhausted, after Wipe ErrWiped.
func (s *State) Advance() (*State, *WorkingKeys, error) { return s.AdvanceAs(0) }

// AdvanceAs is Advance with working keys of type t: AES128, AES192 or AES256, at
// most as long as the initial key. 0 means the default; another type gives
// ErrKeyType.
func (s *State) AdvanceAs(t KeyType) (*State, *WorkingKeys, error) {
	ksn, err := s.ksn.Next()
	if err != nil {
		return nil, nil, err
	}
	n, key, err := s.moveTo(ksn.Counter())
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	k, err := newKeys(key, n.ksn, t)
	if err != nil {
		n.Wipe()
		return nil, nil, err
	}
	return n, k, nil
}

// SkipTo gives the state as it is after transaction counter, without releasing
// the key of that one or any before it. A terminal does this when its host has
// seen a higher counter than it knows of. The counter of s itself changes
// nothing; a lower one gives ErrBackward, one that no terminal uses ErrCounter.
func (s *State) SkipTo(counter uint32) (*State, error) {
	now := s.ksn.Counter()
	if counter == now {
		return s.clone()
	}
	ksn, err := s.ksn.WithCounter(counter)
	if err != nil {
		return nil, err
	}
	if counter < now {
		return nil, ErrBackward
	}
	if err := ksn.Check(); err != nil {
		return nil, err
	}
	n, key, err := s.moveTo(counter)
	clear(key)
	return n, err
}

// KeyAt is SkipTo, and also gives the transaction key of counter, which must be
// above that of s. It is for comparing implementations; the caller clears it.
func (s *State) KeyAt(counter uint32) (*State, []byte, error) {
	ksn, err := s.ksn.WithCounter(counter)
	if err != nil {
		return nil, nil, err
	}
	if counter <= s.ksn.Counter() {
		return nil, nil, ErrBackward
	}
	if err := ksn.Check(); err != nil {
		return nil, nil, err
	}
	return s.moveTo(counter)
}

// UpdateKey derives the key of type t under which the host sends the next
// initial key; see the function [UpdateKey]. The state does not change.
func (s *State) UpdateKey(t KeyType) ([]byte, error) {
	if s.ksn.scheme != AES {
		return nil, ErrKSN
	}
	n, key, err := s.moveTo(updateCounter)
	if err != nil {
		return nil, err
	}
	n.Wipe()
	defer clear(key)
	return updateKey(key, s.ksn, t)
}

func (s *State) clone() (*State, error) {
	if s.registers.IsZero() {
		return nil, ErrWiped
	}
	n := *s
	n.registers = secret.New(s.registers.Expose())
	return &n, nil
}

// moveTo goes to a usable counter above that of s and returns the state there
// with the transaction key.
//
// The highest bit in which the two differ is zero in the old counter and one in
// the new. The register of that bit holds the key of the counter that has the
// common bits, this one, and zeros below; from there every further one bit of
// the new counter is one derivation. Registers below a bit that is taken belong
// to counters that are passed and are erased; those for the zero bits of the new
// counter are derived on the way. The register is empty only where the last
// usable counter has been reached: then it gives ErrExhausted.
func (s *State) moveTo(counter uint32) (*State, []byte, error) {
	bit := bits.Len32(counter^s.ksn.Counter()) - 1
	if s.held>>bit&1 == 0 {
		return nil, nil, ErrExhausted
	}
	n, err := s.clone()
	if err != nil {
		return nil, nil, err
	}
	key := append([]byte(nil), n.register(bit)...)
	n.erase(bit)
	for {
		n.ksn = n.ksn.at(counter >> bit << bit)
		rest := counter & (1<<bit - 1)
		if rest == 0 {
			break
		}
		below := bits.Len32(rest) - 1
		if err := n.fill(key, below, bit); err != nil {
			clear(key)
			n.Wipe()
			return nil, nil, err
		}
		copy(key, n.register(below))
		bit = below
		n.erase(bit)
	}
	if bits.OnesCount32(counter) < n.ksn.scheme.maxOnes() {
		if err := n.fill(key, 0, bit); err != nil {
			clear(key)
			n.Wipe()
			return nil, nil, err
		}
	}
	return n, key, nil
}

// Wipe overwrites all registers; every later use gives ErrWiped.
func (s *State) Wipe() { s.registers.Wipe() }

// Format writes the KSN and no key, whatever the verb.
func (s *State) Format(f fmt.State, _ rune) {
	// The state of a formatter has no failing writer; fmt ignores it too.
	_, _ = io.WriteString(f, "registers after "+s.ksn.String())
}
