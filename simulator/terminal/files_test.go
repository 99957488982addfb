package terminal_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/keyblock"
	"tallystick.example/internal/xtls"
	"tallystick.example/simulator/terminal"
)

// folder writes all files of a terminal and a card.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		return name
	}
	id := xtls.Identity{Terminal: "TERM0001", Merchant: "MERCHANT0000001"}
	ca, caPEM, _, err := xtls.NewCA("test", true, time.Now())
	must(t, err)
	key, keyPEM, err := xtls.NewKey()
	must(t, err)
	csr, err := xtls.NewRequest(key, id)
	must(t, err)
	cert, err := ca.SignTerminal(csr, id, time.Now())
	must(t, err)
	ksn, err := dukpt.ParseKSN(dukpt.AES, unhex(t, aesID))
	must(t, err)
	ik, err := dukpt.InitialKey(unhex(t, aesBDK), ksn)
	must(t, err)
	kbpk := unhex(t, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
	block, err := keyblock.Wrap(kbpk, keyblock.Header{Usage: "B1", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N',
		Optional: []keyblock.Block{keyblock.InitialKeyID(ksn.Bytes()[:8])}}, ik, rand.Reader)
	must(t, err)
	one := make([]byte, len(kbpk))
	for i := range one {
		one[i], kbpk[i] = 0x5A, kbpk[i]^0x5A
	}
	f := terminal.Files{Terminal: id.Terminal, Merchant: id.Merchant, Certificate: put("crt", cert), Key: put("key", keyPEM), CA: put("ca", caPEM),
		ServerName: "localhost", Address: "127.0.0.1:1", Block: put("tr31", []byte(block)),
		Components: []string{put("c1", []byte(hex.EncodeToString(one))), put("c2", []byte(hex.EncodeToString(kbpk)))}}
	c := terminal.CardFiles{PAN: put("pan", []byte("4929000000000006\n")), PIN: put("pin", []byte("1234")), IMK: put("imk", []byte(imk)),
		Expiry: "3012", PSN: "00", Profile: "visa_cvn18"}
	for name, v := range map[string]any{"terminal.json": f, "card.json": c} {
		b, err := json.Marshal(v)
		must(t, err)
		put(name, b)
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := folder(t)
	tm, err := terminal.Load(filepath.Join(dir, "terminal.json"))
	must(t, err)
	keys, err := tm.NextKeys()
	must(t, err)
	// The working keys are those of the published supplement.
	mac, err := keys.MAC(dukpt.Request, []byte("x"))
	must(t, err)
	base, err := dukpt.NewBase(dukpt.AES, unhex(t, aesBDK))
	must(t, err)
	same, err := base.Keys(keys.KSN(), 0)
	must(t, err)
	if ok, err := same.VerifyMAC(dukpt.Request, []byte("x"), mac); err != nil || !ok {
		t.Errorf("the loaded keys are not those of the block (%v)", err)
	}
	c, err := terminal.LoadCard(filepath.Join(dir, "card.json"))
	must(t, err)
	if string(c.PAN.Expose()) != "4929000000000006" {
		t.Error("the PAN is not that of the file")
	}
}

// TestLoadRefuses spoils one file at a time.
func TestLoadRefuses(t *testing.T) {
	for _, name := range []string{"terminal.json", "crt", "key", "ca", "tr31", "c1", "c2"} {
		dir := folder(t)
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("00"), 0o600))
		if _, err := terminal.Load(filepath.Join(dir, "terminal.json")); err == nil {
			t.Errorf("a spoilt %s was accepted", name)
		}
		must(t, os.Remove(filepath.Join(dir, name)))
		if _, err := terminal.Load(filepath.Join(dir, "terminal.json")); err == nil {
			t.Errorf("a missing %s was accepted", name)
		}
	}
	for _, name := range []string{"card.json", "pan", "pin", "imk"} {
		dir := folder(t)
		must(t, os.Remove(filepath.Join(dir, name)))
		if _, err := terminal.LoadCard(filepath.Join(dir, "card.json")); err == nil {
			t.Errorf("a missing %s was accepted", name)
		}
	}
}
