package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/register"
	"tallystick.example/dukpt"
	"tallystick.example/dukpt/keyblock"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/conf"
	pure "tallystick.example/internal/pure/secret"
	"tallystick.example/internal/secret"
)

// Fields of the header of an initial key (X9.143:2021, 6.3).
const (
	usageInitialKey = "B1"
	idMark          = "10" // proprietary block: TEST or LIVE
	markTest        = "TEST"
)

func keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Load the terminal's DUKPT key"}
	c.AddCommand(keyLoadCommand())
	return c
}

// loadArgs are the files of a key load.
type loadArgs struct {
	block     string
	transport []string
	kcv       string
}

// loadedKey is what may be known of a loaded key.
type loadedKey struct {
	Scheme string `json:"scheme"`
	Set    string `json:"set_id"`
	KCV    string `json:"kcv"`
	Test   bool   `json:"test"`
}

func keyLoadCommand() *cobra.Command {
	var a loadArgs
	c := &cobra.Command{
		Use: "load", Short: "Load an initial DUKPT key from a TR-31 block", Args: cobra.NoArgs,
		Long: `load opens a TR-31 block that holds an initial DUKPT key, made by "host terminal
keys", and puts it into the terminal's registers. The transport key comes in two
components of full length, each in a file of its custodian, hexadecimal, mode
0600. The check value is shown, and compared when --kcv is given.

The agent must be stopped. A key that was loaded before is refused: its counters
would start again. Mode lab takes test keys only, mode production refuses them.`,
		Example: "  agent key load --block T.tr31 --transport T.component1 --transport T.component2 --kcv 7A3F09C1D2",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c)
			if err != nil {
				return err
			}
			k, err := loadKey(cfg, a)
			if err != nil {
				return err
			}
			return cli.Print(c, k, fmt.Sprintf("%s DUKPT key set %s is loaded, check value %s", strings.ToUpper(k.Scheme), k.Set, k.KCV))
		},
	}
	c.Flags().StringVar(&a.block, "block", "", "`FILE` with the TR-31 block")
	c.Flags().StringArrayVar(&a.transport, "transport", nil, "`FILE` with one component of the transport key, given twice")
	c.Flags().StringVar(&a.kcv, "kcv", "", "check value that the key must have, hexadecimal `DIGITS`")
	_ = c.MarkFlagRequired("block")     // fails only for a flag that does not exist
	_ = c.MarkFlagRequired("transport") // as above
	return c
}

// loadKey opens the block and replaces the registers.
func loadKey(cfg *params.Config, a loadArgs) (loadedKey, error) {
	header, ik, err := unwrapKey(a)
	if err != nil {
		return loadedKey{}, err
	}
	defer ik.Wipe()
	ksn, k, err := checkKey(cfg, header, ik, a.kcv)
	if err != nil {
		return loadedKey{}, cli.Fail(cli.ExitFailed, "the key is refused", "have the host make a key set for this terminal", err)
	}
	if err := makeDataDir(cfg); err != nil {
		return loadedKey{}, cli.Fail(cli.ExitUsage, "the data directory cannot be used", "", err)
	}
	f, err := openForLoad(cfg)
	if err != nil {
		return loadedKey{}, classify("the terminal's books cannot be opened", err)
	}
	err = f.load(ik, ksn, k)
	if err := errors.Join(err, f.close()); err != nil {
		return loadedKey{}, classify("the key was not loaded", err)
	}
	return k, nil
}

// openForLoad opens the books; damaged registers are what a new key replaces.
func openForLoad(cfg *params.Config) (*files, error) {
	f, err := openFiles(cfg)
	if !errors.Is(err, register.ErrDamaged) {
		return f, err
	}
	return openWithoutRegisters(cfg)
}

// load writes the registers first: a journal without the record of a load only
// makes the same load possible again, whose counters have not been used.
func (f *files) load(ik pure.Secret, ksn dukpt.KSN, k loadedKey) error {
	if f.register != nil {
		err := f.register.Close()
		f.register = nil
		if err != nil {
			return err
		}
	}
	set, _ := f.journal.Counter()
	if err := register.Load(f.options, set, ik, ksn); err != nil {
		return err
	}
	return f.journal.KeyLoad(journal.KeyLoad{Set: k.Set, Scheme: k.Scheme})
}

