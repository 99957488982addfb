// Package params is the terminal's configuration: one struct, defaults in one
// place, every limit checked before anything is opened. agent/sample.yaml
// documents every key.
package params

import (
	"fmt"
	"path/filepath"
	"time"

	"tallystick.example/internal/conf"
)

// EnvPrefix begins the environment variables that override keys.
const EnvPrefix = "TALLYSTICK_AGENT_"

// Config is the configuration of an agent.
type Config struct {
	Mode     conf.Mode `yaml:"mode"`
	LogLevel string    `yaml:"log_level"`
	// DataDir holds journal, registers and, unless named elsewhere, keys.
	DataDir   string `yaml:"data_dir"`
	DeviceKey string `yaml:"device_key"`
	Socket    string `yaml:"socket"`

	Terminal     Terminal      `yaml:"terminal"`
	Host         Host          `yaml:"host"`
	Reader       Reader        `yaml:"reader"`
	Keypad       Keypad        `yaml:"keypad"`
	Reversals    Reversals     `yaml:"reversals"`
	Journal      Journal       `yaml:"journal"`
	Applications []Application `yaml:"applications"`
	CAKeys       []CAKey       `yaml:"ca_keys"`
	Revoked      []Revocation  `yaml:"revoked"`
	Receipt      Receipt       `yaml:"receipt"`
	Lab          Lab           `yaml:"lab"`
}

// Terminal is who the terminal is.
type Terminal struct {
	ID           string   `yaml:"id"`       // DE 41
	Merchant     string   `yaml:"merchant"` // DE 42
	Name         string   `yaml:"name"`
	Address      []string `yaml:"address"`
	Currency     string   `yaml:"currency"` // ISO 4217 letters
	Country      int      `yaml:"country"`  // ISO 3166-1 numeric
	MCC          int      `yaml:"mcc"`
	Acquirer     string   `yaml:"acquirer"` // 9F01
	Serial       string   `yaml:"serial"`   // 9F1E
	Type         string   `yaml:"type"`     // 9F35, hex
	Capabilities string   `yaml:"capabilities"`
	// MoreCapabilities is 9F40, hex.
	MoreCapabilities string        `yaml:"more_capabilities"`
	CDAMode          int           `yaml:"cda_mode"`
	MaxAmount        int64         `yaml:"max_amount"` // minor units
	CardWithin       time.Duration `yaml:"card_within"`
}

// Host is where the host is and how it proves who it is.
type Host struct {
	Address      string        `yaml:"address"`
	ServerName   string        `yaml:"server_name"`
	CA           string        `yaml:"ca"`
	Certificate  string        `yaml:"certificate"`
	Key          string        `yaml:"key"`
	AnswerWithin time.Duration `yaml:"answer_within"`
	WriteWithin  time.Duration `yaml:"write_within"`
	EchoEvery    time.Duration `yaml:"echo_every"`
	RetryFirst   time.Duration `yaml:"retry_first"`
	RetryMax     time.Duration `yaml:"retry_max"`
}

// Reader is the serial line of the card reader.
type Reader struct {
	Path    string `yaml:"path"`
	Baud    int    `yaml:"baud"`
	LockDir string `yaml:"lock_dir"`
}

// Keypad is the serial line of the lab's PIN keypad; an empty path means none.
type Keypad struct {
	Path      string        `yaml:"path"`
	Baud      int           `yaml:"baud"`
	PINWithin time.Duration `yaml:"pin_within"`
}

// Reversals is how reversals are repeated.
type Reversals struct {
	First           time.Duration `yaml:"first"`
	Max             time.Duration `yaml:"max"`
	StuckAfter      int           `yaml:"stuck_after"`
	ResumeWhenStuck bool          `yaml:"resume_when_stuck"`
	WaitBeforeSale  time.Duration `yaml:"wait_before_sale"`
}

// Journal is how much of the past the terminal keeps.
type Journal struct {
	Keep int `yaml:"keep"` // records
}

