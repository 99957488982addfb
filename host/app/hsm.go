package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/boundary/client"
	"tallystick.example/host/internal/boundary/server"
	"tallystick.example/internal/cli"
	pure "tallystick.example/internal/pure/secret"
	"tallystick.example/internal/secret"
	"tallystick.example/internal/version"
	"tallystick.example/internal/xlog"
)

func hsmCommand(logs io.Writer) *cobra.Command {
	c := &cobra.Command{Use: "hsm", Short: "The HSM boundary: a process of its own that holds the keys"}
	c.AddCommand(hsmServeCommand(logs), hsmUnlockCommand())
	return c
}

func hsmServeCommand(logs io.Writer) *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Run the HSM boundary", Args: cobra.NoArgs,
		Long: `serve runs the boundary that holds the local master key and, for moments, clear
PINs and card numbers. host serve starts it as a child unless hsm.socket is set;
run it by itself, as a user of its own, so that restarts of the host do not touch
it. --config names the boundary's own file (hsm.yaml), not the host's.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := cmd.Flags().GetString("config")
			if err != nil {
				return err
			}
			hc, err := readBoundaryConfig(path)
			if err != nil {
				return err
			}
			log, err := xlog.New(logs, hc.LogLevel)
			if err != nil {
				return cli.Fail(cli.ExitUsage, "log_level is wrong", "", err)
			}
			o := server.Options{Config: *hc, Log: log.WithField("program", "hsm"), Random: rand.Reader, Now: time.Now, Version: version.Number}
			if child, _ := cmd.Flags().GetBool("child"); child {
				o.Parent = os.Stdin
			}
			if err := server.Serve(cmd.Context(), o); err != nil {
				return cli.Fail(cli.ExitUnavailable, "the HSM boundary ended", "", err)
			}
			return nil
		},
	}
	c.Flags().Bool("child", false, "end when standard input ends, as a child of host serve")
	return c
}

func hsmUnlockCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "unlock --component FILE", Short: "Bring one component of the local master key", Args: cobra.NoArgs,
		Long: `unlock brings one component of the local master key (64 hexadecimal digits in a
file that only its custodian can read) to a boundary that waits for its
custodians after a start. It prints the component's check value, by which the
custodian recognises it, and how many are still missing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			return unlock(cmd, cfg, file)
		},
	}
	c.Flags().StringVar(&file, "component", "", "`FILE` with the component")
	_ = c.MarkFlagRequired("component") // fails only for a flag that does not exist
	return c
}

func unlock(cmd *cobra.Command, cfg *Config, file string) error {
	socket, admin := cfg.path(cfg.HSM.Socket), cfg.path(cfg.HSM.AdminSocket)
	if socket == "" {
		hc, err := readBoundaryConfig(cfg.path(cfg.HSM.Config))
		if err != nil {
			return err
		}
		socket, admin = hc.SocketPath(), hc.AdminSocketPath()
	}
	log, err := xlog.New(cmd.ErrOrStderr(), "error")
	if err != nil {
		return err
	}
	h, err := client.New(client.Options{Socket: socket, AdminSocket: admin, Log: log})
	if err != nil {
		return err
	}
	defer h.Close()
	component, err := readComponent(file)
	if err != nil {
		return cli.Fail(cli.ExitUsage, "the component cannot be read", "it is 64 hexadecimal digits in a file of mode 0600", err)
	}
	defer component.Wipe()
	ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
	defer cancel()
	check, missing, err := h.Unlock(ctx, component)
	if err != nil {
		return cli.Fail(cli.ExitFailed, "the boundary did not take the component", "all custodians begin again when the components do not fit", err)
	}
	return cli.Print(cmd, map[string]any{"check": check, "missing": missing},
		fmt.Sprintf("component %s taken; %d missing", check, missing))
}

// readComponent reads hexadecimal digits with blanks and line ends anywhere.
func readComponent(path string) (pure.Secret, error) {
	text, err := secret.ReadFile(path)
	if err != nil {
		return pure.Secret{}, err
	}
	defer text.Wipe()
	digits := bytes.Join(bytes.Fields(text.Expose()), nil)
	defer clear(digits)
	b := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(b, digits); err != nil {
		clear(b)
		return pure.Secret{}, fmt.Errorf("%s does not hold hexadecimal digits", path)
	}
	return pure.Take(b), nil
}
