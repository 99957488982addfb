package canary_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/canary"
)

func run(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	root := cli.Root("simulator", "", "")
	root.AddCommand(canary.Command())
	var out, errs bytes.Buffer
	code = cli.Run(context.Background(), root, append([]string{"canary"}, args...), &out, &errs)
	return out.String() + errs.String(), code
}

// TestProcess finds a secret in the environment of another process, in its memory
// and in a dump of it.
func TestProcess(t *testing.T) {
	c := exec.Command("sleep", "60")
	c.Env = []string{"X=" + pin}
	must(t, c.Start())
	defer func() {
		must(t, c.Process.Kill())
		_ = c.Wait() // it was killed
	}()
	list := filepath.Join(t.TempDir(), "list")
	must(t, canary.WriteSecrets(list, secrets()))
	pid := strconv.Itoa(c.Process.Pid)
	out, code := run(t, "scan", "--json", "--secrets", list, "--pid", pid)
	var r canary.Report
	must(t, json.NewDecoder(strings.NewReader(out)).Decode(&r))
	if code != cli.ExitFailed || !slices.Equal(r.Secrets(), []string{"pin"}) || !strings.Contains(r.Findings[0].Path, "[stack]") {
		t.Errorf("exit code %d, %+v", code, r)
	}
	dump := filepath.Join(t.TempDir(), "dump")
	if out, code := run(t, "dump", "--pid", pid, "--out", dump); code != 0 {
		t.Fatal(out)
	}
	if out, code := run(t, "scan", "--secrets", list, dump); code != cli.ExitFailed || !strings.Contains(out, "pin as text") {
		t.Errorf("exit code %d, %s", code, out)
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	list, clean := filepath.Join(dir, "list"), filepath.Join(dir, "clean")
	if out, code := run(t, "new", list); code != 0 {
		t.Fatal(out)
	}
	made, err := canary.ReadSecrets(list)
	must(t, err)
	if len(made) != 4 || made[0].Value.Len() != 19 || made[1].Value.Len() != 12 {
		t.Errorf("%d canaries", len(made))
	}
	must(t, os.WriteFile(clean, []byte("nothing"), 0o600))
	leak := filepath.Join(dir, "leak")
	must(t, os.WriteFile(leak, append([]byte("x="), made[0].Value.Expose()...), 0o600))
	for name, tc := range map[string]struct {
		args []string
		code int
	}{
		"clean":       {[]string{"--secrets", list, clean}, cli.ExitOK},
		"the list":    {[]string{"--secrets", list, list}, cli.ExitOK}, // it is left out
		"a leak":      {[]string{"--secrets", list, dir}, cli.ExitFailed},
		"skipped":     {[]string{"--secrets", list, "--skip", leak, dir}, cli.ExitOK},
		"missing":     {[]string{"--secrets", list, filepath.Join(dir, "no")}, cli.ExitUnavailable},
		"nothing":     {[]string{"--secrets", list}, cli.ExitUsage},
		"no list":     {[]string{clean}, cli.ExitUsage},
		"not a list":  {[]string{"--secrets", leak, clean}, cli.ExitUsage},
		"no process":  {[]string{"--secrets", list, "--pid", "2000000000"}, cli.ExitUnavailable},
		"a long BIN":  {nil, cli.ExitFailed},
		"not a value": {[]string{"--secrets", list, "--what"}, cli.ExitUsage},
	} {
		args := append([]string{"scan"}, tc.args...)
		if tc.args == nil {
			args = []string{"new", "--bin", "1234567890123", filepath.Join(dir, "other")}
		}
		out, code := run(t, args...)
		if code != tc.code {
			t.Errorf("%s: exit code %d, want %d\n%s", name, code, tc.code, out)
		}
		if strings.Contains(out, string(made[0].Value.Expose())) {
			t.Errorf("%s: the secret is printed", name)
		}
	}
}
