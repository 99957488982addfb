package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"tallystick.example/agent/internal/params"
	"tallystick.example/dukpt"
	"tallystick.example/dukpt/keyblock"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/xtls"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A bench is a folder with a terminal's configuration and what it is set up with.
type bench struct {
	t        *testing.T
	dir      string
	config   string
	listener net.Listener
}

// newBench writes the sample configuration for this folder, with a reader line
// and a host that nobody serves.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	peer, tty, err := pty.Open()
	ok(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	t.Cleanup(func() { _ = peer.Close(); _ = tty.Close(); _ = l.Close() })
	sample, err := os.ReadFile("../sample.yaml")
	ok(t, err)
	text := strings.NewReplacer(
		"data_dir: /var/lib/tallystick/agent", "data_dir: data", "address: host.example:8583", "address: "+l.Addr().String(),
		"path: /dev/ttyUSB0", "path: "+tty.Name(), "lock_dir: /run/lock", "lock_dir: "+dir,
	).Replace(string(sample))
	b := &bench{t: t, dir: dir, config: filepath.Join(dir, "agent.yaml"), listener: l}
	ok(t, os.WriteFile(b.config, []byte(text), 0o600))
	return b
}

// agent runs a command of the program and returns its exit code and output.
func (b *bench) agent(args ...string) (code int, stdout, stderr string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	code = Main(b.t.Context(), slices.Concat(args, []string{"--config", b.config}), &out, &errs)
	return code, out.String(), errs.String()
}

