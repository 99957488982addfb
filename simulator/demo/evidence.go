package demo

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tallystick.example/dukpt/keyblock"
	"tallystick.example/internal/secret"
)

// testKeys are what an outside implementation needs to recompute a run: keys of
// a test card and of a test terminal, never of anything else.
type testKeys struct {
	Note       string `json:"note"`
	Scheme     string `json:"dukpt_scheme"`
	InitialKey string `json:"dukpt_initial_key"`
	InitialKSN string `json:"dukpt_initial_ksn"`
	IMKAC      string `json:"imk_ac"`
	Option     string `json:"imk_option"`
	Profile    string `json:"cryptogram_profile"`
	PAN        string `json:"pan"`
	PSN        string `json:"psn"`
	PIN        string `json:"pin"`
	Expiry     string `json:"expiry"`
	// The key that the card signs with; its certificate is masked in apdus.jsonl,
	// because everybody can open it and read the PAN.
	ICCModulus  string `json:"icc_modulus"`
	ICCExponent string `json:"icc_exponent"`
}

// writeEvidence copies raw messages and APDUs and writes the test keys into the
// evidence folder.
func (d *demo) writeEvidence() error {
	if d.o.evidence == "" {
		return nil
	}
	if err := os.MkdirAll(d.o.evidence, 0o700); err != nil {
		return fmt.Errorf("the evidence: %w", err)
	}
	copies := map[string]string{
		"messages.jsonl": d.lab.Path("trace", "agent", "wire.jsonl"),
		"apdus.jsonl":    d.lab.Path("trace", "card.jsonl"),
		"kernel.jsonl":   d.lab.Path("trace", "agent", "kernel.jsonl"),
		"frames.jsonl":   d.lab.Path("trace", "reader.jsonl"),
	}
	for name, from := range copies {
		b, err := os.ReadFile(from)
		if errors.Is(err, os.ErrNotExist) {
			continue // the break never came so far
		}
		if err != nil {
			return fmt.Errorf("the evidence: %w", err)
		}
		if err := os.WriteFile(filepath.Join(d.o.evidence, name), b, 0o600); err != nil {
			return fmt.Errorf("the evidence: %w", err)
		}
	}
	k, err := d.testKeys()
	if err != nil {
		return fmt.Errorf("the evidence: %w", err)
	}
	b, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.o.evidence, "test-keys.json"), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("the evidence: %w", err)
	}
	d.say("\nevidence is in %s", d.o.evidence)
	return nil
}

func (d *demo) testKeys() (testKeys, error) {
	a := d.lab.Profile().Apps[0]
	k := testKeys{
		Note:   "test keys and a test card; DE 64 and DE 128, DE 52, DE 55 and DE 63 of messages.jsonl follow from them",
		Scheme: d.o.dukpt, IMKAC: a.Keys.IMKAC, Option: a.Keys.Option, Profile: a.Keys.Profile,
		PAN: a.PAN, PSN: a.PSN, PIN: d.typedPIN(), Expiry: a.Expiry,
	}
	modulus, exponent, err := a.ICCKey()
	if err != nil {
		return k, err
	}
	k.ICCModulus, k.ICCExponent = fmt.Sprintf("%X", modulus), fmt.Sprintf("%X", exponent)
	blocks, err := filepath.Glob(d.lab.Path("keys", "*.tr31"))
	if err != nil || len(blocks) != 1 {
		return k, fmt.Errorf("want one key block, found %d (%w)", len(blocks), err)
	}
	key, header, err := unwrap(blocks[0])
	if err != nil {
		return k, err
	}
	k.InitialKey = strings.ToUpper(hex.EncodeToString(key))
	if b, ok := header.Find("KS"); ok {
		k.InitialKSN = b
	} else if b, ok := header.Find("IK"); ok {
		k.InitialKSN = b + "00000000"
	}
	return k, nil
}

// unwrap opens the terminal's key block with both components of its transport
// key, as two custodians would.
func unwrap(block string) ([]byte, keyblock.Header, error) {
	base := strings.TrimSuffix(block, ".tr31")
	kbpk := make([]byte, 32)
	for _, name := range []string{".component1", ".component2"} {
		c, err := secret.ReadHexFile(base + name)
		if err != nil {
			return nil, keyblock.Header{}, err
		}
		if c.Len() > len(kbpk) {
			return nil, keyblock.Header{}, errors.New("a component is too long")
		}
		kbpk = kbpk[:c.Len()]
		for i, b := range c.Expose() {
			kbpk[i] ^= b
		}
		c.Wipe()
	}
	text, err := os.ReadFile(block)
	if err != nil {
		return nil, keyblock.Header{}, err
	}
	header, key, err := keyblock.Unwrap(kbpk, strings.TrimSpace(string(text)))
	clear(kbpk)
	return key, header, err
}
