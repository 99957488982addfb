package lab_test

import (
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
