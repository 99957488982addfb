package conf_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallystick.example/internal/conf"
)

type sample struct {
	Mode conf.Mode `yaml:"mode"`
	Host struct {
		Address string        `yaml:"address"`
		Within  time.Duration `yaml:"reply-within"`
		Flights int           `yaml:"in-flight"`
	} `yaml:"host"`
}

func (s *sample) Check() error {
	return errors.Join(conf.CheckMode(s.Mode), conf.Required("host.address", s.Host.Address),
		conf.InRange("host.in-flight", s.Host.Flights, 1, 64))
}

func load(t *testing.T, text string, environ ...string) (sample, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sample{Mode: conf.Production}
	s.Host.Flights = 8
	return s, conf.Load(path, &s, "TALLYSTICK_X_", environ)
}

func TestLoad(t *testing.T) {
	const good = "mode: lab\nhost:\n  address: 127.0.0.1:8583\n  reply-within: 25s\n"
	s, err := load(t, good, "TALLYSTICK_X_HOST_IN_FLIGHT=3", "OTHER=1")
	if err != nil || s.Host.Within != 25*time.Second || s.Host.Flights != 3 || s.Mode != conf.Lab {
		t.Fatalf("got %+v, %v", s, err)
	}
	for name, tc := range map[string]struct{ text, env, want string }{
		"unknown key":     {good + "  adress: x\n", "", "adress"},
		"duplicate key":   {good + "mode: lab\n", "", "already defined"},
		"second document": {good + "---\nmode: lab\n", "", "second YAML document"},
		"wrong type":      {"host: 3\n", "", "line 1"},
		"limit":           {good + "  in-flight: 65\n", "", "want 1 to 64"},
		"mode":            {"mode: test\n", "", `want "production" or "lab"`},
		"env typo":        {good, "TALLYSTICK_X_HOST_ADRESS=1", "TALLYSTICK_X_HOST_ADDRESS"},
		"env type":        {good, "TALLYSTICK_X_HOST_IN_FLIGHT=many", "want a number"},
	} {
		if _, err := load(t, tc.text, tc.env); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
}

// TestErrorsShowNoValues: somebody writes a key where a number belongs; the
// message must not repeat it.
func TestErrorsShowNoValues(t *testing.T) {
	_, err := load(t, "host:\n  in-flight: 0123456789ABCDEFFEDCBA9876543210\n  key: 4929000000006\n")
	if err == nil || strings.Contains(err.Error(), "4929000000006") {
		t.Errorf("error %v", err)
	}
}
