package server

import (
	"errors"
	"fmt"
	"sync"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/conf"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/soft"
	"tallystick.example/internal/hsm/wire"
	pure "tallystick.example/internal/pure/secret"
	"tallystick.example/internal/secret"
)

// A vault holds the HSM, or the components of the LMK that custodians have
// brought so far.
type vault struct {
	options soft.Options
	need    int
	log     logrus.FieldLogger

	mu         sync.Mutex
	h          *soft.HSM // nil while locked
	components []pure.Secret
}

// newVault opens the HSM with what the configuration names, or waits locked.
// fatal is told when a state file could not be written.
func newVault(o Options, fatal func(error)) (*vault, error) {
	c := o.Config
	v := &vault{need: c.LMKCustodians, log: o.Log, options: soft.Options{
		Directory: c.Directory, Lab: c.Mode == conf.Lab, Random: o.Random, Now: o.Now,
		WrongPINs: c.WrongPINs, Version: o.Version, Fatal: fatal,
	}}
	switch {
	case c.LMKPassphraseFile != "":
		p, err := secret.ReadFile(c.LMKPassphraseFile)
		if err != nil {
			return nil, err
		}
		defer p.Wipe()
		v.options.Passphrase = p
	case len(c.LMKComponents) != 0:
		for _, path := range c.LMKComponents {
			component, err := readComponent(path)
			if err != nil {
				return nil, err
			}
			defer component.Wipe()
			v.options.Components = append(v.options.Components, component)
		}
	default:
		return v, nil
	}
	h, err := soft.New(v.options)
	if err != nil {
		return nil, fmt.Errorf("opening the boundary: %w", err)
	}
	v.options.Passphrase, v.options.Components = pure.Secret{}, nil
	v.h = h
	return v, nil
}

func readComponent(path string) (pure.Secret, error) {
	text, err := secret.ReadFile(path)
	if err != nil {
		return pure.Secret{}, err
	}
	defer text.Wipe()
	c, err := soft.ParseComponent(text.Expose())
	if err != nil {
		return pure.Secret{}, fmt.Errorf("the component %s: %w", path, err)
	}
	return c, nil
}

// hsm is nil while the boundary is locked.
func (v *vault) hsm() *soft.HSM {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.h
}

func (v *vault) locked() bool { return v.hsm() == nil }

// unlock takes one component. The last one opens the HSM; when the components do
// not make its LMK all of them are forgotten, for nobody can tell which one is
// wrong.
func (v *vault) unlock(component pure.Secret) (wire.Unlocked, error) {
	check, err := soft.ComponentCheck(component)
	if err != nil {
		return wire.Unlocked{}, api.ErrInput
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.h != nil {
		return wire.Unlocked{}, api.ErrPolicy
	}
	for _, known := range v.components {
		if known.Equal(component) {
			return wire.Unlocked{}, api.ErrInput // the same custodian twice
		}
	}
	v.components = append(v.components, pure.New(component.Expose()))
	if missing := v.need - len(v.components); missing > 0 {
		return wire.Unlocked{Check: check, Missing: missing}, nil
	}
	defer v.forget()
	v.options.Components = v.components
	h, err := soft.New(v.options)
	v.options.Components = nil
	if err != nil {
		v.log.WithError(err).Error("the boundary stays locked")
		if errors.Is(err, soft.ErrWrongLMK) || errors.Is(err, soft.ErrComponents) {
			return wire.Unlocked{}, api.ErrKey
		}
		return wire.Unlocked{}, api.ErrUnavailable
	}
	v.h = h
	return wire.Unlocked{Check: check}, nil
}

// forget wipes the components. The caller holds v.mu.
func (v *vault) forget() {
	for _, c := range v.components {
		c.Wipe()
	}
	v.components = nil
}

func (v *vault) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget()
	if v.h == nil {
		return
	}
	if err := v.h.Close(); err != nil {
		v.log.WithError(err).Error("closing the boundary")
	}
	v.h = nil
}
