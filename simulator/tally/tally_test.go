package tally_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/tally"
)

// books are three exports of the same three attempts: one approved, one declined
// by the issuer, one reversed.
var books = map[string]string{
	"agent": `{"source":"agent","kind":"attempt","terminal":"TERM0001","attempt":"a1","stan":"000001","rrn":"100000000001","amount":1234,"currency":840,"end":"approved","rc":"00"}
{"source":"agent","kind":"attempt","terminal":"TERM0001","attempt":"a2","stan":"000002","rrn":"100000000002","amount":500,"currency":840,"end":"declined","rc":"51"}
{"source":"agent","kind":"attempt","terminal":"TERM0001","attempt":"a3","stan":"000003","rrn":"","amount":700,"currency":840,"end":"reversed","rc":""}`,
	"host": `{"source":"host","kind":"transaction","terminal":"TERM0001","attempt":"a1","stan":"000001","rrn":"100000000001","amount":1234,"currency":840,"state":"approved","rc":"00"}
{"source":"host","kind":"transaction","terminal":"TERM0001","attempt":"a2","stan":"000002","rrn":"100000000002","amount":500,"currency":840,"state":"declined","rc":"51"}
{"source":"host","kind":"transaction","terminal":"TERM0001","attempt":"a3","stan":"000003","rrn":"100000000003","amount":700,"currency":840,"state":"reversed","rc":"00"}
{"source":"host","kind":"entry","posting":"p1","template":"sale","account":"acquirer:receivable:onus","minor":1234,"currency":840,"terminal":"TERM0001","attempt":"a1"}
{"source":"host","kind":"entry","posting":"p1","template":"sale","account":"merchant:payable:MERCHANT0000001","minor":-1234,"currency":840,"terminal":"TERM0001","attempt":"a1"}
{"source":"host","kind":"entry","posting":"p3","template":"sale","account":"acquirer:receivable:onus","minor":700,"currency":840,"terminal":"TERM0001","attempt":"a3"}
{"source":"host","kind":"entry","posting":"p3","template":"sale","account":"merchant:payable:MERCHANT0000001","minor":-700,"currency":840,"terminal":"TERM0001","attempt":"a3"}
{"source":"host","kind":"entry","posting":"p4","template":"sale-reversal","account":"acquirer:receivable:onus","minor":-700,"currency":840,"terminal":"TERM0001","attempt":"a3"}
{"source":"host","kind":"entry","posting":"p4","template":"sale-reversal","account":"merchant:payable:MERCHANT0000001","minor":700,"currency":840,"terminal":"TERM0001","attempt":"a3"}`,
	"issuer": `{"source":"issuer","kind":"authorization","rrn":"100000000001","terminal":"TERM0001","attempt":"a1","amount":1234,"currency":840,"state":"approved","rc":"00"}
{"source":"issuer","kind":"authorization","rrn":"100000000002","terminal":"TERM0001","attempt":"a2","amount":500,"currency":840,"state":"declined","rc":"51"}
{"source":"issuer","kind":"authorization","rrn":"100000000003","terminal":"TERM0001","attempt":"a3","amount":700,"currency":840,"state":"reversed","rc":"00"}
{"source":"issuer","kind":"entry","account":"cardholder:1","minor":-1234,"currency":"840","rrn":"100000000001"}
{"source":"issuer","kind":"entry","account":"due:acquirer","minor":1234,"currency":"840","rrn":"100000000001"}
{"source":"issuer","kind":"entry","account":"cardholder:1","minor":-700,"currency":"840","rrn":"100000000003"}
{"source":"issuer","kind":"entry","account":"due:acquirer","minor":700,"currency":"840","rrn":"100000000003"}
{"source":"issuer","kind":"entry","account":"cardholder:1","minor":700,"currency":"840","rrn":"100000000003"}
{"source":"issuer","kind":"entry","account":"due:acquirer","minor":-700,"currency":"840","rrn":"100000000003"}`,
}

