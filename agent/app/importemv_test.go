package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
)

func TestImportEMVCommand(t *testing.T) {
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := Main(t.Context(), append([]string{"import-emv"}, args...), &out, &errs)
		return code, out.String(), errs.String()
	}
	path := filepath.Join(t.TempDir(), "emv.xml")
	ok(t, os.WriteFile(path, []byte(`<emv><data><tlv id="9F1A">0276</tlv></data><app aid="A0000000031010" match="partial"/></emv>`), 0o600))
	code, out, errs := run(path, "--expires", "2031-12-31")
	if code != cli.ExitOK || !strings.Contains(out, "terminal:\n  country: 276\n") || !strings.Contains(out, `- aid: "A0000000031010"`) {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	ok(t, os.WriteFile(path, []byte(`<emv><app aid="A0" match="some"/></emv>`), 0o600))
	if code, out, errs = run(path); code != cli.ExitUsage || out != "" || !strings.Contains(errs, "exact or partial") {
		t.Errorf("a wrong file: exit %d, %q, %q", code, out, errs)
	}
	if code, _, errs = run(path + ".none"); code != cli.ExitUsage || !strings.Contains(errs, "cannot be opened") {
		t.Errorf("no file: exit %d, %q", code, errs)
	}
}
