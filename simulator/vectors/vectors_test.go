package vectors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/vectors"
)

// write makes a file of the schema with these cases.
func write(t *testing.T, dir, name, cases string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	text := `{"schema":"tallystick-vectors/1","topic":"t","about":"","cases":[` + cases + `]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ops are operations whose behaviour the tests know.
var ops = map[string]vectors.Op{
	"echo": func(in vectors.Input) (map[string]any, error) {
		return map[string]any{"x": in.Hex("x"), "more": 1}, nil
	},
	"fail":  func(vectors.Input) (map[string]any, error) { return nil, errors.New("refused") },
	"panic": func(vectors.Input) (map[string]any, error) { panic("oops") },
	"index": func(in vectors.Input) (map[string]any, error) { return map[string]any{"x": in.Hex("x")[100]}, nil },
	"null":  func(vectors.Input) (map[string]any, error) { return nil, nil },
	"float": func(vectors.Input) (map[string]any, error) { return map[string]any{"x": 1.5}, nil },
}

func TestOneCase(t *testing.T) {
	for _, c := range []struct {
		name, text              string
		passed, failed, skipped int
		why                     string
	}{
		{"equal", `"op":"echo","in":{"x":"AB"},"out":{"x":"AB"}`, 1, 0, 0, ""},
		{"other value", `"op":"echo","in":{"x":"AB"},"out":{"x":"AC"}`, 0, 1, 0, `x is "AB", must be "AC"`},
		{"other type", `"op":"echo","in":{"x":"AB"},"out":{"more":"1"}`, 0, 1, 0, "more is 1"},
		{"key missing", `"op":"echo","in":{"x":"AB"},"out":{"x":"AB","y":null}`, 0, 1, 0, "y is missing"},
		{"error", `"op":"fail","in":{},"out":{"x":"AB"}`, 0, 1, 0, "rejected: refused"},
		{"reject", `"op":"fail","in":{},"reject":true`, 1, 0, 0, ""},
		{"reject accepted", `"op":"echo","in":{"x":""},"reject":true`, 0, 1, 0, "must be rejected"},
		{"malformed hex is a rejection", `"op":"echo","in":{"x":"ab"},"reject":true`, 1, 0, 0, ""},
		{"missing input is not", `"op":"echo","in":{},"reject":true`, 0, 1, 0, `input "x"`},
		{"panic is not", `"op":"panic","in":{},"reject":true`, 0, 1, 0, "panic: oops at vectors_test.go:"},
		{"index is not", `"op":"index","in":{"x":""},"reject":true`, 0, 1, 0, "index out of range"},
		{"no result", `"op":"null","in":{},"out":{"x":null}`, 0, 1, 0, "x is missing"},
		{"bad result", `"op":"float","in":{},"reject":true`, 0, 1, 0, "float64"},
		{"unknown", `"op":"other","in":{},"reject":true`, 0, 0, 1, ""},
		{"asks", `"op":"echo","in":{"x":"AB"}`, 0, 0, 1, ""},
	} {
		path := write(t, t.TempDir(), "a.json", `{"id":"1",`+c.text+`}`)
		r, err := vectors.Run(t.Context(), []string{path}, vectors.Options{Ops: ops})
		if err != nil {
			t.Fatal(err)
		}
		if r.Passed != c.passed || r.Failed != c.failed || r.Skipped != c.skipped {
			t.Errorf("%s: %s", c.name, r.Summary())
		}
		if c.why != "" && (len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Why, c.why)) {
			t.Errorf("%s: failures %+v, want %q", c.name, r.Failures, c.why)
		}
		if r.OK() != (c.passed == 1) {
			t.Errorf("%s: OK is %v", c.name, r.OK())
		}
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte(`{"schema":"other"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, why string }{
		"missing":    {filepath.Join(dir, "none.json"), "no such file"},
		"no file":    {empty, "no .json file"},
		"schema":     {bad, `schema is "other"`},
		"not a file": {os.DevNull, "not a regular file"},
	} {
		r, err := vectors.Run(t.Context(), []string{c.path}, vectors.Options{})
		if err != nil || r.Failed != 1 || r.OK() || !strings.Contains(r.Failures[0].Why, c.why) {
			t.Errorf("%s: %v, %+v", name, err, r.Failures)
		}
	}
}