func (b *bench) want(code int, args ...string) string {
	b.t.Helper()
	got, out, errs := b.agent(args...)
	if got != code {
		b.t.Fatalf("agent %v: exit %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// sign gives the terminal its certificate, as the host does.
func (b *bench) sign() {
	b.t.Helper()
	ca, caPEM, _, err := xtls.NewCA("test authority", true, time.Now())
	ok(b.t, err)
	ok(b.t, os.WriteFile(b.path("ca.pem"), caPEM, 0o644))
	csr, err := os.ReadFile(b.path("data/TERM0001.csr"))
	ok(b.t, err)
	cert, err := ca.SignTerminal(csr, xtls.Identity{Terminal: "TERM0001", Merchant: "MERCHANT0000001"}, time.Now())
	ok(b.t, err)
	ok(b.t, os.WriteFile(b.path("data/tls.crt"), cert, 0o644))
}

// makeKey writes a TR-31 block and the components of its transport key.
func (b *bench) makeKey(device byte, mark string, change func(h *keyblock.Header)) (args []string, kcv string) {
	b.t.Helper()
	ik, one, two := make([]byte, 16), make([]byte, 32), make([]byte, 32)
	for _, r := range [][]byte{ik, one, two} {
		_, err := rand.Read(r)
		ok(b.t, err)
	}
	kbpk := make([]byte, 32)
	for i := range kbpk {
		kbpk[i] = one[i] ^ two[i]
	}
	check, err := keyblock.CheckValue(keyblock.IDCheckKey, 'A', ik)
	ok(b.t, err)
	h := keyblock.Header{Version: 'D', Usage: "B1", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N',
		Optional: []keyblock.Block{keyblock.InitialKeyID([]byte{0x54, 0x4C, 0, 1, 0, 0, 0, device}), check, {ID: "10", Data: mark}}}
	if change != nil {
		change(&h)
	}
	block, err := keyblock.Wrap(kbpk, h, ik, rand.Reader)
	ok(b.t, err)
	ok(b.t, os.WriteFile(b.path("k.tr31"), []byte(block+"\n"), 0o600))
	ok(b.t, os.WriteFile(b.path("k.1"), []byte(hex.EncodeToString(one)+"\n"), 0o600))
	ok(b.t, os.WriteFile(b.path("k.2"), []byte(hex.EncodeToString(two)+"\n"), 0o600))
	return []string{"key", "load", "--block", b.path("k.tr31"), "--transport", b.path("k.1"), "--transport", b.path("k.2")}, check.Data[2:]
}

func TestSettingUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(cli.ExitOK, "check-config")
	if out := b.want(cli.ExitUsage, "serve"); !strings.Contains(out, "agent enroll") {
		t.Errorf("serve without keys: %s", out)
	}
	b.want(cli.ExitOK, "enroll")
	b.want(cli.ExitOK, "enroll") // again: nothing is overwritten
	for _, name := range []string{"data/device.key", "data/tls.key"} {
		info, err := os.Stat(b.path(name))
		ok(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	b.sign()
	load, kcv := b.makeKey(1, "TEST", nil)
	if out := b.want(cli.ExitOK, append(load, "--kcv", strings.ToLower(kcv))...); !strings.Contains(out, "544C000100000001") || !strings.Contains(out, kcv) {
		t.Errorf("key load says %s", out)
	}
	if out := b.want(cli.ExitFailed, load...); !strings.Contains(out, "loaded before") {
		t.Errorf("the same key again: %s", out)
	}
	next, _ := b.makeKey(2, "TEST", nil)
	b.want(cli.ExitOK, next...)
	if out := b.want(cli.ExitOK, "journal"); strings.Count(out, `"type":"keyload"`) != 2 {
		t.Errorf("journal %s", out)
	}
	if out := b.want(cli.ExitOK, "journal", "export"); out != "" {
		t.Errorf("export of an empty journal %q", out)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(cli.ExitOK, "enroll")
	for name, c := range map[string]struct {
		mark   string
		change func(h *keyblock.Header)
		says   string
	}{
		"a live key in the lab":  {"LIVE", nil, "marked"},
		"another usage":          {"TEST", func(h *keyblock.Header) { h.Usage, h.Mode = "B0", 'X' }, "usage B0"},
		"no name of the key set": {"TEST", func(h *keyblock.Header) { h.Optional = h.Optional[1:] }, "IK"},
	} {
		args, _ := b.makeKey(1, c.mark, c.change)
		if out := b.want(cli.ExitFailed, args...); !strings.Contains(out, c.says) {
			t.Errorf("%s: %s", name, out)
		}
	}
	args, _ := b.makeKey(1, "TEST", nil)
	if out := b.want(cli.ExitFailed, append(args, "--kcv", "0000000000")...); !strings.Contains(out, "check value") {
		t.Errorf("wrong check value: %s", out)
	}
	b.want(cli.ExitUsage, args[:len(args)-2]...) // one component only
	ok(t, os.WriteFile(b.path("k.2"), []byte(strings.Repeat("00", 32)), 0o600))
	b.want(cli.ExitFailed, args...) // another transport key
	ok(t, os.Chmod(b.path("k.1"), 0o644))
	b.want(cli.ExitUsage, args...) // a component that others may read
}

// TestServe runs the program until it is told to end, and asks it.
func TestServe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(cli.ExitOK, "enroll")
	b.sign()
	load, _ := b.makeKey(1, "TEST", nil)
	b.want(cli.ExitOK, load...)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var out, logs safeBuffer
	go func() { ended <- Main(ctx, []string{"serve", "--config", b.config}, &out, &logs) }()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(out.String(), "control socket") {
		if time.Now().After(deadline) {
			t.Fatalf("serve does not begin: %s", logs.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
	var s struct {
		Mode      string `json:"mode"`
		SaleReady bool   `json:"sale_ready"`
		WhyNot    string `json:"why_not"`
	}
	code, status, errs := b.agent("status", "--json")
	if code != cli.ExitOK {
		t.Fatal(errs)
	}
	ok(t, json.Unmarshal([]byte(status), &s))
	if s.Mode != "lab" || s.SaleReady || !strings.Contains(s.WhyNot, "reader") {
		t.Errorf("status %s", status)
	}
	if out := b.want(cli.ExitFailed, "pay", "--amount", "12.34"); !strings.Contains(out, "card reader is not connected") {
		t.Errorf("pay says %s", out)
	}
	b.want(cli.ExitUsage, "pay", "--amount", "12.345")
	b.want(cli.ExitFailed, "status", "--sale", "unknown")
	b.want(cli.ExitFailed, "reversals", "retry", "--attempt", "7")
	b.want(cli.ExitOK, "reversals", "list")
	b.want(cli.ExitOK, "abort")
	b.want(cli.ExitOK, "journal")
	if out := b.want(cli.ExitUnavailable, load...); !strings.Contains(out, "stop the running agent") {
		t.Errorf("key load beside a running agent: %s", out)
	}
	if out := b.want(cli.ExitFailed, "doctor"); !strings.Contains(out, "BAD reader") {
		t.Errorf("doctor says %s", out)
	}
	if code := Main(t.Context(), []string{"serve", "--config", b.config}, &safeBuffer{}, &safeBuffer{}); code != cli.ExitUnavailable {
		t.Errorf("a second agent: exit %d", code)
	}
	stop()
	if code := <-ended; code != cli.ExitOK {
		t.Errorf("exit %d: %s", code, logs.String())
	}
	if !strings.Contains(logs.String(), "TEST terminal") {
		t.Error("the lab is not said out loud")
	}
}

// TestDamagedJournalSellsNothing changes a byte behind the agent's back.
func TestDamagedJournalSellsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(cli.ExitOK, "enroll")
	b.sign()
	load, _ := b.makeKey(1, "TEST", nil)
	b.want(cli.ExitOK, load...)
	path := b.path("data/journal.db")
	raw, err := os.ReadFile(path)
	ok(t, err)
	at := bytes.Index(raw, []byte("544C000100000001"))
	if at < 0 {
		t.Fatal("the key load is not in the journal")
	}
	for ; at >= 0 && at < len(raw); at++ {
		next := bytes.Index(raw[at:], []byte("544C000100000001"))
		if next < 0 {
			break
		}
		at += next
		raw[at] = '6'
	}
	ok(t, os.WriteFile(path, raw, 0o600))
	ok(t, b.listener.Close())
	if out := b.want(cli.ExitIntegrity, "serve"); !strings.Contains(out, "sells nothing") {
		t.Errorf("serve says %s", out)
	}
	b.want(cli.ExitFailed, "doctor")
}

func TestDoctorBeforeAnything(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out := b.want(cli.ExitFailed, "doctor")
	for _, says := range []string{"BAD books", "BAD certificate", "BAD reader", "agent enroll"} {
		if !strings.Contains(out, says) {
			t.Errorf("doctor does not say %q:\n%s", says, out)
		}
	}
}

func TestNotRunning(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, args := range [][]string{{"status"}, {"pay", "--amount", "1"}, {"abort"}, {"reversals", "list"}} {
		if out := b.want(cli.ExitUnavailable, args...); !strings.Contains(out, "agent serve") {
			t.Errorf("%v says %s", args, out)
		}
	}
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]int64{"12.34": 1234, "12": 1200, "12.3": 1230, "0.05": 5, "000012.34": 1234} {
		if got, err := parseAmount(text, 2); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ".5", "5.", "-1", "+1", "1,5", "1.234", "1e3", "0x1", " 1", "1234567890123", "12.3a"} {
		if got, err := parseAmount(text, 2); err == nil {
			t.Errorf("%q became %d", text, got)
		}
	}
	if got, err := parseAmount("1200", 0); err != nil || got != 1200 {
		t.Errorf("yen: %d, %v", got, err)
	}
}

func TestLoadedKeyStartsAtCounterOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(cli.ExitOK, "enroll")
	load, _ := b.makeKey(9, "TEST", nil)
	b.want(cli.ExitOK, load...)
	cfg, err := params.Load(b.config, nil)
	ok(t, err)
	f, err := openFiles(cfg)
	ok(t, err)
	keys, err := f.register.Next(func(dukpt.KSN) error { return nil })
	ok(t, err)
	if keys.KSN().String() != "544C00010000000900000001" {
		t.Errorf("first KSN %v", keys.KSN())
	}
	ok(t, f.close())
}
