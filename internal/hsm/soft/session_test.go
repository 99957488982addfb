package soft

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// subset is the part of a file system at or below one name.
type subset struct {
	fs.FS
	name string
}

// Open hides everything else.
func (s subset) Open(name string) (fs.File, error) { return s.FS.Open(name) }

// ReadDir lists of the top only the one name.
func (s subset) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(s.FS, name)
	if name != "." {
		return all, err
	}
	var some []fs.DirEntry
	for _, e := range all {
		if e.Name() == s.name {
			some = append(some, e)
		}
	}
	return some, err
}

// tighten gives a copied directory the modes of a boundary's.
func tighten(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		mode := fs.FileMode(0o600)
		if err == nil && d.IsDir() {
			mode = 0o700
		}
		return errors.Join(err, os.Chmod(path, mode))
	})
}

// held puts a message with a PAN into a session and returns the memory of the
// PAN, to see it wiped.
func held(t *testing.T, s *Session) (api.Handle, []byte) {
	t.Helper()
	pan := secret.New([]byte("4929000000000006"))
	h, err := s.keep(&opened{card: cardblob.Card{PAN: pan}, hasCard: true, pinBlock: []byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	return h, pan.Expose()
}

func wiped(b []byte) bool { return strings.Trim(string(b), "\x00") == "" }

// Handles are wiped by Release, by age also on an idle session, and at its end;
// nothing is left behind.
func TestSecretsOfHandlesAreWiped(t *testing.T) {
	o := options(t)
	now := time.Unix(1e9, 0)
	o.Now = func() time.Time { return now }
	hsm := mustNew(t, o)
	defer mustClose(t, hsm)
	s := hsm.NewSession()
	a, panA := held(t, s)
	if err := s.Release(t.Context(), a); err != nil || !wiped(panA) || len(s.open) != 0 {
		t.Errorf("after Release: wiped %v, %d open, %v", wiped(panA), len(s.open), err)
	}
	_, panB := held(t, s)
	now = now.Add(handleLife / 2)
	_, panC := held(t, s)
	now = now.Add(handleLife / 2)
	s.Expire()
	if !wiped(panB) || wiped(panC) || len(s.open) != 1 || len(s.order) != 1 {
		t.Errorf("after half a minute: old wiped %v, young wiped %v, %d open, %d queued", wiped(panB), wiped(panC), len(s.open), len(s.order))
	}
	s.Close()
	if !wiped(panC) {
		t.Error("Close leaves a PAN")
	}
	if err := s.Release(t.Context(), 1); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("a closed session: %v", err)
	}
	if _, err := s.keep(&opened{}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("a closed session takes a message: %v", err)
	}
}

// A sealed answer spends its handle, also in memory.
func TestSealLeavesNothing(t *testing.T) {
	hsm := mustNew(t, options(t))
	defer mustClose(t, hsm)
	s := hsm.NewSession()
	ksn := []byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0, 0, 0, 1}
	bdk, err := core.NewKey(core.Attributes{Usage: "B0", Algorithm: "A", Mode: "X"}, secret.New(make([]byte, 16)))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := core.NewTransaction(bdk, ksn)
	if err != nil {
		t.Fatal(err)
	}
	response, err := tx.AnswerMACKey()
	if err != nil {
		t.Fatal(err)
	}
	pan := secret.New([]byte("4929000000000006"))
	memory := pan.Expose()
	h, err := s.keep(&opened{authentic: true, mti: iso8583.FinancialRequest, stan: "000042", terminal: "TERM0001",
		ksn: ksn, response: response, card: cardblob.Card{PAN: pan}})
	if err != nil {
		t.Fatal(err)
	}
	mti, _ := iso8583.FinancialRequest.Answer()
	m := iso8583.New(mti)
	m.SetDigits(11, "000042")
	m.SetText(39, "00")
	m.SetText(41, "TERM0001")
	m.SetPrivate(iso8583.Private{MACKSN: ksn})
	packed, err := iso8583.PackForMAC(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(t.Context(), api.SealRequest{Handle: h, Answer: packed}); err != nil {
		t.Fatal(err)
	}
	if len(s.open) != 0 || !wiped(memory) {
		t.Errorf("%d messages are open, PAN wiped %v", len(s.open), wiped(memory))
	}
}

// One connection cannot fill the memory.
func TestHandlesAreBounded(t *testing.T) {
	o := options(t)
	now := time.Unix(1e9, 0)
	o.Now = func() time.Time { return now }
	hsm := mustNew(t, o)
	defer mustClose(t, hsm)
	s := hsm.NewSession()
	defer s.Close()
	for range maxHandles {
		if _, err := s.keep(&opened{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.keep(&opened{}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("one more: %v", err)
	}
	now = now.Add(handleLife)
	if _, err := s.keep(&opened{}); err != nil || len(s.open) != 1 {
		t.Errorf("after half a minute: %v, %d open", err, len(s.open))
	}
}

// A verdict on a PIN that could not be counted does not leave the boundary, and
// neither does any later one.
func TestNoVerdictWithoutCount(t *testing.T) {
	hsm := mustNew(t, options(t))
	defer mustClose(t, hsm)
	hsm.brake.t.syncing = func(*os.File) error { return errors.New("no space left") }
	if _, err := hsm.brake.decide([32]byte{1}, false); err == nil {
		t.Error("a wrong PIN was told without being counted")
	}
	hsm.brake.t.syncing = (*os.File).Sync
	if _, err := hsm.brake.decide([32]byte{2}, true); err == nil {
		t.Error("a PIN was verified when nothing is known of the counts")
	}
	if err := outward("verifying", hsm.brake.release([32]byte{1})); !errors.Is(err, api.ErrUnavailable) || strings.Contains(err.Error(), "space") {
		t.Errorf("outside this is %v", err)
	}
}
