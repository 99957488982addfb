package soft

import (
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/secret"
)

// Options are what [New] needs.
type Options struct {
	// Directory holds keys and state; it is made when it does not exist.
	Directory string
	// Lab accepts test keys and nothing else; without it test keys are refused.
	Lab bool
	// Components are the two or three parts of the LMK. The caller wipes them.
	Components []secret.Secret
	// Passphrase takes the place of Components, in lab mode only.
	Passphrase secret.Secret
	// Random is the source of all randomness; calls to it are serial.
	Random io.Reader
	// Now is the clock that handles age by.
	Now func() time.Time
	// WrongPINs is how many wrong PINs of one card pass before the brake holds;
	// zero means 10.
	WrongPINs uint32
	// Version is what Info tells.
	Version string
	// Fatal, when not nil, is called when a state file could not be written: what
	// depends on it is refused from then on, so the process should end and start
	// again, which finds out what is durable. It must not block.
	Fatal func(error)
}

const defaultWrongPINs = 10

// ErrWrongLMK means that the directory belongs to another LMK or mode.
var ErrWrongLMK = errors.New("soft: the directory belongs to another LMK or mode")

// An HSM is one boundary over one directory. It is safe for many goroutines.
type HSM struct {
	dir     string
	lab     bool
	version string
	rand    io.Reader
	now     func() time.Time
	lock    *os.File
	closed  atomic.Bool

	lmk   secret.Secret
	check string // of the LMK

	own         ownKeys
	sealer      *sealer
	brake       *brake
	checkpoints *table

	rotating sync.Mutex
}

// ownKeys are the boundary's own keys, which never leave it.
type ownKeys struct {
	lookup     secret.Secret
	checkpoint secret.Secret // Ed25519 seed
	reference  cipher.AEAD
}

// serialReader makes a reader that one goroutine at a time may use fit for many.
type serialReader struct {
	mu sync.Mutex
	r  io.Reader
}

// Read reads from the source while nobody else does.
func (s *serialReader) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(p)
}

// New opens the boundary over a directory, or founds it there. It gives
// ErrWrongLMK for the directory of another LMK or mode, ErrHeld when another
// process has it, ErrState or ErrOpenToOthers when it cannot be trusted.
func New(o Options) (*HSM, error) {
	if o.Directory == "" || o.Random == nil || o.Now == nil {
		return nil, errors.New("soft: a directory, a source of randomness and a clock are needed")
	}
	if !o.Passphrase.IsZero() && (!o.Lab || len(o.Components) != 0) {
		return nil, errors.New("soft: a passphrase takes the place of components in lab mode only")
	}
	if o.WrongPINs == 0 {
		o.WrongPINs = defaultWrongPINs
	}
	if err := os.MkdirAll(o.Directory, 0o700); err != nil {
		return nil, fmt.Errorf("soft: making the directory: %w", err)
	}
	h := &HSM{dir: o.Directory, lab: o.Lab, version: o.Version, rand: &serialReader{r: o.Random}, now: o.Now}
	held, err := lock(o.Directory)
	if err != nil {
		return nil, err
	}
	h.lock = held
	if err := h.start(o); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func modeName(lab bool) string {
	if lab {
		return "lab"
	}
	return "production"
}

// start forms the LMK, checks that the directory is its own, and reads or makes
// keys and state.
func (h *HSM) start(o Options) error {
	if err := checkModes(h.dir); err != nil {
		return err
	}
	d, err := readDescription(h.dir)
	if err != nil {
		return err
	}
	founding := d == nil || !d.Ready
	if d == nil {
		d = &description{Format: format, Mode: modeName(h.lab)}
	}
	if err := h.formLMK(o, d); err != nil {
		return err
	}
	if founding {
		d.LMKCheck = h.check
		if err := h.prepare(d); err != nil {
			return err
		}
	}
	if d.LMKCheck != h.check || d.Mode != modeName(h.lab) {
		return ErrWrongLMK
	}
	newState, err := h.stateMissing()
	if err != nil {
		return err
	}
	if err := h.openState(founding || newState, o.WrongPINs, o.Fatal); err != nil {
		return err
	}
	if err := h.openKeys(founding); err != nil {
		return err
	}
	if founding {
		d.Ready = true
		return writeDescription(h.dir, d)
	}
	return nil
}

// prepare makes the folders of a new directory, or of one whose founding was
// interrupted.
func (h *HSM) prepare(d *description) error {
	if err := writeDescription(h.dir, d); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(h.dir, "keys"), 0o700); err != nil {
		return fmt.Errorf("soft: making the directory: %w", err)
	}
	return syncDir(h.dir)
}

