package register

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"tallystick.example/dukpt"
	"tallystick.example/internal/pure/secret"
)

// Errors of the register.
var (
	// ErrNoKey means that no DUKPT key has been loaded.
	ErrNoKey = errors.New("no DUKPT key is loaded: run \"agent key load\"")
	// ErrSameKey means that the key to load is the one that is, or was, in use:
	// loading it again would use its counters again.
	ErrSameKey = errors.New("this DUKPT key has been loaded before and must not start again: ask for a new one")
	// ErrUnknown means that a state may or may not be durable: the process must
	// end and start again.
	ErrUnknown = errors.New("the DUKPT registers could not be written")
)

// Options says where the registers are.
type Options struct {
	Path   string
	Key    secret.Secret // 32 bytes, for this file only
	Random io.Reader
	NoSync bool // only for tests that kill the process, never the machine
}

// A Register is the open register file. Its methods may be called by many
// goroutines.
type Register struct {
	mu    sync.Mutex
	slots *slots
	state *dukpt.State
	dead  error
}

// Open reads the registers. floor is the highest counter that the journal
// knows, for key set set (hex): registers below it have been rolled back, and
// are moved forward past it. After a cut write they are moved one counter on,
// since a key of the lost state might have been used. Errors are ErrNoKey,
// ErrDamaged, and those of the file system.
func Open(o Options, set string, floor uint32) (r *Register, skipped bool, err error) {
	s, payload, torn, err := openSlots(o.Path, o.Key, o.Random, o.NoSync)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, fmt.Errorf("register: %w", ErrNoKey)
	}
	if err != nil {
		return nil, false, err
	}
	defer clear(payload)
	state, err := dukpt.ParseState(payload)
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("register: %w: %w", ErrDamaged, err), s.close())
	}
	r = &Register{slots: s, state: state}
	if torn {
		if err := r.drop(); err != nil {
			return nil, false, errors.Join(err, r.Close())
		}
		skipped = true
	}
	if r.Set() == set && r.KSN().Counter() < floor {
		if err := r.SkipTo(floor); err != nil {
			return nil, false, errors.Join(err, r.Close())
		}
		skipped = true
	}
	return r, skipped, nil
}

// drop moves on by one counter without using its key.
func (r *Register) drop() error {
	keys, err := r.Next(func(dukpt.KSN) error { return nil })
	if err != nil {
		return err
	}
	keys.Wipe()
	return nil
}

// Load puts a new initial key in place, in a new file or over the registers of
// another key. usedSet is the key set (hex) that the journal knows as loaded;
// a key of that set, or of the set in the file, is ErrSameKey. ik is not kept.
func Load(o Options, usedSet string, ik secret.Secret, ksn dukpt.KSN) error {
	if setName(ksn) == strings.ToUpper(usedSet) {
		return fmt.Errorf("register: %w", ErrSameKey)
	}
	state, err := dukpt.NewState(ik.Expose(), ksn)
	if err != nil {
		return fmt.Errorf("register: loading a key: %w", err)
	}
	defer state.Wipe()
	payload, err := encode(state)
	if err != nil {
		return err
	}
	defer clear(payload)
	old, oldPayload, _, err := openSlots(o.Path, o.Key, o.Random, o.NoSync)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return create(o, payload)
	case errors.Is(err, ErrDamaged):
		// The journal says which key these were: it is not this one.
		if err := os.Rename(o.Path, o.Path+".damaged"); err != nil {
			return fmt.Errorf("register: putting the damaged registers aside: %w", err)
		}
		return create(o, payload)
	case err != nil:
		return err
	}
	defer clear(oldPayload)
	return errors.Join(replace(old, oldPayload, ksn, payload), old.close())
}

func create(o Options, payload []byte) error {
	s, err := createSlots(o.Path, o.Key, o.Random, o.NoSync, payload)
	if err != nil {
		return err
	}
	return s.close()
}

// replace overwrites both slots, so that nothing of the old key stays behind.
func replace(old *slots, oldPayload []byte, ksn dukpt.KSN, payload []byte) error {
	was, err := dukpt.ParseState(oldPayload)
	if err == nil {
		defer was.Wipe()
		if setName(was.KSN()) == setName(ksn) {
			return fmt.Errorf("register: %w", ErrSameKey)
		}
	}
	return errors.Join(old.write(payload), old.write(payload))
}

func encode(s *dukpt.State) ([]byte, error) {
	b, err := s.AppendState(make([]byte, 0, maxSlotBytes))
	if err != nil {
		return nil, fmt.Errorf("register: encoding the registers: %w", err)
	}
	return b, nil
}

// setName is the hex name of a key set: the initial key id or initial KSN.
func setName(k dukpt.KSN) string { return strings.ToUpper(hex.EncodeToString(k.ID())) }

// SetName is the name of the key set of k in journal and messages, upper-case
// hex: the 8-byte initial key id for AES, the 10-byte initial KSN for TDES.
func SetName(k dukpt.KSN) string { return setName(k) }

// Set is the name of the loaded key set.
func (r *Register) Set() string { return setName(r.KSN()) }

// KSN is the key serial number of the last transaction.
func (r *Register) KSN() dukpt.KSN {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.KSN()
}

// Next takes the next key. It makes the next register state durable, then calls
// record, which makes the journal's intent durable, and only then returns the
// keys. An error of record loses the key. The caller wipes the keys.
func (r *Register) Next(record func(dukpt.KSN) error) (*dukpt.WorkingKeys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead != nil {
		return nil, r.dead
	}
	next, keys, err := r.state.Advance()
	if err != nil {
		return nil, fmt.Errorf("register: taking the next key: %w", err)
	}
	if err := r.store(next); err != nil {
		keys.Wipe()
		return nil, err
	}
	if err := record(keys.KSN()); err != nil {
		keys.Wipe()
		return nil, err
	}
	return keys, nil
}

// SkipTo moves forward to a counter that the host or the journal has seen, and
// does nothing when the registers are there or beyond: never back. A counter
// that no terminal uses is dukpt.ErrCounter.
func (r *Register) SkipTo(counter uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead != nil {
		return r.dead
	}
	if counter <= r.state.KSN().Counter() {
		return nil
	}
	next, err := r.state.SkipTo(counter)
	if err != nil {
		return fmt.Errorf("register: skipping forward: %w", err)
	}
	return r.store(next)
}

// store makes next durable and current; mu is held. After a failure nobody knows
// which state the disk holds, so no key is handed out any more.
func (r *Register) store(next *dukpt.State) error {
	payload, err := encode(next)
	if err != nil {
		next.Wipe()
		return err
	}
	defer clear(payload)
	if err := r.slots.write(payload); err != nil {
		next.Wipe()
		r.dead = fmt.Errorf("%w: %w", ErrUnknown, err)
		return r.dead
	}
	r.state.Wipe()
	r.state = next
	return nil
}

// Close wipes the registers in memory and closes the file.
func (r *Register) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Wipe()
	if r.dead == nil {
		r.dead = errors.New("register: closed")
	}
	return r.slots.close()
}
