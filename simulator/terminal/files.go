package terminal

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/keyblock"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/secret"
	"tallystick.example/internal/xtls"
)

// Files name what a host has made for a terminal. Paths are relative to the file
// that a Files was read from.
type Files struct {
	Terminal    string   `json:"terminal"` // DE 41
	Merchant    string   `json:"merchant"` // DE 42
	Certificate string   `json:"certificate"`
	Key         string   `json:"key"` // private key of the certificate
	CA          string   `json:"ca"`  // authority of the host's certificate
	ServerName  string   `json:"server_name"`
	Address     string   `json:"address"`
	Block       string   `json:"block"`      // TR-31 block of the initial key
	Components  []string `json:"components"` // two, of the transport key
}

// CardFiles name what a host was told of a card with chip.
type CardFiles struct {
	PAN     string `json:"pan"` // file with digits, as the others
	PIN     string `json:"pin"`
	IMK     string `json:"imk"` // issuer master key, hexadecimal
	Expiry  string `json:"expiry"`
	PSN     string `json:"psn"`
	Profile string `json:"profile"`
}

func readJSON(path string, v any) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return filepath.Dir(path), nil
}

func in(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Load makes a terminal from the JSON form of [Files] in the file path. Two
// terminals from one set of files would use its counters twice.
func Load(path string) (*Terminal, error) {
	var f Files
	dir, err := readJSON(path, &f)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	cert, err1 := os.ReadFile(in(dir, f.Certificate))
	ca, err2 := os.ReadFile(in(dir, f.CA))
	key, err3 := secret.ReadFile(in(dir, f.Key))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	defer key.Wipe()
	cfg := Config{Identity: xtls.Identity{Terminal: f.Terminal, Merchant: f.Merchant}, Address: f.Address}
	if cfg.TLS, err = xtls.Client(cert, key.Expose(), ca, f.ServerName); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	if len(f.Components) != 2 {
		return nil, fmt.Errorf("terminal: %s names %d components, want 2", path, len(f.Components))
	}
	if cfg.Keys, err = LoadKeys(in(dir, f.Block), [2]string{in(dir, f.Components[0]), in(dir, f.Components[1])}); err != nil {
		return nil, err
	}
	return New(cfg)
}

// LoadKeys opens a TR-31 block with an initial DUKPT key, as `host terminal keys`
// writes it, under the transport key of two components, and gives registers at
// their beginning.
func LoadKeys(block string, components [2]string) (*dukpt.State, error) {
	text, err := os.ReadFile(block)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	one, err1 := secret.ReadHexFile(components[0])
	two, err2 := secret.ReadHexFile(components[1])
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	defer one.Wipe()
	defer two.Wipe()
	if one.Len() != two.Len() {
		return nil, errors.New("terminal: the components have different lengths")
	}
	kbpk := make([]byte, one.Len())
	for i, b := range one.Expose() {
		kbpk[i] = b ^ two.Expose()[i]
	}
	defer clear(kbpk)
	h, ik, err := keyblock.Unwrap(kbpk, strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("terminal: opening the key block: %w", err)
	}
	defer clear(ik)
	ksn, err := initialKSN(h)
	if err != nil {
		return nil, err
	}
	return dukpt.NewState(ik, ksn)
}

// initialKSN reads the name of the key set from the header (X9.143: optional
// block IK for AES, KS for TDES).
func initialKSN(h keyblock.Header) (dukpt.KSN, error) {
	id, scheme, counter := keyblock.IDInitial, dukpt.AES, "00000000"
	if h.Algorithm == 'T' {
		id, scheme, counter = keyblock.IDKeySet, dukpt.TDES, ""
	}
	text, ok := h.Find(id)
	if !ok {
		return dukpt.KSN{}, fmt.Errorf("terminal: the key block has no optional block %s, which names the key set", id)
	}
	b, err := hex.DecodeString(text + counter)
	if err != nil {
		return dukpt.KSN{}, fmt.Errorf("terminal: the optional block %s is not hexadecimal", id)
	}
	return dukpt.ParseKSN(scheme, b)
}

// LoadCard makes a card from the JSON form of [CardFiles] in the file path.
func LoadCard(path string) (*Card, error) {
	var f CardFiles
	dir, err := readJSON(path, &f)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	profile, err := cryptogram.ParseProfile(f.Profile)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	pan, err1 := secret.ReadFile(in(dir, f.PAN))
	pin, err2 := secret.ReadFile(in(dir, f.PIN))
	imk, err3 := secret.ReadHexFile(in(dir, f.IMK))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	defer imk.Wipe()
	return NewCard(pan, pin, f.Expiry, f.PSN, profile, imk)
}
