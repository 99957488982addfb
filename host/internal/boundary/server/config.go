package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tallystick.example/internal/conf"
)

// Config is the configuration of a boundary. New fields have a zero value that
// keeps an old file working.
type Config struct {
	// Mode is production or lab. Lab allows a passphrase LMK and clear key import,
	// and then all keys are test keys.
	Mode conf.Mode `yaml:"mode"`
	// Directory holds the boundary's keys and state; it is made when it is not
	// there, with mode 0700.
	Directory string `yaml:"directory"`
	// Socket is the Unix socket for payments, AdminSocket that for
	// administration; empty means boundary.sock and admin.sock in Directory.
	Socket      string `yaml:"socket"`
	AdminSocket string `yaml:"admin_socket"`
	// Users and Admins are the numeric user ids that may connect; empty means the
	// user of the boundary alone.
	Users  []uint32 `yaml:"users"`
	Admins []uint32 `yaml:"admins"`
	// LMKComponents are two or three files of 64 hex digits, each readable by its
	// owner only, such as credentials of the service manager. Empty: the boundary
	// waits until that many custodians, LMKCustodians, have unlocked it.
	LMKComponents []string `yaml:"lmk_components"`
	LMKCustodians int      `yaml:"lmk_custodians"` // 2 or 3
	// LMKPassphraseFile names a file with a passphrase of at least 12 characters
	// in place of components. Lab only.
	LMKPassphraseFile string `yaml:"lmk_passphrase_file"`
	// WrongPINs is how many wrong PINs of one card pass before the boundary
	// answers blocked until an operator clears it, 3 to 100.
	WrongPINs uint32 `yaml:"wrong_pins"`
	// LogLevel is error, warn, info or debug.
	LogLevel string `yaml:"log_level"`
}

// Defaults are the values of a configuration that says nothing.
func Defaults() Config {
	return Config{Mode: conf.Production, LMKCustodians: 2, WrongPINs: 10, LogLevel: "info"}
}

// Sample is a commented configuration.
const Sample = `# Configuration of the HSM boundary (host hsm serve).
mode: lab                     # production or lab; lab accepts test keys only
directory: /var/lib/tallystick/boundary
#socket: ""                   # default: boundary.sock in directory
#admin_socket: ""             # default: admin.sock in directory
#users: []                    # numeric user ids for payments; default: own user
#admins: []                   # numeric user ids for administration; default: own user
#lmk_components: []           # two or three files of 64 hex digits each
#lmk_custodians: 2            # without files: components that custodians bring, 2 or 3
lmk_passphrase_file: /etc/tallystick/lab-passphrase   # lab only, in place of components
#wrong_pins: 10               # wrong PINs of a card before blocked, 3 to 100
#log_level: info              # error, warn, info, debug
`

// maxUsers bounds a list of user ids: a boundary serves one host.
const maxUsers = 16

// Check returns every limit that is broken, joined.
func (c *Config) Check() error {
	errs := []error{
		conf.CheckMode(c.Mode),
		conf.Required("directory", c.Directory),
		conf.InRange("wrong_pins", c.WrongPINs, 3, 100),
		conf.InRange("lmk_custodians", c.LMKCustodians, 2, 3),
		conf.InRange("number of users", len(c.Users), 0, maxUsers),
		conf.InRange("number of admins", len(c.Admins), 0, maxUsers),
	}
	if n := len(c.LMKComponents); n != 0 {
		errs = append(errs, conf.InRange("number of lmk_components", n, 2, 3))
	}
	if c.LMKPassphraseFile != "" {
		if c.Mode != conf.Lab {
			errs = append(errs, errors.New("lmk_passphrase_file is for mode lab only; name lmk_components instead"))
		}
		if len(c.LMKComponents) != 0 {
			errs = append(errs, errors.New("lmk_passphrase_file and lmk_components exclude each other"))
		}
	}
	if c.SocketPath() == c.AdminSocketPath() {
		errs = append(errs, errors.New("socket and admin_socket must differ"))
	}
	for _, s := range []string{c.SocketPath(), c.AdminSocketPath()} {
		if len(s) > maxSocketPath {
			errs = append(errs, fmt.Errorf("the socket path %s is longer than %d bytes; name a shorter one", s, maxSocketPath))
		}
	}
	return errors.Join(errs...)
}

// maxSocketPath is what the kernel keeps of a Unix socket's path.
const maxSocketPath = 107

// SocketPath is the socket for payments, by configuration or default.
func (c *Config) SocketPath() string { return orDefault(c.Socket, c.Directory, "boundary.sock") }

// AdminSocketPath is the socket for administration, by configuration or default.
func (c *Config) AdminSocketPath() string { return orDefault(c.AdminSocket, c.Directory, "admin.sock") }

func orDefault(path, dir, name string) string {
	if path != "" {
		return path
	}
	return filepath.Join(dir, name)
}

func usersOrSelf(ids []uint32) []uint32 {
	if len(ids) != 0 {
		return ids
	}
	return []uint32{uint32(os.Getuid())}
}
