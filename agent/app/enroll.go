package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/keyfile"
	"tallystick.example/agent/internal/params"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/secret"
	"tallystick.example/internal/xtls"
)

// enrolled names the files of an enrolment.
type enrolled struct {
	DeviceKey   string `json:"device_key"`
	Key         string `json:"key"`
	Request     string `json:"request"`
	Certificate string `json:"certificate"` // where the signed one goes
}

func enrollCommand() *cobra.Command {
	var request string
	c := &cobra.Command{
		Use: "enroll", Short: "Make the terminal's keys and its certificate request", Args: cobra.NoArgs,
		Long: `enroll makes, each with mode 0600 and never over an existing file:

  the device key, which protects journal and DUKPT registers on this terminal
  the TLS key (P-256), which never leaves this terminal
  a certificate request (CSR) with CN = terminal id and O = merchant id

Have the request signed with "host terminal add", and put the certificate where
host.certificate says. Run again, it makes what is missing and a new request.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			if request == "" {
				request = filepath.Join(cfg.DataDir, cfg.Terminal.ID+".csr")
			}
			e, err := enroll(cfg, request)
			if err != nil {
				return cli.Fail(cli.ExitFailed, "the terminal could not be enrolled", "", err)
			}
			return cli.Print(c, e, fmt.Sprintf("device key           %s\nTLS key              %s\ncertificate request  %s\nhave it signed, and put the certificate at %s",
				e.DeviceKey, e.Key, e.Request, e.Certificate))
		},
	}
	c.Flags().StringVar(&request, "out", "", "`FILE` for the request (default: TERMINAL.csr in data_dir)")
	return c
}

func enroll(cfg *params.Config, request string) (enrolled, error) {
	e := enrolled{DeviceKey: cfg.DeviceKey, Key: cfg.Host.Key, Request: request, Certificate: cfg.Host.Certificate}
	if err := makeDataDir(cfg); err != nil {
		return e, err
	}
	if err := keyfile.Create(cfg.DeviceKey, rand.Reader); err != nil && !errors.Is(err, fs.ErrExist) {
		return e, err
	}
	if err := makeTLSKey(cfg.Host.Key); err != nil {
		return e, err
	}
	pem, err := secret.ReadFile(cfg.Host.Key)
	if err != nil {
		return e, err
	}
	defer pem.Wipe()
	key, err := xtls.ParseKey(pem.Expose())
	if err != nil {
		return e, err
	}
	csr, err := xtls.NewRequest(key, xtls.Identity{Terminal: cfg.Terminal.ID, Merchant: cfg.Terminal.Merchant})
	if err != nil {
		return e, err
	}
	if err := os.WriteFile(request, csr, 0o644); err != nil {
		return e, fmt.Errorf("writing the certificate request: %w", err)
	}
	return e, nil
}

// makeTLSKey makes the key file unless it is there.
func makeTLSKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	_, pem, err := xtls.NewKey()
	if err != nil {
		return err
	}
	defer clear(pem)
	return secret.WriteFile(path, pem)
}