func check(t *testing.T, change func(map[string]string)) tally.Report {
	t.Helper()
	copied := map[string]string{}
	for k, v := range books {
		copied[k] = v
	}
	if change != nil {
		change(copied)
	}
	var b tally.Books
	for name, text := range copied {
		if err := b.Add(name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	return tally.Check(b)
}

func TestMatchingBooks(t *testing.T) {
	r := check(t, nil)
	if !r.Match || r.Ends["approved"] != 1 || r.Ends["reversed"] != 1 || r.LedgerSum[840] != 0 {
		t.Fatalf("report %+v", r)
	}
}

// TestOneChangeInAnyBookIsFound changes every number and word that matters, one
// at a time.
func TestOneChangeInAnyBookIsFound(t *testing.T) {
	for _, tc := range []struct{ book, from, to string }{
		{"agent", `"amount":1234`, `"amount":1235`},
		{"agent", `"end":"approved"`, `"end":"declined"`},
		{"agent", `"end":"approved"`, `"end":"open"`},
		{"agent", `"end":"reversed"`, `"end":"approved"`},
		{"agent", `"end":"reversed"`, `"end":"cancelled"`},
		{"agent", `"stan":"000002"`, `"stan":"000001"`},
		{"agent", `"attempt":"a1"`, `"attempt":"a9"`},
		{"agent", `"rrn":"100000000001"`, `"rrn":"100000000007"`},
		{"agent", `"currency":840,"end":"approved"`, `"currency":978,"end":"approved"`},
		{"host", `"minor":-1234`, `"minor":-1233`},
		{"host", `"minor":1234`, `"minor":1235`},
		{"host", `"minor":-700,"currency":840,"terminal":"TERM0001","attempt":"a3"}`, `"minor":-700,"currency":840,"terminal":"TERM0001","attempt":"a1"}`},
		{"host", `"state":"reversed"`, `"state":"approved"`},
		{"host", `"state":"approved"`, `"state":"open"`},
		{"host", `"amount":1234`, `"amount":1233`},
		{"host", `"rrn":"100000000002"`, `"rrn":"100000000001"`},
		{"issuer", `"minor":-1234`, `"minor":-1235`},
		{"issuer", `"minor":700`, `"minor":699`},
		{"issuer", `"state":"approved"`, `"state":"reversed"`},
		{"issuer", `"state":"declined"`, `"state":"approved"`},
		{"issuer", `"amount":500`, `"amount":501`},
	} {
		r := check(t, func(b map[string]string) {
			if !strings.Contains(b[tc.book], tc.from) {
				t.Fatalf("%s does not hold %s", tc.book, tc.from)
			}
			b[tc.book] = strings.Replace(b[tc.book], tc.from, tc.to, 1)
		})
		if r.Match {
			t.Errorf("%s: %s → %s was not found", tc.book, tc.from, tc.to)
		}
	}
}

// TestALostLineIsFound takes each line out of each book.
func TestALostLineIsFound(t *testing.T) {
	for book, text := range books {
		lines := strings.Split(text, "\n")
		for i := range lines {
			r := check(t, func(b map[string]string) {
				b[book] = strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "\n")
			})
			// The issuer need not know what the acquirer declined or undid alone.
			if r.Match && !strings.Contains(lines[i], `"state":"declined"`) {
				t.Errorf("%s without line %d was not noticed", book, i+1)
			}
		}
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for name, text := range books {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	run := func(args ...string) (int, string) {
		root := cli.Root("simulator", "", "")
		root.AddCommand(tally.Command())
		var out bytes.Buffer
		code := cli.Run(context.Background(), root, append([]string{"tally"}, args...), &out, &out)
		return code, out.String()
	}
	if code, out := run(files...); code != cli.ExitOK || !strings.Contains(out, "the tallies match") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out := run(append(files, "--json")...); code != cli.ExitOK || !strings.Contains(out, `"match":true`) {
		t.Errorf("exit %d: %s", code, out)
	}
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte(`{"source":"agent","kind":"attempt"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := run(bad); code != cli.ExitUsage || !strings.Contains(out, "line 1") {
		t.Errorf("a torn export: exit %d: %s", code, out)
	}
	wire := filepath.Join(dir, "wire")
	if err := os.WriteFile(wire, []byte(fmt.Sprintf(`{"dir":"out","raw":%q}`, "0200")), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := run(append(files, "--wire", wire)...); code != cli.ExitIntegrity || !strings.Contains(out, "cannot be read") {
		t.Errorf("a broken wire: exit %d: %s", code, out)
	}
}
