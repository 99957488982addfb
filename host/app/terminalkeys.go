package app

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/terminals"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/secret"
)

// Names of the host's keys.
const (
	keyBDKAES  = "bdk.aes.1"
	keyBDKTDES = "bdk.tdes.1"
	keyPVK     = "issuer.pvk.1" // also in the issuer's own database
	keyCVK     = "issuer.cvk.1"
	keyIMK     = "issuer.imk.1"
)

// terminalKeysArgs are those of terminal.keys.
type terminalKeysArgs struct {
	ID     string `json:"id"`
	Scheme string `json:"scheme"`
	Out    string `json:"out"`    // absolute directory
	Retire bool   `json:"retire"` // the sets that were active before
}

// terminalKeysResult describes the files. It is also written beside them.
type terminalKeysResult struct {
	Terminal   string   `json:"terminal"`
	Scheme     string   `json:"scheme"`
	SetID      string   `json:"set_id"` // hex: initial key ID (AES) or initial KSN (TDES)
	KCV        string   `json:"kcv"`
	Test       bool     `json:"test"`
	Block      string   `json:"block"` // file with the TR-31 block
	Components []string `json:"components"`
}

// terminalKeys makes a key set for a terminal: its initial key in a TR-31 block
// under a fresh transport key, whose two components go to two custodians.
func terminalKeys(ctx context.Context, n *node, a terminalKeysArgs) (terminalKeysResult, error) {
	set, test, err := n.newSet(ctx, a)
	if err != nil {
		return terminalKeysResult{}, err
	}
	if err := n.note(ctx, "terminal.keys", a.ID, fmt.Sprintf("%s set %X", a.Scheme, set.ID)); err != nil {
		return terminalKeysResult{}, classified("the act cannot be audited, so it is not done", err)
	}
	transport, err := n.hsm.NewTransport(ctx)
	if err != nil {
		return terminalKeysResult{}, boundaryFailure(err)
	}
	for _, c := range transport.Components {
		defer c.Wipe()
	}
	exported, err := n.hsm.InitialKey(ctx, api.InitialKeyRequest{Set: set, Transport: transport.Key.Block})
	if err != nil {
		return terminalKeysResult{}, boundaryFailure(err)
	}
	r := terminalKeysResult{Terminal: a.ID, Scheme: a.Scheme, SetID: fmt.Sprintf("%X", set.ID), KCV: exported.KCV, Test: test}
	if err := n.books.Do(ctx, "app.terminal.keys", func(tx *store.Tx) error { return n.register(tx, actor(ctx), a, set) }); err != nil {
		return terminalKeysResult{}, classified("the key set cannot be registered", err)
	}
	if err := writeKeys(a.Out, &r, exported.Block, transport); err != nil {
		return terminalKeysResult{}, cli.Fail(cli.ExitFailed, "the key files cannot be written", "run the command again for another key set", err)
	}
	return r, nil
}

// register stores the set and retires others when asked to.
func (n *node) register(tx *store.Tx, actor string, a terminalKeysArgs, set api.KeySet) error {
	if a.Retire {
		old, err := terminals.KeySets(tx, a.ID)
		if err != nil {
			return err
		}
		for _, s := range old {
			if s.Status != terminals.Active {
				continue
			}
			if err := terminals.RetireKeySet(tx, a.ID, s.ID); err != nil {
				return err
			}
		}
	}
	if err := terminals.AddKeySet(tx, a.ID, set); err != nil {
		return err
	}
	_, err := n.audit.Append(tx, audit.Entry{Kind: "terminal.keys.done", Actor: actor, Object: a.ID, Detail: fmt.Sprintf("set %X", set.ID), At: n.now()})
	return err
}

// newSet chooses base key and ID of a key set.
func (n *node) newSet(ctx context.Context, a terminalKeysArgs) (api.KeySet, bool, error) {
	name, scheme := keyBDKAES, api.SchemeAES
	switch a.Scheme {
	case string(api.SchemeAES):
	case string(api.SchemeTDES):
		name, scheme = keyBDKTDES, api.SchemeTDES
	default:
		return api.KeySet{}, false, cli.Fail(cli.ExitUsage, "the scheme is "+a.Scheme+", want aes or tdes", "", nil)
	}
	var bdk terminals.HostKey
	err := n.books.Read(ctx, func(q store.Querier) error {
		if _, err := terminals.Get(q, a.ID); err != nil {
			return err
		}
		var err error
		bdk, err = terminals.GetKey(q, name)
		return err
	})
	if err != nil {
		return api.KeySet{}, false, classified("no keys can be made for terminal "+a.ID, err)
	}
	id, err := newSetID(scheme)
	return api.KeySet{Scheme: scheme, ID: id, BDK: bdk.Key.Block, PIN: true, MAC: true, Data: true}, bdk.Key.Test, err
}

