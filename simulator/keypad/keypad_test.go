package keypad

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/pure/secret"
)

// pair is a line whose far end the test drives.
type pair struct {
	io.Reader
	io.Writer
}

func TestTypesAtEachPromptOnly(t *testing.T) {
	typed := []string{"1234", "99\x0812", "5\x1b", ""}
	asked := 0
	c := Cardholder{Keys: func() (secret.Secret, error) {
		asked++
		return secret.New([]byte(typed[asked-1])), nil
	}}
	var out strings.Builder
	in := "noise\r\nPIN\r\n" + strings.Repeat("x", 3*maxPrompt) + "\nPIN\nPIN\r\nPIN\r\nPIN\r\n"
	n, err := c.Serve(context.Background(), pair{strings.NewReader(in), &out})
	if n != 4 || !errors.Is(err, io.EOF) {
		t.Errorf("%d prompts, %v", n, err)
	}
	if want := "1234\r99\x0812\r5\x1b\r"; out.String() != want {
		t.Errorf("typed %q, want %q", out.String(), want)
	}
}

func TestRefusesOtherKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte("12a4"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := cli.Root("simulator", "", "")
	root.AddCommand(Command())
	var out strings.Builder
	code := cli.Run(t.Context(), root, []string{"keypad", "--link", path + ".line", "--pin-file", path}, &out, &out)
	if code != cli.ExitUsage || strings.Contains(out.String(), "12a4") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
