package params

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallystick.example/internal/conf"
)

const sample = "../../sample.yaml"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sampleText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSampleIsValidAndShowsTheDefaults(t *testing.T) {
	c, err := Load(sample, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := Default()
	if c.Host.AnswerWithin != d.Host.AnswerWithin || c.Reversals != d.Reversals || c.Journal != d.Journal ||
		c.Keypad != d.Keypad || c.Reader.Baud != d.Reader.Baud || c.Terminal.MaxAmount != d.Terminal.MaxAmount ||
		c.Terminal.Type != d.Terminal.Type || c.Terminal.Capabilities != d.Terminal.Capabilities || c.Host.RetryMax != d.Host.RetryMax {
		t.Error("the sample does not show the defaults")
	}
	if _, err := c.Kernel(); err != nil {
		t.Error(err)
	}
	if cur := c.Currency(); cur.Numeric != "978" || cur.MinorUnits != 2 {
		t.Errorf("currency %+v", cur)
	}
}

func TestPathsFollowTheFile(t *testing.T) {
	path := write(t, strings.NewReplacer("data_dir: /var/lib/tallystick/agent", "data_dir: data", `trace_dir: ""`, "trace_dir: traces",
		"path: /dev/ttyUSB0", "path: reader").Replace(sampleText(t)))
	dir := filepath.Dir(path)
	t.Chdir(filepath.Dir(dir))
	c, err := Load(filepath.Join(filepath.Base(dir), "agent.yaml"), nil) // a relative name gives absolute paths
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		c.DataDir: "data", c.DeviceKey: "data/device.key", c.Socket: "data/agent.sock", c.Host.Key: "data/tls.key",
		c.Host.Certificate: "data/tls.crt", c.Host.CA: "ca.pem", c.Lab.TraceDir: "traces", c.Reader.Path: "reader", c.JournalPath(): "data/journal.db",
		c.RegisterPath(): "data/registers.bin",
	} {
		if got != filepath.Join(dir, want) {
			t.Errorf("%s, want %s in the folder of the file", got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	good := sampleText(t)
	for name, c := range map[string]struct{ old, new, want string }{
		"terminal id":  {"id: TERM0001", "id: TERM1", "8"},
		"currency":     {"currency: EUR", "currency: EURO", "ISO 4217"},
		"address":      {"address: host.example:8583", "address: host.example", "host.address"},
		"answer time":  {"answer_within: 25s", "answer_within: 2m", "host.answer_within"},
		"retry order":  {"retry_max: 10s", "retry_max: 100ms", "host.retry_max"},
		"reader":       {"path: /dev/ttyUSB0", `path: ""`, "reader.path"},
		"capabilities": {"capabilities: 20D8C8", "capabilities: 20D8", "terminal.capabilities"},
		"AID":          {"aid: A0000000031010", "aid: A0000000", "applications[0].aid"},
		"TAC":          {"tac_online: D84004F800", "tac_online: D84004F8", "tac_online"},
		"unknown key":  {"baud: 115200", "baude: 115200", "baude"},
		"stuck":        {"stuck_after: 6", "stuck_after: 0", "reversals.stuck_after"},
	} {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%s: the sample has no %q", name, c.old)
		}
		_, err := Load(write(t, strings.Replace(good, c.old, c.new, 1)), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that names %s", name, err, c.want)
		}
	}
}

func TestLabThingsAreRefusedInProduction(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"keypad":   func(c *Config) { c.Keypad.Path = "/dev/x" },
		"traces":   func(c *Config) { c.Lab.TraceDir = "/tmp/x" },
		"test key": func(c *Config) { c.CAKeys = []CAKey{{Test: true}} },
	} {
		c, err := Load(sample, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Mode = conf.Production
		if err := c.Check(); err != nil {
			t.Fatalf("the sample without lab things: %v", err)
		}
		change(c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "lab mode only") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	c, err := Load(sample, []string{"TALLYSTICK_AGENT_HOST_ANSWER_WITHIN=3s"})
	if err != nil || c.Host.AnswerWithin != 3*time.Second {
		t.Errorf("%v, %v", c, err)
	}
}
