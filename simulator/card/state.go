package card

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// stateVersion is the layout of the state file.
const stateVersion = 1

// State is what a card remembers over power cycles. It holds no PIN, PAN or key.
type State struct {
	Version  int                  `json:"version"`
	Card     string               `json:"card"`      // name of the profile that it belongs to
	PINTries int                  `json:"pin_tries"` // tries left
	Blocked  bool                 `json:"blocked"`   // by a CARD BLOCK script
	Apps     map[string]*AppState `json:"applications"`
}

// AppState is what an application remembers; the keys of State.Apps are AIDs.
type AppState struct {
	ATC           uint16 `json:"atc"`             // application transaction counter
	LastOnlineATC uint16 `json:"last_online_atc"` // tag 9F13
	Offline       int    `json:"offline"`         // transactions approved in a row without the issuer
	Blocked       bool   `json:"blocked"`         // by an APPLICATION BLOCK script
	// What the card verification results of the next transaction tell of the
	// last one.
	OnlineOpen       bool `json:"online_open"`        // an ARQC got no answer
	IssuerAuthFailed bool `json:"issuer_auth_failed"` // a wrong ARPC
	Scripts          int  `json:"scripts"`            // script commands carried out
	ScriptFailed     bool `json:"script_failed"`
}

func newState(p *Profile) *State {
	s := &State{Version: stateVersion, Card: p.Name, PINTries: p.PINTryLimit, Apps: map[string]*AppState{}}
	for _, a := range p.Apps {
		s.Apps[a.AID] = &AppState{}
	}
	return s
}

// A Store keeps the state of one card. With an empty path it keeps it in memory
// only: every start is a fresh card.
type Store struct {
	path  string
	state *State
}

// OpenStore reads the state of the card of p at path, or makes a fresh one where
// the file does not exist. A file of another card or with other applications is
// refused.
func OpenStore(path string, p *Profile) (*Store, error) {
	s := &Store{path: path, state: newState(p)}
	if path == "" {
		return s, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, s.Save()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the card's state: %w", err)
	}
	read := &State{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(read); err != nil {
		return nil, fmt.Errorf("the card's state %s is damaged; remove it to start with a fresh card: %w", path, err)
	}
	if err := s.fits(read, p); err != nil {
		return nil, fmt.Errorf("the card's state %s: %w; remove it to start with a fresh card", path, err)
	}
	s.state = read
	return s, nil
}

func (s *Store) fits(read *State, p *Profile) error {
	if read.Version != stateVersion || read.Card != p.Name || len(read.Apps) != len(s.state.Apps) {
		return errors.New("it belongs to another card")
	}
	if read.PINTries < 0 || read.PINTries > p.PINTryLimit {
		return errors.New("its PIN tries are out of range")
	}
	for aid := range s.state.Apps {
		if read.Apps[aid] == nil {
			return errors.New("it belongs to another card")
		}
	}
	return nil
}

// Save makes the state durable: it returns after the file and its folder are
// synced. A card that cannot remember must not answer, so callers treat an
// error as a card that stays silent.
func (s *Store) Save() error {
	if s.path == "" {
		return nil
	}
	b, err := json.MarshalIndent(s.state, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the card's state: %w", err)
	}
	dir := filepath.Dir(s.path)
	f, err := os.CreateTemp(dir, filepath.Base(s.path)+".*")
	if err != nil {
		return fmt.Errorf("writing the card's state: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the card's state: %w", err), os.Remove(f.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("writing the card's state: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
