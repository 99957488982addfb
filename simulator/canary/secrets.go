package canary

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tallystick.example/internal/pure/secret"
	files "tallystick.example/internal/secret"
)

// Kinds of secrets.
const (
	Digits = "digits" // PAN, PIN: decimal digits in ASCII
	Key    = "key"    // bytes
)

// The shortest secrets that can be told from chance: a shorter one would be found
// in random data.
const (
	minDigits = 12
	minKey    = 8
	maxSecret = 64
)

// A Secret is what may be nowhere. Its name is what a report shows.
type Secret struct {
	Name  string
	Kind  string
	Value secret.Secret
}

func (s Secret) check() error {
	switch {
	case s.Name == "":
		return errors.New("canary: a secret has no name")
	case s.Value.Len() > maxSecret:
		return fmt.Errorf("canary: secret %s has more than %d bytes", s.Name, maxSecret)
	case s.Kind == Key && s.Value.Len() >= minKey:
		return nil
	case s.Kind == Key:
		return fmt.Errorf("canary: secret %s has fewer than %d bytes and would be found by chance", s.Name, minKey)
	case s.Kind != Digits:
		return fmt.Errorf("canary: secret %s is neither %q nor %q", s.Name, Digits, Key)
	case s.Value.Len() < minDigits:
		return fmt.Errorf("canary: secret %s has fewer than %d digits and would be found by chance", s.Name, minDigits)
	}
	for _, c := range s.Value.Expose() {
		if c < '0' || c > '9' {
			return fmt.Errorf("canary: secret %s is not decimal digits", s.Name)
		}
	}
	return nil
}

// entry is a secret as a file holds it: digits as they are, a key in hexadecimal.
type entry struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// ReadSecrets reads a JSON array of objects with name, kind (digits or key) and
// value (digits, or hexadecimal), in a file that only its owner may read.
func ReadSecrets(path string) ([]Secret, error) {
	text, err := files.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	defer text.Wipe()
	d := json.NewDecoder(bytes.NewReader(text.Expose()))
	d.DisallowUnknownFields()
	var list []entry
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("canary: %s is not a list of secrets", path) // the decoder's error may quote one
	}
	var out []Secret
	for _, e := range list {
		s := Secret{Name: e.Name, Kind: e.Kind, Value: secret.New([]byte(e.Value))}
		if e.Kind == Key {
			b, err := hex.DecodeString(e.Value)
			if err != nil {
				return nil, fmt.Errorf("canary: key %s is not hexadecimal", e.Name)
			}
			s.Value = secret.Take(b)
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// WriteSecrets writes secrets into a new file that ReadSecrets reads.
func WriteSecrets(path string, secrets []Secret) error {
	var list []entry
	for _, s := range secrets {
		e := entry{s.Name, s.Kind, string(s.Value.Expose())}
		if s.Kind == Key {
			e.Value = hex.EncodeToString(s.Value.Expose())
		}
		list = append(list, e)
	}
	b, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("canary: %w", err)
	}
	defer clear(b)
	return files.WriteFile(path, append(b, '\n'))
}

// NewDigits draws n digits from random, of which the first are prefix; a PAN's
// last one is its check digit (ISO/IEC 7812-1, Annex B).
func NewDigits(random io.Reader, name, prefix string, n int, pan bool) (Secret, error) {
	d := make([]byte, n)
	for i := range d {
		if i < len(prefix) {
			d[i] = prefix[i]
			continue
		}
		v, err := digit(random)
		if err != nil {
			return Secret{}, err
		}
		d[i] = v
	}
	if pan {
		d[n-1] = checkDigit(d[:n-1])
	}
	s := Secret{name, Digits, secret.Take(d)}
	return s, s.check()
}

// NewKey draws a key of n bytes from random.
func NewKey(random io.Reader, name string, n int) (Secret, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return Secret{}, fmt.Errorf("canary: drawing a key: %w", err)
	}
	s := Secret{name, Key, secret.Take(b)}
	return s, s.check()
}

// digit draws one decimal digit without bias.
func digit(random io.Reader) (byte, error) {
	var b [1]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, fmt.Errorf("canary: drawing a digit: %w", err)
		}
		if b[0] < 250 {
			return '0' + b[0]%10, nil
		}
	}
}

func checkDigit(d []byte) byte {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return byte('0' + (10-sum%10)%10)
}
