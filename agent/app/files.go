package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/keyfile"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/register"
	"tallystick.example/internal/pure/secret"
)

// Purposes of the keys that are derived from the device key.
const (
	purposeJournal  = "journal"
	purposeRegister = "registers"
)

// files are the durable parts of a terminal. The journal's lock is what keeps a
// second agent away from all of them.
type files struct {
	journal  *journal.Journal
	register *register.Register // nil while no DUKPT key is loaded
	options  register.Options
	skipped  bool // the registers were moved forward while opening
	keys     []secret.Secret
}

// openFiles opens the journal and then the registers.
func openFiles(cfg *params.Config) (*files, error) {
	f, err := openWithoutRegisters(cfg)
	if err != nil {
		return nil, err
	}
	set, counter := f.journal.Counter()
	f.register, f.skipped, err = register.Open(f.options, set, counter)
	if errors.Is(err, register.ErrNoKey) {
		f.register = nil
		return f, nil
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// openWithoutRegisters opens the journal only.
func openWithoutRegisters(cfg *params.Config) (*files, error) {
	device, err := keyfile.Load(cfg.DeviceKey)
	if err != nil {
		return nil, err
	}
	defer device.Wipe()
	forJournal, forRegister := device.Derive(purposeJournal), device.Derive(purposeRegister)
	f := &files{keys: []secret.Secret{forJournal, forRegister}}
	f.options = register.Options{Path: cfg.RegisterPath(), Key: forRegister, Random: rand.Reader, NoSync: noSync(cfg)}
	f.journal, err = journal.Open(journal.Options{
		Path: cfg.JournalPath(), Key: forJournal, Random: rand.Reader, Now: time.Now, NoSync: noSync(cfg),
	})
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// noteKeySet tells the journal of a key set whose load was cut off between
// registers and journal.
func (f *files) noteKeySet() error {
	if f.register == nil {
		return nil
	}
	set, _ := f.journal.Counter()
	if set == f.register.Set() {
		return nil
	}
	return f.journal.KeyLoad(journal.KeyLoad{Set: f.register.Set(), Scheme: f.register.KSN().Scheme().String()})
}

// close closes what is open and wipes the keys.
func (f *files) close() error {
	var errs []error
	if f.register != nil {
		errs = append(errs, f.register.Close())
	}
	if f.journal != nil {
		errs = append(errs, f.journal.Close())
	}
	for _, k := range f.keys {
		k.Wipe()
	}
	return errors.Join(errs...)
}

// makeDataDir makes the data directory, private to the user.
func makeDataDir(cfg *params.Config) error {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	info, err := os.Stat(cfg.DataDir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the data directory %s is open to others (mode %04o): chmod 700", cfg.DataDir, info.Mode().Perm())
	}
	return nil
}
