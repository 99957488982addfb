package e2e_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	agent "tallystick.example/agent/app"
	host "tallystick.example/host/app"
	simulator "tallystick.example/simulator/app"
)

// mention is a command as a text names it: in quotes or backticks, or at the
// beginning of an indented line.
var mention = regexp.MustCompile("(?m)(?:[\"`]|^  +(?:bin/)?)(agent|host|simulator)((?: [a-z][a-z-]*)+)")

// fence is a block of code in a page.
var fence = regexp.MustCompile("(?ms)^```.*?^```")

// TestNamedCommandsExist reads every page and every help text: a command that is
// named there is one that can be typed.
func TestNamedCommandsExist(t *testing.T) {
	programs := map[string]*cobra.Command{"agent": agent.Root(io.Discard), "host": host.Root(io.Discard), "simulator": simulator.Root()}
	texts := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/adr/*.md", "../../*/sample.yaml"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, f := range files {
			b, err := os.ReadFile(f)
			must(t, err)
			texts[f] = fence.ReplaceAllStringFunc(string(b), func(code string) string { return strings.ReplaceAll(code, "\n", "\n  ") })
		}
	}
	var collect func(c *cobra.Command)
	collect = func(c *cobra.Command) {
		texts[c.CommandPath()+" --help"] = c.Long + "\n" + c.Example
		for _, s := range c.Commands() {
			collect(s)
		}
	}
	for _, p := range programs {
		collect(p)
	}
	found := 0
	for where, text := range texts {
		for _, m := range mention.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(m[2])
			if slices.Contains([]string{"completion", "help"}, words[0]) {
				continue // cobra's own
			}
			found++
			if c, rest := walk(programs[m[1]], words); len(rest) > 0 && c.HasSubCommands() && (!c.HasParent() || !c.Runnable()) {
				t.Errorf("%s names %q, and there is no such command", where, strings.TrimSpace(m[1]+m[2]))
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d commands are named anywhere: the search is broken", found)
	}
}

// walk follows words down to the last that is a command, and returns the rest.
func walk(c *cobra.Command, words []string) (*cobra.Command, []string) {
	for n, w := range words {
		i := slices.IndexFunc(c.Commands(), func(s *cobra.Command) bool { return s.Name() == w })
		if i < 0 {
			return c, words[n:]
		}
		c = c.Commands()[i]
	}
	return c, nil
}
