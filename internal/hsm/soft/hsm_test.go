package soft

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
)

// options open a lab boundary in a new directory with a fixed LMK.
func options(t *testing.T) Options {
	t.Helper()
	return Options{
		Directory: filepath.Join(t.TempDir(), "b"), Lab: true, Components: []secret.Secret{component(1), component(2)},
		Random: rand.Reader, Now: time.Now,
	}
}

func mustNew(t *testing.T, o Options) *HSM {
	t.Helper()
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustClose(t *testing.T, h *HSM) {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// refuse opens a boundary that must not open.
func refuse(t *testing.T, name string, o Options, want error) {
	t.Helper()
	h, err := New(o)
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
	if err == nil {
		mustClose(t, h)
	}
}

func TestDirectoryBelongsToItsLMKAndMode(t *testing.T) {
	o := options(t)
	h := mustNew(t, o)
	refuse(t, "a directory that is held", o, ErrHeld)
	mustClose(t, h)
	other := o
	other.Components = []secret.Secret{component(1), component(4)}
	refuse(t, "another LMK", other, ErrWrongLMK)
	live := o
	live.Lab = false
	refuse(t, "the same LMK in production", live, ErrWrongLMK)
	phrase := o
	phrase.Components, phrase.Passphrase = nil, secret.New([]byte("correct horse battery"))
	refuse(t, "a passphrase for components", phrase, ErrWrongLMK)
	phrase.Directory = filepath.Join(t.TempDir(), "p")
	mustClose(t, mustNew(t, phrase))
	mustClose(t, mustNew(t, phrase)) // the salt stays
	phrase.Passphrase = secret.New([]byte("correct horse batterz"))
	refuse(t, "another passphrase", phrase, ErrWrongLMK)
	phrase.Lab = false
	if _, err := New(phrase); err == nil {
		t.Error("a passphrase was accepted in production")
	}
	mustClose(t, mustNew(t, o))
}

func TestDirectoryThatCannotBeTrusted(t *testing.T) {
	lookup := filepath.Join("keys", "lookup.key")
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  error
	}{
		"readable file":   {func(d string) error { return os.Chmod(filepath.Join(d, lookup), 0o644) }, ErrOpenToOthers},
		"readable folder": {func(d string) error { return os.Chmod(filepath.Join(d, "state"), 0o750) }, ErrOpenToOthers},
		"link":            {func(d string) error { return os.Symlink("/etc/passwd", filepath.Join(d, "keys", "x")) }, ErrOpenToOthers},
		"socket among keys": {func(d string) error {
			return unix.Mknod(filepath.Join(d, "keys", "s"), unix.S_IFSOCK|0o600, 0)
		}, ErrOpenToOthers},
		"missing key":    {func(d string) error { return os.Remove(filepath.Join(d, lookup)) }, os.ErrNotExist},
		"missing state":  {func(d string) error { return os.Remove(filepath.Join(d, "state", "pins")) }, os.ErrNotExist},
		"no sealing key": {func(d string) error { return os.Remove(filepath.Join(d, "keys", "seal-000001.key")) }, ErrState},
		"key of another file": {func(d string) error {
			return os.Rename(filepath.Join(d, "keys", "checkpoint.key"), filepath.Join(d, lookup))
		}, ErrState},
		"renamed sealing key": {func(d string) error {
			return os.Rename(filepath.Join(d, "keys", "seal-000001.key"), filepath.Join(d, "keys", "seal-000002.key"))
		}, ErrState},
	} {
		o := options(t)
		mustClose(t, mustNew(t, o))
		if err := c.spoil(o.Directory); err != nil {
			t.Fatal(err)
		}
		refuse(t, name, o, c.want)
	}
	o := options(t)
	mustClose(t, mustNew(t, o))
	if err := os.Remove(filepath.Join(o.Directory, descriptionFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); err == nil {
		t.Error("a directory with keys and no description was founded anew")
	}
}

// A founding that a crash interrupted is begun again; a finished one never is.
func TestInterruptedFounding(t *testing.T) {
	o := options(t)
	h := mustNew(t, o)
	first := h.lookup(secret.New([]byte("1")))
	mustClose(t, h)
	d, err := readDescription(o.Directory)
	if err != nil || !d.Ready {
		t.Fatalf("description %+v, %v", d, err)
	}
	d.Ready = false
	if err := writeDescription(o.Directory, d); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(o.Directory, "keys", "reference.key")); err != nil {
		t.Fatal(err)
	}
	h = mustNew(t, o)
	second := h.lookup(secret.New([]byte("1")))
	mustClose(t, h)
	h = mustNew(t, o)
	defer mustClose(t, h)
	if third := h.lookup(secret.New([]byte("1"))); second == first || third != second {
		t.Error("the keys are those of the interrupted founding, or changed after it")
	}
}

// A further node starts from the keys of the first and knows the same cards.
func TestFurtherNode(t *testing.T) {
	o := options(t)
	h := mustNew(t, o)
	card, err := h.describe(cardblob.Card{PAN: secret.New([]byte("4929000000000006"))}, h.lookup(secret.New([]byte("4929000000000006"))))
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, h)
	node := options(t)
	for _, name := range []string{descriptionFile, "keys"} {
		if err := os.CopyFS(filepath.Join(node.Directory), subset{os.DirFS(o.Directory), name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tighten(node.Directory); err != nil {
		t.Fatal(err)
	}
	n := mustNew(t, node)
	defer mustClose(t, n)
	if n.lookup(secret.New([]byte("4929000000000006"))) != card.Lookup {
		t.Error("the nodes have different look-up values")
	}
	if _, ok := n.sealer.open(card.NewToken, card.NewSealed); !ok {
		t.Error("the second node cannot open a PAN of the first")
	}
}

// A key is for the mode it was made in, even under the same LMK, and the
// boundary's own keys are for nobody.
func TestMarksAndLabels(t *testing.T) {
	lab, live := options(t), options(t)
	live.Lab = false
	a, b := mustNew(t, lab), mustNew(t, live)
	defer mustClose(t, a)
	defer mustClose(t, b)
	s, p := a.NewSession(), b.NewSession()
	spec := api.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 16}
	test, err := s.GenerateKey(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	real, err := p.GenerateKey(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.unwrap(test.Block); !errors.Is(err, api.ErrKey) {
		t.Errorf("a test key in production: %v", err)
	}
	if _, err := a.unwrap(real.Block); !errors.Is(err, api.ErrKey) {
		t.Errorf("a live key in the lab: %v", err)
	}
	tr, err := p.NewTransport(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trk, err := b.unwrap(tr.Key.Block)
	if err != nil {
		t.Fatal(err)
	}
	ik, err := a.unwrap(test.Block)
	if err != nil {
		t.Fatal(err)
	}
	block, err := a.export(ik, make([]byte, 8), trk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ImportBlock(t.Context(), tr.Key.Block, block); !errors.Is(err, api.ErrKey) {
		t.Errorf("a test key that is imported into production: %v", err)
	}
	own, err := os.ReadFile(filepath.Join(lab.Directory, "keys", "seal-000001.key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.unwrap(api.KeyBlock(own[:len(own)-1])); !errors.Is(err, api.ErrKey) {
		t.Errorf("a sealing key as a key of the host: %v", err)
	}
}

// A sealing key is replaced when its seals are used up, and a crash never gives
// back seals that may have been made.
func TestSealsAreBounded(t *testing.T) {
	o := options(t)
	h := mustNew(t, o)
	pan := secret.New([]byte("4929000000000006"))
	version := func() uint32 {
		t.Helper()
		b, err := h.sealer.seal("T", pan)
		if err != nil {
			t.Fatal(err)
		}
		return binary.BigEndian.Uint32(b)
	}
	if version() != 1 || h.sealer.left != sealBlock-1 || h.sealer.reserved != sealBlock {
		t.Fatalf("left %d of %d", h.sealer.left, h.sealer.reserved)
	}
	mustClose(t, h)
	h = mustNew(t, o)
	if version() != 1 || h.sealer.reserved != 2*sealBlock {
		t.Errorf("after a restart %d are reserved", h.sealer.reserved)
	}
	h.sealer.reserved, h.sealer.left = maxSeals, 1
	if version() != 1 || version() != 2 {
		t.Error("a spent key seals on")
	}
	mustClose(t, h)
	h = mustNew(t, o)
	defer mustClose(t, h)
	if version() != 2 {
		t.Error("after a restart the old key seals again")
	}
}
