package app

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/hsm/api"
	pure "tallystick.example/internal/pure/secret"
	"tallystick.example/internal/secret"
	"tallystick.example/internal/xlog"
	"tallystick.example/internal/xtls"
)

// sample is the commented configuration, the same as host/sample.yaml.
//
//go:embed sample.yaml
var sample string

// initOptions are the flags of init.
type initOptions struct {
	dir, node, listen string
	names             []string
	lab               bool
}

func initCommand(logs io.Writer) *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use: "init --dir DIR", Short: "Make a new host: configuration, authority, keys and books", Args: cobra.NoArgs,
		Long: `init makes a directory with everything that a host needs:

  host.yaml, hsm.yaml, rules.yaml   configuration of host and HSM boundary, rules
  tls/                              authority of terminals, the host's certificate
  hsm/                              the boundary's keys, useless without its LMK
  db/                               the acquirer's and the issuer's books
  audit.pub                         public key of audit checkpoints

and the first keys, inside the boundary: base derivation keys (AES and TDES),
the issuer's master key, and its keys for PINs and card codes.

With --lab the local master key comes from a passphrase in hsm-passphrase, and
every key is a test key. Without it init writes two components of the local
master key, lmk-component1 and lmk-component2: two custodians take them away,
each one, before the host is used, and bring them after every start of the
boundary (host hsm unlock).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := initialize(cmd.Context(), o, logs); err != nil {
				return err
			}
			next := "host serve --config " + filepath.Join(o.dir, "host.yaml")
			if !o.lab {
				next = "give lmk-component1 and lmk-component2 to two custodians; then " + next
			}
			return cli.Print(cmd, map[string]any{"dir": o.dir, "config": filepath.Join(o.dir, "host.yaml"), "lab": o.lab}, "a new host in "+o.dir+"; next: "+next)
		},
	}
	c.Flags().StringVar(&o.dir, "dir", "", "`DIR` to make; must not exist or be empty")
	c.Flags().StringVar(&o.node, "node", "n1", "name of the node")
	c.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8583", "where terminals will connect, `ADDRESS:PORT`")
	c.Flags().StringArrayVar(&o.names, "name", []string{"localhost", "127.0.0.1"}, "host `NAME` or address for the certificate; may be given again")
	c.Flags().BoolVar(&o.lab, "lab", false, "mode lab: a passphrase and test keys")
	_ = c.MarkFlagRequired("dir") // fails only for a flag that does not exist
	return c
}

// initialize does the steps of init.
func initialize(ctx context.Context, o initOptions, logs io.Writer) error {
	if err := emptyDir(o.dir); err != nil {
		return cli.Fail(cli.ExitUsage, "the directory cannot be used", "name one that does not exist or is empty", err)
	}
	components, err := writeFiles(o)
	for _, c := range components {
		defer c.Wipe()
	}
	if err != nil {
		return cli.Fail(cli.ExitFailed, "the files cannot be written", "remove "+o.dir+" and run init again", err)
	}
	cfg, err := readConfig(filepath.Join(o.dir, "host.yaml"))
	if err != nil {
		return err
	}
	log, err := xlog.New(logs, "error")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out, err := boundaryLog(cfg)
	if err != nil {
		return err
	}
	defer out.Close()
	n := &node{cfg: cfg, log: log, fatal: cancel}
	err = n.openBoundary(ctx, out)
	for _, c := range components {
		if err == nil {
			_, _, err = n.hsm.Unlock(ctx, c)
		}
	}
	if err == nil {
		err = n.openBooks(ctx)
	}
	if err == nil {
		err = n.firstKeys(ctx)
	}
	if err := errors.Join(err, n.close()); err != nil {
		return classified("the host is not whole: remove "+o.dir+" and run init again", err)
	}
	return nil
}

// emptyDir makes dir or accepts an empty one.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	found, err := os.ReadDir(dir)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%s holds %s and more", dir, found[0].Name())
	}
	return err
}

// writeFiles writes configuration, TLS files and the LMK's secret. The
// components that it returns are to be brought to the boundary and wiped.
func writeFiles(o initOptions) ([]pure.Secret, error) {
	const place = "directory: hsm\nsocket: run/boundary.sock\nadmin_socket: run/admin.sock\n"
	mode, hsm := conf.Production, "mode: production\n"+place
	var components []pure.Secret
	if o.lab {
		mode, hsm = conf.Lab, "mode: lab   # test keys only\n"+place+"lmk_passphrase_file: hsm-passphrase\n"
		if err := writeRandom(filepath.Join(o.dir, "hsm-passphrase"), 16, nil); err != nil {
			return nil, err
		}
	} else {
		for i := 1; i <= 2; i++ {
			if err := writeRandom(filepath.Join(o.dir, fmt.Sprintf("lmk-component%d", i)), 32, &components); err != nil {
				return components, err
			}
		}
	}
	text := sample
	for old, new := range map[string]string{"mode: production": "mode: " + string(mode), "node: n1": "node: " + o.node,
		"listen: 127.0.0.1:8583": "listen: " + o.listen} {
		text = strings.Replace(text, "\n"+old+"\n", "\n"+new+"\n", 1)
	}
	for name, content := range map[string]string{"host.yaml": text, "hsm.yaml": "# Configuration of the HSM boundary.\n" + hsm, "rules.yaml": string(score.Sample)} {
		if err := os.WriteFile(filepath.Join(o.dir, name), []byte(content), 0o600); err != nil {
			return components, err
		}
	}
	for _, d := range []string{"tls", "db", "run"} {
		if err := os.Mkdir(filepath.Join(o.dir, d), 0o700); err != nil {
			return components, err
		}
	}
	return components, writeTLS(filepath.Join(o.dir, "tls"), o)
}

// writeRandom writes n random bytes in hex to a new file of mode 0600, and keeps
// them in into when it is not nil.
func writeRandom(path string, n int, into *[]pure.Secret) error {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	text := make([]byte, hex.EncodedLen(n)+1)
	hex.Encode(text, b)
	text[len(text)-1] = '\n'
	defer clear(text)
	if into != nil {
		*into = append(*into, pure.New(b))
	}
	clear(b)
	return secret.WriteFile(path, text)
}

// writeTLS makes the authority of terminals and the host's certificate.
func writeTLS(dir string, o initOptions) error {
	ca, caCert, caKey, err := xtls.NewCA("Tallystick host "+o.node, o.lab, time.Now())
	if err != nil {
		return err
	}
	key, keyPEM, err := xtls.NewKey()
	if err != nil {
		return err
	}
	cert, err := ca.SignServer(key.Public(), o.names, time.Now())
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "ca.crt"), caCert, 0o644), secret.WriteFile(filepath.Join(dir, "ca.key"), caKey),
		os.WriteFile(filepath.Join(dir, "server.crt"), cert, 0o644), secret.WriteFile(filepath.Join(dir, "server.key"), keyPEM))
}

// firstKeys makes the keys of a new host inside the boundary, and notes the key
// that its checkpoints are signed with.
func (n *node) firstKeys(ctx context.Context) error {
	info, err := n.hsm.Info(ctx)
	if err != nil {
		return boundaryFailure(err)
	}
	if err := os.WriteFile(n.cfg.path(n.cfg.AuditKey), []byte(hex.EncodeToString(info.CheckpointKey)+"\n"), 0o644); err != nil {
		return err
	}
	for _, k := range []struct {
		name, label string
		spec        api.KeySpec
		issuer      bool
	}{
		{keyBDKAES, "base derivation key, AES DUKPT", api.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 16}, false},
		{keyBDKTDES, "base derivation key, TDES DUKPT", api.KeySpec{Usage: "B0", Algorithm: "T", Mode: "X", Bytes: 16}, false},
		{keyIMK, "issuer master key for cryptograms", api.KeySpec{Usage: "E0", Algorithm: "T", Mode: "X", Bytes: 16}, true},
		{keyPVK, "PIN verification key", api.KeySpec{Usage: "V2", Algorithm: "T", Mode: "C", Bytes: 16}, true},
		{keyCVK, "card verification key", api.KeySpec{Usage: "C0", Algorithm: "T", Mode: "C", Bytes: 16}, true},
	} {
		key, err := n.hsm.GenerateKey(ctx, k.spec)
		if err != nil {
			return boundaryFailure(err)
		}
		if k.issuer {
			if err := n.onus.PutKey(ctx, k.name, key, n.now()); err != nil {
				return err
			}
			continue
		}
		err = n.books.Do(ctx, "app.init", func(tx *store.Tx) error {
			if err := terminals.PutKey(tx, terminals.HostKey{Name: k.name, Key: key, Label: k.label, Since: n.now()}); err != nil {
				return err
			}
			_, err := n.audit.Append(tx, audit.Entry{Kind: "key.generated", Actor: actor(ctx), Object: k.name, Detail: "check value " + key.KCV, At: n.now()})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