// Identifiers of the base keys: 4 bytes of an AES initial key ID, 5 of a TDES
// KSN. The FF begin of the latter is what the industry uses for keys of one's own.
var (
	aesBase  = []byte{0x54, 0x4C, 0x00, 0x01}
	tdesBase = []byte{0xFF, 0xFF, 0x54, 0x4C, 0x01}
)

// newSetID draws the device part at random: a set ID is registered once for
// ever, and no counter of devices has to be kept.
func newSetID(scheme api.Scheme) ([]byte, error) {
	var device [4]byte
	if _, err := rand.Read(device[:]); err != nil {
		return nil, fmt.Errorf("drawing a key set id: %w", err)
	}
	if scheme == api.SchemeAES {
		return append(append([]byte{}, aesBase...), device[:]...), nil
	}
	// 19 bits of device above 21 bits of counter (X9.24-1:2009, A.2).
	var low [8]byte
	binary.BigEndian.PutUint64(low[:], uint64(binary.BigEndian.Uint32(device[:])&(1<<19-1))<<21)
	return append(append([]byte{}, tdesBase...), low[3:]...), nil
}

// writeKeys writes block, components and description, each with mode 0600, and
// never over anything.
func writeKeys(dir string, r *terminalKeysResult, block string, t api.Transport) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	base := filepath.Join(dir, fmt.Sprintf("%s-%s-%s", r.Terminal, r.Scheme, r.SetID))
	r.Block = base + ".tr31"
	errs := []error{secret.WriteFile(r.Block, []byte(block+"\n"))}
	for i, c := range t.Components {
		path := fmt.Sprintf("%s.component%d", base, i+1)
		text := make([]byte, hex.EncodedLen(c.Len())+1)
		hex.Encode(text, c.Expose())
		text[len(text)-1] = '\n'
		errs = append(errs, secret.WriteFile(path, text))
		clear(text)
		r.Components = append(r.Components, path)
	}
	about, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(append(errs, secret.WriteFile(base+".json", append(about, '\n')))...)
}

// boundaryFailure maps an error of the boundary for an operator.
func boundaryFailure(err error) error {
	switch {
	case errors.Is(err, api.ErrUnavailable):
		return cli.Fail(cli.ExitUnavailable, "the HSM boundary cannot be reached or is locked", "start it, or unlock it with host hsm unlock", nil)
	case errors.Is(err, api.ErrPolicy):
		return cli.Fail(cli.ExitFailed, "the HSM boundary does not allow this", "clear keys and test cards are for mode lab only", nil)
	case errors.Is(err, api.ErrInput):
		return cli.Fail(cli.ExitUsage, "the HSM boundary refused the input as malformed", "check the files that were named", nil)
	}
	return cli.Fail(cli.ExitFailed, "the HSM boundary refused", "", err)
}

func terminalKeysCommand(logs io.Writer) *cobra.Command {
	var scheme, out string
	var retire bool
	c := &cobra.Command{
		Use: "keys TID", Short: "Make a DUKPT key set for a terminal", Args: cobra.ExactArgs(1),
		Long: `keys derives the initial key of a new DUKPT key set inside the HSM boundary and
writes to DIR, each with mode 0600:

  TID-SCHEME-ID.tr31        the initial key as a TR-31 block under a transport key
  TID-SCHEME-ID.component1  the transport key in two components, for two
  TID-SCHEME-ID.component2  custodians who each load one at the terminal
  TID-SCHEME-ID.json        what may be known: id, check value, file names

The key itself leaves the boundary in no other form. Sets that were active stay
so until --retire; a retired set still serves stored advices and reversals.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := absolute(out)
			if err != nil {
				return err
			}
			var r terminalKeysResult
			if err := do(cmd, logs, "terminal.keys", terminalKeysArgs{args[0], scheme, dir, retire}, &r); err != nil {
				return err
			}
			return cli.Print(cmd, r, fmt.Sprintf("key set %s (%s, check value %s) of terminal %s:\n  %s\n  %s\n  %s",
				r.SetID, r.Scheme, r.KCV, r.Terminal, r.Block, r.Components[0], r.Components[1]))
		},
	}
	c.Flags().StringVar(&scheme, "scheme", "aes", "DUKPT scheme: aes (X9.24-3) or tdes (X9.24-1)")
	c.Flags().StringVar(&out, "out", "", "`DIR` for the files")
	c.Flags().BoolVar(&retire, "retire", false, "retire the sets that are active now")
	_ = c.MarkFlagRequired("out") // fails only for a flag that does not exist
	return c
}