// unwrapKey joins the components and opens the block.
func unwrapKey(a loadArgs) (keyblock.Header, pure.Secret, error) {
	kbpk, err := joinComponents(a.transport)
	if err != nil {
		return keyblock.Header{}, pure.Secret{}, cli.Fail(cli.ExitUsage, "the transport key cannot be read", "give --transport twice, with the two component files", err)
	}
	defer kbpk.Wipe()
	text, err := os.ReadFile(a.block)
	if err != nil {
		return keyblock.Header{}, pure.Secret{}, cli.Fail(cli.ExitUsage, "the key block cannot be read", "check --block", err)
	}
	h, key, err := keyblock.Unwrap(kbpk.Expose(), strings.TrimSpace(string(text)))
	if err != nil {
		return keyblock.Header{}, pure.Secret{}, cli.Fail(cli.ExitFailed, "the key block does not open under this transport key", "check that block and components belong together", err)
	}
	return h, pure.Take(key), nil
}

// joinComponents XORs two full-length components.
func joinComponents(paths []string) (pure.Secret, error) {
	if len(paths) != 2 {
		return pure.Secret{}, fmt.Errorf("%d component files were given, want 2", len(paths))
	}
	one, err := secret.ReadHexFile(paths[0])
	if err != nil {
		return pure.Secret{}, err
	}
	defer one.Wipe()
	two, err := secret.ReadHexFile(paths[1])
	if err != nil {
		return pure.Secret{}, err
	}
	defer two.Wipe()
	if one.Len() != two.Len() || one.IsZero() {
		return pure.Secret{}, errors.New("the components have different lengths")
	}
	if one.Equal(two) {
		return pure.Secret{}, errors.New("both files hold the same component")
	}
	sum := make([]byte, one.Len())
	for i, b := range one.Expose() {
		sum[i] = b ^ two.Expose()[i]
	}
	return pure.Take(sum), nil
}

// checkKey looks at what the block says of its key: an initial DUKPT key for
// this mode, with the name of its key set and the check value that was expected.
func checkKey(cfg *params.Config, h keyblock.Header, ik pure.Secret, wantKCV string) (dukpt.KSN, loadedKey, error) {
	if h.Usage != usageInitialKey {
		return dukpt.KSN{}, loadedKey{}, fmt.Errorf("the block holds a key of usage %s, want %s, an initial DUKPT key", h.Usage, usageInitialKey)
	}
	if err := h.Check(ik.Len()); err != nil {
		return dukpt.KSN{}, loadedKey{}, err
	}
	mark, _ := h.Find(idMark)
	test := mark == markTest
	if test != (cfg.Mode == conf.Lab) {
		return dukpt.KSN{}, loadedKey{}, fmt.Errorf("mode is %s and the key is marked %q: mode lab takes keys marked %s only, production none of them", cfg.Mode, mark, markTest)
	}
	ksn, err := initialKSN(h)
	if err != nil {
		return dukpt.KSN{}, loadedKey{}, err
	}
	check, err := keyblock.CheckValue(keyblock.IDCheckKey, h.Algorithm, ik.Expose())
	if err != nil {
		return dukpt.KSN{}, loadedKey{}, err
	}
	kcv := check.Data[2:] // behind the two digits of the method
	if wantKCV != "" && !strings.EqualFold(wantKCV, kcv) {
		return dukpt.KSN{}, loadedKey{}, fmt.Errorf("its check value is %s, not %s", kcv, wantKCV)
	}
	return ksn, loadedKey{Scheme: ksn.Scheme().String(), Set: register.SetName(ksn), KCV: kcv, Test: test}, nil
}

// initialKSN reads the name of the key set: block IK of an AES key, block KS of
// a TDES key.
func initialKSN(h keyblock.Header) (dukpt.KSN, error) {
	id, scheme, counter := keyblock.IDInitial, dukpt.AES, "00000000"
	if h.Algorithm == 'T' {
		id, scheme, counter = keyblock.IDKeySet, dukpt.TDES, ""
	}
	text, ok := h.Find(id)
	if !ok {
		return dukpt.KSN{}, fmt.Errorf("the block has no optional block %s, which names the key set", id)
	}
	b, err := hex.DecodeString(text + counter)
	if err != nil {
		return dukpt.KSN{}, fmt.Errorf("the optional block %s is not hexadecimal", id)
	}
	return dukpt.ParseKSN(scheme, b)
}
