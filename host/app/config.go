package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/gateway"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
)

// envPrefix begins the environment variables that override the configuration,
// such as TALLYSTICK_HOST_LISTEN.
const envPrefix = "TALLYSTICK_HOST_"

// Config is the configuration of a host; host/sample.yaml describes each key.
type Config struct {
	Mode     conf.Mode `yaml:"mode"`
	Node     string    `yaml:"node"`
	Listen   string    `yaml:"listen"`
	Control  string    `yaml:"control"`
	LogLevel string    `yaml:"log_level"`
	TLS      struct {
		Certificate string `yaml:"certificate"`
		Key         string `yaml:"key"`
		ClientCA    string `yaml:"client_ca"`
		ClientCAKey string `yaml:"client_ca_key"`
	} `yaml:"tls"`
	Database       Database `yaml:"database"`
	IssuerDatabase Database `yaml:"issuer_database"`
	HSM            struct {
		Config      string `yaml:"config"`
		Socket      string `yaml:"socket"`
		AdminSocket string `yaml:"admin_socket"`
	} `yaml:"hsm"`
	Rules       string `yaml:"rules"`
	Checkpoints string `yaml:"checkpoints"`
	AuditKey    string `yaml:"audit_key"`
	Timing      struct {
		Issuer time.Duration `yaml:"issuer"`
		Answer time.Duration `yaml:"answer"`
	} `yaml:"timing"`
	OutboxTries int    `yaml:"outbox_tries"`
	Limits      Limits `yaml:"limits"`
	Lab         struct {
		TraceDir string `yaml:"trace_dir"`
	} `yaml:"lab"`

	dir string // of the file, for relative paths
}

// Database is where a book is kept: an SQLite file, or PostgreSQL by a file that
// holds the connection string.
type Database struct {
	Path    string `yaml:"path"`
	DSNFile string `yaml:"dsn_file"`
}

// Limits are those of the gateway.
type Limits struct {
	Connections int           `yaml:"connections"`
	InFlight    int           `yaml:"in_flight"`
	Workers     int           `yaml:"workers"`
	BadMessages int           `yaml:"bad_messages"`
	Handshake   time.Duration `yaml:"handshake"`
	Frame       time.Duration `yaml:"frame"`
	Idle        time.Duration `yaml:"idle"`
	Write       time.Duration `yaml:"write"`
}

// defaults are the values of a configuration that says nothing.
func defaults() Config {
	c := Config{Mode: conf.Production, Node: "n1", Listen: "127.0.0.1:8583", Control: "run/control.sock", LogLevel: "info",
		Rules: "rules.yaml", Checkpoints: "checkpoints.jsonl", AuditKey: "audit.pub", OutboxTries: 20}
	c.TLS.Certificate, c.TLS.Key = "tls/server.crt", "tls/server.key"
	c.TLS.ClientCA, c.TLS.ClientCAKey = "tls/ca.crt", "tls/ca.key"
	c.Database.Path, c.IssuerDatabase.Path = "db/host.db", "db/issuer.db"
	c.HSM.Config = "hsm.yaml"
	c.Timing.Issuer, c.Timing.Answer = 10*time.Second, 15*time.Second
	c.Limits = Limits{Connections: 4096, InFlight: 8, Workers: 256, BadMessages: 8,
		Handshake: 10 * time.Second, Frame: 10 * time.Second, Idle: 15 * time.Minute, Write: 10 * time.Second}
	return c
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9-]{1,16}$`)

// Check returns every limit that is broken, joined.
func (c *Config) Check() error {
	errs := []error{
		conf.CheckMode(c.Mode),
		conf.Required("listen", c.Listen), conf.Required("control", c.Control),
		conf.Required("tls.certificate", c.TLS.Certificate), conf.Required("tls.key", c.TLS.Key),
		conf.Required("tls.client_ca", c.TLS.ClientCA), conf.Required("rules", c.Rules),
		conf.Required("checkpoints", c.Checkpoints), conf.Required("audit_key", c.AuditKey),
		conf.InRange("timing.issuer", c.Timing.Issuer, 100*time.Millisecond, 30*time.Second),
		conf.InRange("timing.answer", c.Timing.Answer, 200*time.Millisecond, 60*time.Second),
		conf.InRange("outbox_tries", c.OutboxTries, 1, 1000),
		c.Database.check("database"), c.IssuerDatabase.check("issuer_database"),
		conf.InRange("limits.connections", c.Limits.Connections, 1, 1<<16),
		conf.InRange("limits.in_flight", c.Limits.InFlight, 1, 256),
		conf.InRange("limits.workers", c.Limits.Workers, 1, 1<<14),
		conf.InRange("limits.bad_messages", c.Limits.BadMessages, 1, 1<<10),
		conf.InRange("limits.handshake", c.Limits.Handshake, 100*time.Millisecond, time.Minute),
		conf.InRange("limits.frame", c.Limits.Frame, 100*time.Millisecond, time.Minute),
		conf.InRange("limits.idle", c.Limits.Idle, time.Second, time.Hour),
		conf.InRange("limits.write", c.Limits.Write, 100*time.Millisecond, time.Minute),
	}
	if !nodeName.MatchString(c.Node) {
		errs = append(errs, fmt.Errorf("node is %q, want 1 to 16 letters, digits and '-'", c.Node))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen is %q, want ADDRESS:PORT", c.Listen))
	}
	if c.Timing.Issuer >= c.Timing.Answer {
		errs = append(errs, errors.New("timing.issuer must be shorter than timing.answer: time-outs nest"))
	}
	if (c.HSM.Config == "") == (c.HSM.Socket == "") {
		errs = append(errs, errors.New("hsm: give either config (the boundary runs as a child) or socket (it runs by itself)"))
	}
	if c.Lab.TraceDir != "" && c.Mode != conf.Lab {
		errs = append(errs, errors.New("lab.trace_dir is for mode lab only"))
	}
	return errors.Join(errs...)
}

func (d Database) check(key string) error {
	if (d.Path == "") == (d.DSNFile == "") {
		return fmt.Errorf("%s: give either path or dsn_file", key)
	}
	return nil
}

// path makes a path of the configuration absolute or relative to the working
// directory; empty stays empty.
func (c *Config) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// limits are those of the gateway.
func (l Limits) gateway() gateway.Limits {
	return gateway.Limits{Connections: l.Connections, InFlight: l.InFlight, Workers: l.Workers, BadMessages: l.BadMessages,
		Handshake: l.Handshake, Frame: l.Frame, Idle: l.Idle, Write: l.Write}
}

// readConfig reads the file at path with defaults and environment.
func readConfig(path string) (*Config, error) {
	c := defaults()
	c.dir = filepath.Dir(path)
	if err := conf.Load(path, &c, envPrefix, os.Environ()); err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the configuration cannot be used", "correct it, or make one with host init; host check-config names every fault", err)
	}
	return &c, nil
}

// load reads the configuration that --config of a command names.
func load(cmd *cobra.Command) (*Config, error) {
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	return readConfig(path)
}

// secretText reads a one-line file, such as that of a DSN.
func secretText(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), nil
}
