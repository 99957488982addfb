package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// root is the module's root, from this package's folder, where tests run.
const root = "../.."

// TestImports reads every non-test Go file itself: a test that asks the go
// command would be answered from the test cache after a bad import was added.
func TestImports(t *testing.T) {
	files := 0
	walk(t, func(folder, file string, imports []string) {
		files++
		for _, imp := range imports {
			if why := refused(folder, imp); why != "" {
				t.Errorf("%s imports %s: %s", file, imp, why)
			}
		}
	})
	if files < 20 {
		t.Fatalf("only %d files were read", files)
	}
}

// TestRulesBite shows that each kind of rule refuses something.
func TestRulesBite(t *testing.T) {
	for _, tc := range []struct{ folder, imp string }{
		{"iso8583", module + "/emv"},
		{"iso8583", "net"},
		{"iso8583/codec", module + "/iso8583"},
		{"iso8583/codec", "os"},
		{"emv/kernel", "os"},
		{"agent/app", module + "/host/app"},
		{"agent/app", module + "/internal/hsm/api"},
		{"agent/app", module + "/simulator/card"},
		{"host/app", module + "/agent/app"},
		{"simulator/tally", module + "/host/internal/ledger"},
		{"host/app", module + "/internal/hsm/soft"},
		{"host/internal/gateway", "github.com/moov-io/iso8583"},
		{"host/internal/store", module + "/host/internal/ledger"},
		{"host/internal/authorize", module + "/host/internal/gateway"},
		{"dukpt", "github.com/sirupsen/logrus"},
		{"agent/app", "testing"},
	} {
		if refused(tc.folder, tc.imp) == "" {
			t.Errorf("%s may import %s", tc.folder, tc.imp)
		}
	}
}

// refused tells why a file in folder may not import imp, or nothing.
func refused(folder, imp string) string {
	for _, a := range allowedIn {
		if under(folder, a) {
			return ""
		}
	}
	for _, b := range bans {
		if under(imp, b.path) && !underAny(folder, b.except) {
			return b.reason
		}
	}
	for _, p := range pure {
		if under(folder, p) && underAny(imp, impure) {
			return "a pure library: time, randomness and I/O are arguments"
		}
	}
	local, ok := strings.CutPrefix(imp, module+"/")
	if !ok || under(local, folder) {
		return ""
	}
	rule, listed := longest(folder)
	if !listed {
		return "its folder is in no rule: add it to mayImport"
	}
	if !under(local, rule) && !underAny(local, mayImport[rule]) {
		return "the rule for " + rule + " does not list it"
	}
	return ""
}

func longest(folder string) (string, bool) {
	best, found := "", false
	for rule := range mayImport {
		if under(folder, rule) && len(rule) > len(best) {
			best, found = rule, true
		}
	}
	return best, found
}

func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func underAny(path string, folders []string) bool {
	for _, f := range folders {
		if under(path, f) {
			return true
		}
	}
	return false
}

func walk(t *testing.T, visit func(folder, file string, imports []string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			// Nested modules (tools, bench) and data are not this module's code.
			_, modErr := os.Stat(filepath.Join(path, "go.mod"))
			if strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" || modErr == nil && rel != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, s := range f.Imports {
			imp, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imp)
		}
		visit(filepath.ToSlash(filepath.Dir(rel)), rel, imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