// Application is one accepted EMV application.
type Application struct {
	AID        string `yaml:"aid"`
	Partial    bool   `yaml:"partial"`
	Version    string `yaml:"version"`
	TACDenial  string `yaml:"tac_denial"`
	TACOnline  string `yaml:"tac_online"`
	TACDefault string `yaml:"tac_default"`
	FloorLimit int64  `yaml:"floor_limit"`
	DDOL       string `yaml:"ddol"`
	TDOL       string `yaml:"tdol"`
	// Random selection of payments below the floor limit, for terminals that can
	// approve offline.
	RandomThreshold int64 `yaml:"random_threshold"` // minor units
	RandomTarget    int   `yaml:"random_target"`    // percent
	RandomMax       int   `yaml:"random_max"`       // percent
	// Without are features that this application does without.
	Without []string `yaml:"without"`
}

// CAKey is one certification authority public key of a scheme.
type CAKey struct {
	RID      string `yaml:"rid"`
	Index    string `yaml:"index"`
	Modulus  string `yaml:"modulus"`
	Exponent string `yaml:"exponent"`
	Checksum string `yaml:"checksum"`
	Expires  string `yaml:"expires"` // YYYY-MM-DD
	Test     bool   `yaml:"test"`
}

// Revocation is one issuer certificate that is not to be trusted any more.
type Revocation struct {
	RID    string `yaml:"rid"`
	Index  string `yaml:"index"`
	Serial string `yaml:"serial"`
}

// Receipt is what is printed besides the payment.
type Receipt struct {
	Footer []string `yaml:"footer"`
}

// Lab is what exists in lab mode only.
type Lab struct {
	TraceDir string `yaml:"trace_dir"`
	RawWire  bool   `yaml:"raw_wire"` // wire.jsonl with PIN block and card data as sent
}

// Default is the configuration before the file is read.
func Default() Config {
	return Config{
		Mode: conf.Production, LogLevel: "info", DataDir: "/var/lib/tallystick/agent",
		Terminal: Terminal{
			Serial: "00000001", Type: "21", Capabilities: "20D8C8", MoreCapabilities: "6000F0A001", CDAMode: 1,
			MCC: 5999, MaxAmount: 1_000_000, CardWithin: time.Minute,
		},
		Host: Host{
			AnswerWithin: 25 * time.Second, WriteWithin: 5 * time.Second, EchoEvery: time.Minute,
			RetryFirst: 250 * time.Millisecond, RetryMax: 10 * time.Second,
		},
		Reader:    Reader{Baud: 115200, LockDir: "/run/lock"},
		Keypad:    Keypad{Baud: 9600, PINWithin: time.Minute},
		Reversals: Reversals{First: time.Second, Max: 5 * time.Minute, StuckAfter: 6, WaitBeforeSale: 30 * time.Second},
		Journal:   Journal{Keep: 50_000},
	}
}

// Load reads and checks the configuration at path. Paths in it that are not
// absolute are taken from the folder of the file.
func Load(path string, environ []string) (*Config, error) {
	c := Default()
	if err := conf.Load(path, &c, EnvPrefix, environ); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("finding the folder of the configuration: %w", err)
	}
	c.resolve(dir)
	return &c, nil
}

// resolve makes paths absolute and fills in those that follow from DataDir.
func (c *Config) resolve(dir string) {
	c.DataDir = under(dir, c.DataDir)
	for p, def := range map[*string]string{
		&c.DeviceKey: "device.key", &c.Socket: "agent.sock", &c.Host.Key: "tls.key", &c.Host.Certificate: "tls.crt",
	} {
		if *p == "" {
			*p = filepath.Join(c.DataDir, def)
		}
		*p = under(dir, *p)
	}
	for _, p := range []*string{&c.Host.CA, &c.Lab.TraceDir, &c.Reader.Path, &c.Reader.LockDir, &c.Keypad.Path} {
		if *p != "" {
			*p = under(dir, *p)
		}
	}
}

func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// JournalPath is where the journal is.
func (c *Config) JournalPath() string { return filepath.Join(c.DataDir, "journal.db") }

// RegisterPath is where the DUKPT registers are.
func (c *Config) RegisterPath() string { return filepath.Join(c.DataDir, "registers.bin") }
