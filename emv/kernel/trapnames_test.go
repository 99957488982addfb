package kernel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/emv.md lists 33 traps. Each has a test named after its number, in the
// package whose rule it is, and the document names that test.
func TestEveryTrapHasItsTest(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"../*_test.go", "../*/*_test.go", "../../internal/pure/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, f := range files {
			b, err := os.ReadFile(f)
			must(t, err)
			source.Write(b)
		}
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^func (TestTrap[0-9]{2}\w+)\(`).FindAllStringSubmatch(source.String(), -1) {
		names[m[1]] = true
	}
	b, err := os.ReadFile("../../docs/emv.md")
	must(t, err)
	doc := string(b)
	for n := 1; n <= 33; n++ {
		prefix, found := fmt.Sprintf("TestTrap%02d", n), false
		for name := range names {
			found = found || strings.HasPrefix(name, prefix)
		}
		if !found {
			t.Errorf("trap %d has no test", n)
		}
	}
	for _, name := range regexp.MustCompile("`(TestTrap\\w+)`").FindAllStringSubmatch(doc, -1) {
		if !names[name[1]] {
			t.Errorf("docs/emv.md names %s, which is not there", name[1])
		}
		delete(names, name[1])
	}
	for name := range names {
		t.Errorf("docs/emv.md does not name %s", name)
	}
}
