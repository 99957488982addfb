package adversary

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/iso8583"
)

// books are exports of one approved and one reversed sale.
const books = `{"source":"host","kind":"transaction","terminal":"T1","attempt":"01","state":"approved","rrn":"r1"}
{"source":"host","kind":"transaction","terminal":"T1","attempt":"02","state":"reversed","rrn":"r2"}
{"source":"host","kind":"entry","posting":"p1","account":"acquirer:receivable:onus:978","minor":100,"terminal":"T1","attempt":"01"}
{"source":"host","kind":"entry","posting":"p1","account":"merchant:payable:M","minor":-100,"terminal":"T1","attempt":"01"}
{"source":"host","kind":"entry","posting":"p2","account":"acquirer:receivable:onus:978","minor":200,"terminal":"T1","attempt":"02"}
{"source":"host","kind":"entry","posting":"p3","account":"acquirer:receivable:onus:978","minor":-200,"terminal":"T1","attempt":"02"}
{"source":"issuer","kind":"authorization","terminal":"T1","attempt":"01","state":"approved","rrn":"r1"}
{"source":"issuer","kind":"authorization","terminal":"T1","attempt":"02","state":"reversed","rrn":"r2"}
{"source":"issuer","kind":"entry","account":"due:acquirer:978","minor":100,"rrn":"r1"}
{"source":"issuer","kind":"entry","account":"due:acquirer:978","minor":200,"rrn":"r2"}
{"source":"issuer","kind":"entry","account":"due:acquirer:978","minor":-200,"rrn":"r2"}
`

var raced = []Attempt{{"T1", "01", 100, "approved"}, {"T1", "02", 200, "reversed"}}

// TestCheckEffects spoils the books in each way that a double or lost effect
// would.
func TestCheckEffects(t *testing.T) {
	cut := func(old, new string) string {
		if !strings.Contains(books, old) {
			t.Fatalf("the books do not hold %s", old)
		}
		return strings.Replace(books, old, new, 1)
	}
	lines := strings.SplitAfter(books, "\n")
	for name, tc := range map[string]struct{ text, want string }{
		"as they should be":           {books, ""},
		"a second row":                {books + lines[0], "2 rows"},
		"no row":                      {cut(lines[0], ""), "0 rows"},
		"another end":                 {cut(`"02","state":"reversed"`, `"02","state":"approved"`), "it is approved, want reversed"},
		"posted twice":                {books + strings.Replace(lines[2], "p1", "p9", 1), "2 postings"},
		"a reversal that undid a bit": {cut(`"minor":-200,"terminal"`, `"minor":-199,"terminal"`), "owed 1, want 0"},
		"not posted":                  {cut(lines[2], ""), "owed 0, want 100"},
		"the issuer took it twice":    {books + lines[8], "took 200, want 100"},
		"the issuer did not undo":     {cut(lines[10], ""), "took 200, want 0"},
		"two authorizations":          {books + lines[6], "2 authorizations"},
		"the issuer says otherwise":   {cut(`"01","state":"approved","rrn":"r1"}`+"\n"+lines[7], `"01","state":"declined","rrn":"r1"}`+"\n"+lines[7]), "the issuer says declined"},
	} {
		faults, err := CheckEffects(raced, strings.NewReader(tc.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if all := strings.Join(faults, "; "); tc.want == "" && all != "" || !strings.Contains(all, tc.want) {
			t.Errorf("%s: %q, want %q", name, all, tc.want)
		}
	}
	if faults, err := CheckEffects([]Attempt{{"T1", "77", 1, "approved"}}, strings.NewReader(books)); err != nil || len(faults) != 1 {
		t.Errorf("an attempt that is in no book: %v, %v", faults, err)
	}
	if _, err := CheckEffects(raced, strings.NewReader("{")); err == nil {
		t.Error("a broken export was accepted")
	}
}

// TestJudge: which answers to a sale are faults of the host.
func TestJudge(t *testing.T) {
	sent := func(codes ...string) []racer {
		var out []racer
		for i, code := range codes {
			mti := iso8583.FinancialRequest
			if i == 2 {
				mti = iso8583.ReversalAdvice
			}
			out = append(out, racer{request: iso8583.New(mti), reversal: i == 2, code: code})
		}
		return out
	}
	for _, tc := range []struct {
		want  string
		sent  []racer
		fault bool
	}{
		{"approved", sent("00", "00"), false},
		{"approved", sent("00", "68"), true},
		{"reversed", sent("00", "68", "00"), false},
		{"reversed", sent("68", "68", "21"), false},
		{"reversed", sent("68", "05", "00"), true},
		{"reversed", sent("00", "68", "96"), true},
	} {
		r := RaceReport{Codes: map[string]int{}}
		r.judge(0, Attempt{Want: tc.want}, tc.sent)
		if got := len(r.Violations) > 0; got != tc.fault {
			t.Errorf("%s %v: %v", tc.want, r.Codes, r.Violations)
		}
	}
}

// TestInputs: the table names sections that the interface document has, and no
// attack twice.
func TestInputs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/terminal-interface.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, in := range Inputs() {
		if names[in.Name] {
			t.Errorf("%q is there twice", in.Name)
		}
		names[in.Name] = true
		number, rest, _ := strings.Cut(in.Clause, ". ")
		_, part, found := strings.Cut(rest, ", ")
		if !found {
			part = rest
		}
		if !bytes.Contains(doc, []byte("\n## "+number+". ")) || !bytes.Contains(doc, []byte(part)) {
			t.Errorf("%s: the document has no %q", in.Name, in.Clause)
		}
		code := strings.TrimSuffix(in.Want, bare)
		if _, known := iso8583.ResponseCodeOf(code); !known && in.Want != closed && in.Want != noAnswer {
			t.Errorf("%s: %q is no answer of the document", in.Name, in.Want)
		}
	}
}

// TestCommand: what the command line refuses, and the check of a race.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, v any) string {
		b, ok := v.([]byte)
		if !ok {
			var err error
			if b, err = json.Marshal(v); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	race := put("race.json", RaceReport{Rounds: 2, Attempts: raced})
	good, bad := put("good.jsonl", []byte(books)), put("bad.jsonl", []byte(strings.Replace(books, "p2", "p9", 1)+books))
	for name, tc := range map[string]struct {
		args []string
		code int
	}{
		"a sound book":     {[]string{"effects", "--race", race, good}, cli.ExitOK},
		"a book with more": {[]string{"effects", "--race", race, bad}, cli.ExitIntegrity},
		"no race":          {[]string{"effects", "--race", good, good}, cli.ExitUsage},
		"no export":        {[]string{"effects", "--race", race, filepath.Join(dir, "no")}, cli.ExitUsage},
		"no terminal":      {[]string{"race"}, cli.ExitUsage},
		"one terminal":     {[]string{"input", "--terminal", race, "--card", race}, cli.ExitUsage},
		"not a terminal":   {[]string{"race", "--terminal", good, "--card", race}, cli.ExitUsage},
	} {
		root := cli.Root("simulator", "", "")
		root.AddCommand(Command())
		var out, errs bytes.Buffer
		if code := cli.Run(context.Background(), root, append([]string{"adversary"}, tc.args...), &out, &errs); code != tc.code {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, tc.code, errs.String())
		}
	}
	if otherPIN("9876") != "0876" || otherPIN("") != "0000" {
		t.Error("another PIN is not another")
	}
}
