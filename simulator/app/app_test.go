package app_test

import (
	"bytes"
	"testing"

	"github.com/spf13/cobra"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/app"
)

// TestHelpOfEveryCommand: each command says what it does in a sentence, and its
// help can be shown.
func TestHelpOfEveryCommand(t *testing.T) {
	seen := 0
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		seen++
		if c.Short == "" {
			t.Errorf("%s has no short description", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(app.Root())
	if seen < 12 {
		t.Errorf("only %d commands", seen)
	}
}

func TestMainMapsErrors(t *testing.T) {
	var out, errs bytes.Buffer
	if code := app.Main(t.Context(), []string{"demmo"}, &out, &errs); code != cli.ExitUsage || !bytes.Contains(errs.Bytes(), []byte("demo")) {
		t.Errorf("a typo: exit %d, %s", code, errs.Bytes())
	}
	if code := app.Main(t.Context(), []string{"version", "--json"}, &out, &errs); code != cli.ExitOK {
		t.Errorf("version: exit %d", code)
	}
}
