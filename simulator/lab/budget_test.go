package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallystick.example/simulator/lab"
)

// The budget of the small machine that the agent runs on.
const (
	maxBinaryBytes = 16 << 20
	maxIdleKiB     = 32 << 10
)

// TestAgentFitsTheTerminal holds the stripped binary for each kind of terminal,
// and the memory of an idle agent, to the budget.
func TestAgentFitsTheTerminal(t *testing.T) {
	dir := t.TempDir()
	for _, target := range []string{"amd64", "arm64", "arm"} {
		out := filepath.Join(dir, target)
		c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "../../agent")
		c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+target, "GOARM=7")
		if b, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", target, err, b)
		}
		st, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MiB", target, float64(st.Size())/(1<<20))
		if st.Size() > maxBinaryBytes {
			t.Errorf("%s: %d bytes, more than %d", target, st.Size(), maxBinaryBytes)
		}
	}
}

func TestIdleAgentIsSmall(t *testing.T) {
	l := running(t, build(t))
	if kib := residentKiB(t, l.PID(lab.Agent)); kib > maxIdleKiB {
		t.Errorf("the idle agent holds %d KiB, more than %d", kib, maxIdleKiB)
	} else {
		t.Logf("the idle agent holds %.1f MiB", float64(kib)/1024)
	}
}

// BenchmarkAgentReady starts the agent until its control socket answers.
func BenchmarkAgentReady(b *testing.B) {
	l := running(b, build(b))
	var sum time.Duration
	for b.Loop() {
		if err := l.Stop(lab.Agent); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := l.Start(b.Context(), lab.Agent); err != nil {
			b.Fatal(err)
		}
		sum += time.Since(start)
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(b.N), "ms/start")
}

// residentKiB is the VmRSS of a process.
func residentKiB(t *testing.T, pid int) (kib int) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kib
}
