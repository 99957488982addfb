package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/host/app"
	"tallystick.example/internal/cli"
)

// TestSpecImport: a packager becomes a specification that check takes, a bad one
// is refused by field, and what is left out is said.
func TestSpecImport(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := app.Main(t.Context(), args, &out, &errs)
		return code, out.String(), errs.String()
	}
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	code, out, errs := run("spec", "import", "../../iso8583/spec/testdata/packager.xml")
	if code != cli.ExitOK || errs != "" || !strings.Contains(out, `"fields"`) {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if code, text, errs := run("spec", "check", put("good.json", out)); code != cli.ExitOK || !strings.Contains(text, "elements") {
		t.Errorf("exit %d: %s%s", code, text, errs)
	}
	if code, _, errs := run("spec", "check", put("bad.json", strings.Replace(out, `"length"`, `"lenght"`, 1))); code != cli.ExitFailed || !strings.Contains(errs, "lenght") {
		t.Errorf("a misspelt key: exit %d: %s", code, errs)
	}
	xml := `<isopackager headerLength="4"><isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>` +
		`<isofield id="1" length="16" name="bitmap" class="org.jpos.iso.IFA_BITMAP"/>`
	if code, _, errs := run("spec", "import", put("good.xml", xml+"</isopackager>")); code != cli.ExitOK || !strings.Contains(errs, "note: ") {
		t.Errorf("a header: exit %d: %s", code, errs)
	}
	xml += `<isofield id="7" length="4" name="x" class="a.B"/></isopackager>`
	if code, out, errs := run("spec", "import", put("bad.xml", xml)); code != cli.ExitFailed || out != "" || !strings.Contains(errs, "field 7") {
		t.Errorf("a class without equal: exit %d: %s", code, errs)
	}
	if code, _, _ := run("spec", "import", filepath.Join(dir, "none")); code != cli.ExitUsage {
		t.Errorf("no file: exit %d", code)
	}
}
