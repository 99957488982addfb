package lab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tallystick.example/simulator/lab"
)

// build makes the three programs once for a test.
func build(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command("go", "build", "-o", dir, "../../agent", "../../host", "../../simulator")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return dir
}

// shortDir is a folder whose path leaves room for Unix sockets in it.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the lab is kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "l")
}

// running is a lab in which everything runs.
func running(t testing.TB, bin string) *lab.Lab {
	t.Helper()
	l, err := lab.New(t.Context(), lab.Options{Bin: bin, Dir: shortDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := l.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOnePayment(t *testing.T) {
	l := running(t, build(t))
	p, err := l.Pay(t.Context(), "12.34")
	if err != nil || p.Code != 0 {
		t.Fatalf("the payment: %d %s, %v", p.Code, p.Last, err)
	}
	r, err := l.Tally(t.Context())
	if err != nil || !r.Match || r.Ends["approved"] != 1 {
		t.Fatalf("the tally: %+v, %v", r, err)
	}
}

// TestTerminalHoldsTheOtherHalf sets the host's books back to what they were, with
// every checkpoint beside them: alone they prove themselves, and the terminal's
// checkpoints show that something is missing (rule 6).
func TestTerminalHoldsTheOtherHalf(t *testing.T) {
	l := running(t, build(t))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	books := filepath.Dir(filepath.Dir(l.HostDatabase()))
	old := l.Path("old")
	pay := func() {
		t.Helper()
		if p, err := l.Pay(t.Context(), "1.00"); err != nil || p.Code != 0 {
			t.Fatalf("a payment: %d %s, %v", p.Code, p.Last, err)
		}
	}
	pay()
	must(l.Stop(lab.Host))
	must(os.CopyFS(filepath.Join(old, "db"), os.DirFS(filepath.Join(books, "db"))))
	kept, err := os.ReadFile(filepath.Join(books, "checkpoints.jsonl"))
	must(err)

	l.SetEnv([]string{"TALLYSTICK_HOST_LISTEN=" + l.HostAddress()}) // where the network leads
	must(l.Start(t.Context(), lab.Host))
	must(l.AwaitReady(t.Context()))
	pay()
	held := l.Path("held.jsonl")
	for n := countOf(t, kept); ; { // a sign-on brings the newest checkpoint, made each second
		must(l.Stop(lab.Agent))
		must(l.Start(t.Context(), lab.Agent))
		must(l.AwaitReady(t.Context()))
		out, err := l.Run(t.Context(), lab.Agent, "journal", "checkpoints")
		must(err)
		must(os.WriteFile(held, out, 0o600))
		if countOf(t, out) > n {
			break
		}
	}
	must(l.Stop(lab.Host))
	verify := func(args ...string) error {
		_, err := l.Run(t.Context(), lab.Host, append([]string{"audit", "verify"}, args...)...)
		return err
	}
	must(verify("--external", held))

	must(os.RemoveAll(filepath.Join(books, "db")))
	must(os.CopyFS(filepath.Join(books, "db"), os.DirFS(filepath.Join(old, "db"))))
	must(os.WriteFile(filepath.Join(books, "checkpoints.jsonl"), kept, 0o600))
	must(verify())
	err = verify("--external", held)
	if e, ok := errors.AsType[*lab.ExitError](err); !ok || e.Code != 4 {
		t.Errorf("the books were set back, and the terminal's checkpoint did not show it: %v", err)
	}
}

// countOf is the number of audit entries in the last of some checkpoints.
func countOf(t *testing.T, lines []byte) (count uint64) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(lines)); d.More(); {
		var c struct {
			Count uint64 `json:"count"`
		}
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		count = c.Count
	}
	return count
}
