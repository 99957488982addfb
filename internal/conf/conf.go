// Package conf reads configuration files: YAML, strict, checked before
// anything listens. Unknown keys, duplicate keys and second documents are
// errors; secrets are named by file, never written in the configuration.
package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
)

// maxFile bounds a configuration file: far above any real one, and it stops a
// mistaken path to a device or a log.
const maxFile = 1 << 20

// A Checker knows the limits of its own values.
type Checker interface {
	// Check returns every limit that is broken, joined, each with its key, the
	// value found and the range allowed.
	Check() error
}

// Load reads the file at path into c, which holds the defaults already, then
// applies the overrides of the environment (see Override) and checks limits.
// environ is in the form of os.Environ; prefix is like "TALLYSTICK_AGENT_".
func Load(path string, c Checker, prefix string, environ []string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	if len(b) > maxFile {
		return fmt.Errorf("the configuration %s is larger than %d bytes", path, maxFile)
	}
	if err := Parse(b, c); err != nil {
		return fmt.Errorf("the configuration %s: %w", path, err)
	}
	if err := Override(c, prefix, environ); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("the configuration %s: %w", path, err)
	}
	return nil
}

// Parse decodes one YAML document strictly into c, which holds the defaults. It
// does not check limits.
func Parse(b []byte, c any) error {
	d := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := d.Decode(c); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // an empty file means all defaults
		}
		return clean(err)
	}
	var second any
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return errors.New("there is a second YAML document; write one")
	}
	return nil
}

// clean keeps position and reason of a YAML error, but not the excerpt of the
// file: a secret written there by mistake must not reach a log.
func clean(err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) {
		return err
	}
	if t := ye.GetToken(); t != nil && t.Position != nil {
		return fmt.Errorf("line %d, column %d: %s", t.Position.Line, t.Position.Column, ye.GetMessage())
	}
	return errors.New(ye.GetMessage())
}