func TestFoldersAndRepeats(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	a := write(t, dir, "a.json", `{"id":"1","op":"fail","in":{},"reject":true}`)
	write(t, sub, "b.json", `{"id":"2","op":"fail","in":{},"reject":true}`)
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := vectors.Run(t.Context(), []string{dir, a}, vectors.Options{Ops: ops})
	if err != nil || r.Passed != 2 || len(r.Files) != 2 {
		t.Errorf("%v, %s, %v", err, r.Summary(), r.Files)
	}
	write(t, sub, "c.json", `{"id":"1","op":"fail","in":{},"reject":true}`)
	r, err = vectors.Run(t.Context(), []string{dir}, vectors.Options{Ops: ops})
	if err != nil || r.Failed != 1 || !strings.Contains(r.Failures[0].Why, "also used") {
		t.Errorf("an id in two files: %v, %+v", err, r.Failures)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := vectors.Run(ctx, nil, vectors.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// run runs the command inside a program, as the simulator has it.
func run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	root := cli.Root("simulator", "", "")
	root.AddCommand(vectors.Command())
	code = cli.Run(t.Context(), root, append([]string{"vectors"}, args...), &o, &e)
	return code, o.String(), e.String()
}

const questions = `
	{"id":"right","op":"mac.cmac","in":{"cipher":"aes","key":"2B7E151628AED2A6ABF7158809CF4F3C","data":""}},
	{"id":"wrong","op":"mac.cmac","in":{"cipher":"aes","key":"2B","data":""}},
	{"id":"stated","op":"mac.cmac","in":{"cipher":"aes","key":"2B7E151628AED2A6ABF7158809CF4F3C","data":""},"out":{"mac":"BB1D6929E95937287FA37D129B756746"}}`

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "q.json", questions)
	answers := filepath.Join(dir, "answers.jsonl")
	code, out, errs := run(t, "--answers", answers, path)
	if code != cli.ExitOK || !strings.HasSuffix(out, "2 answered\n1 passed, 0 failed, 0 skipped\n") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	const want = `{"id":"right","out":{"mac":"BB1D6929E95937287FA37D129B756746"}}` + "\n" + `{"id":"wrong","reject":true}` + "\n"
	if got, err := os.ReadFile(answers); err != nil || string(got) != want {
		t.Errorf("%v, answers %s", err, got)
	}
	if code, out, _ := run(t, "--answers", "-", path); code != cli.ExitOK || out != want {
		t.Errorf("to standard output: exit %d, %q", code, out)
	}
	if code, _, errs := run(t, "--answers", filepath.Join(dir, "no", "such"), path); code != cli.ExitFailed || !strings.Contains(errs, "no such file") {
		t.Errorf("answers that cannot be written: exit %d, %q", code, errs)
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "q.json", questions)
	code, out, errs := run(t, path)
	if code != cli.ExitFailed || !strings.HasSuffix(out, "1 passed, 0 failed, 2 skipped\n") {
		t.Errorf("skipped: exit %d, %q, %q", code, out, errs)
	}
	code, out, _ = run(t, "--json", path)
	var r vectors.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != cli.ExitFailed || r.Passed != 1 || r.Operations["mac.cmac"].Skipped != 2 {
		t.Errorf("JSON: exit %d, %v, %s", code, err, out)
	}
	if code, out, _ = run(t, "--help"); code != cli.ExitOK || !strings.Contains(out, "N passed, N failed, N skipped") {
		t.Errorf("help: exit %d, %q", code, out)
	}
	if code, out, _ = run(t, filepath.Join(dir, "none")); code != cli.ExitFailed || !strings.HasSuffix(out, "0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("missing file: exit %d, %q", code, out)
	}
}