// stateMissing makes the folder of the state when it is not there, as on a new
// node that starts from the keys of another.
func (h *HSM) stateMissing() (bool, error) {
	state := filepath.Join(h.dir, "state")
	err := os.Mkdir(state, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("soft: making the directory: %w", err)
	}
	return true, syncDir(h.dir)
}

func (h *HSM) formLMK(o Options, d *description) (err error) {
	if o.Passphrase.IsZero() {
		h.lmk, err = FormLMK(o.Components)
	} else {
		var salt []byte
		if salt, err = h.salt(d); err != nil {
			return err
		}
		h.lmk, err = stretch(o.Passphrase, salt)
	}
	if err != nil {
		return err
	}
	h.check, err = ComponentCheck(h.lmk)
	return err
}

// salt is that of the directory, drawn for a new one.
func (h *HSM) salt(d *description) ([]byte, error) {
	if d.Salt == "" {
		if d.LMKCheck != "" {
			return nil, ErrWrongLMK // founded with components
		}
		b := make([]byte, saltLen)
		if _, err := io.ReadFull(h.rand, b); err != nil {
			return nil, fmt.Errorf("soft: drawing a salt: %w", err)
		}
		d.Salt = hex.EncodeToString(b)
	}
	b, err := hex.DecodeString(d.Salt)
	if err != nil {
		return nil, fmt.Errorf("soft: %s: the salt is not hex", descriptionFile)
	}
	return b, nil
}

// openState opens the state files.
func (h *HSM) openState(create bool, wrongPINs uint32, fatal func(error)) error {
	state := func(name string) (string, secret.Secret, error) {
		key, err := derive(h.lmk, "state "+name)
		return filepath.Join(h.dir, "state", name), key, err
	}
	path, key, err := state("pins")
	if err != nil {
		return err
	}
	if h.brake, err = openBrake(path, key, wrongPINs, create); err != nil {
		return err
	}
	if path, key, err = state("checkpoints"); err != nil {
		return err
	}
	if h.checkpoints, err = openTable(path, checkpointWidth, key, create); err != nil {
		return err
	}
	if path, key, err = state("seals"); err != nil {
		return err
	}
	seals, err := openTable(path, sealWidth, key, create)
	if err != nil {
		return err
	}
	for _, t := range []*table{h.brake.t, h.checkpoints, seals} {
		t.fatal = fatal
	}
	h.sealer = newSealer(h.rand, seals, func() error { _, err := h.rotate(); return err })
	return nil
}

// NewSession opens a session, one for each connection.
func (h *HSM) NewSession() *Session {
	return &Session{hsm: h, open: make(map[api.Handle]*opened)}
}

// Close wipes the keys and gives the directory free. Sessions are closed before.
func (h *HSM) Close() error {
	if h.closed.Swap(true) {
		return nil
	}
	wipeAll(h.lmk, h.own.lookup, h.own.checkpoint)
	var errs []error
	if h.brake != nil {
		errs = append(errs, h.brake.t.close())
	}
	if h.checkpoints != nil {
		errs = append(errs, h.checkpoints.close())
	}
	if h.sealer != nil {
		errs = append(errs, h.sealer.seals.close())
	}
	return errors.Join(append(errs, h.lock.Close())...)
}
