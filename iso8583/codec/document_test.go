//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/codec.md anew")

// TestDocument holds the tables of docs/codec.md to the tables of the tests.
func TestDocument(t *testing.T) {
	const path = "../../docs/codec.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for name, table := range map[string]string{"coverage": coverageTable(), "refusals": refusalTable(), "rules": ruleTable()} {
		begin := "<!-- " + name + " -->\n"
		before, rest, ok := strings.Cut(doc, begin)
		_, after, ended := strings.Cut(rest, "<!-- end -->\n")
		if !ok || !ended {
			t.Fatalf("docs/codec.md has no place for the table of %s", name)
		}
		doc = before + begin + table + "<!-- end -->\n" + after
	}
	if doc == string(b) {
		return
	}
	if !*update {
		t.Fatal("docs/codec.md is not what the tables say: go test ./iso8583/codec -run TestDocument -update")
	}
	if err := os.WriteFile(path, []byte(doc), 0o644); err != nil {
		t.Fatal(err)
	}
}

func coverageTable() string {
	var s strings.Builder
	group := ""
	for _, v := range vectors() {
		if v.group != group {
			group = v.group
			fmt.Fprintf(&s, "\n**%s**\n\n| declared as | value | bytes |\n|---|---|---|\n", group)
		}
		wire := v.wire
		if len(wire) > 60 {
			wire = wire[:12] + "… (" + fmt.Sprint(len(unhex(wire))) + " bytes)"
		}
		value := v.value
		if len(value) > 40 {
			value = value[:8] + "…"
		}
		note := ""
		if v.rule != "" {
			note = " (moov: " + v.rule + ")"
		}
		fmt.Fprintf(&s, "| %s | `%s` | `%s`%s |\n", v.what, value, wire, note)
	}
	s.WriteString("\n**Bitmaps**, as whole messages 0200 with elements of one character A\n\n| declared as | elements | bytes |\n|---|---|---|\n")
	for _, v := range bitmapVectors() {
		fmt.Fprintf(&s, "| %s | %v | `%s` |\n", v.what, strings.Trim(fmt.Sprint(v.elements), "[]"), v.wire)
	}
	return s.String()
}

func refusalTable() string {
	var s strings.Builder
	s.WriteString("\n| a specification with | is refused because |\n|---|---|\n")
	for _, c := range notCompiledSpecs() {
		fmt.Fprintf(&s, "| %s | DE %s: %s |\n", c.what, c.path, c.reason)
	}
	return s.String()
}

func ruleTable() string {
	var s strings.Builder
	s.WriteString("\n| rule | moov v0.26.1 | what says otherwise | here |\n|---|---|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", r.id, r.moov, r.clause, r.ours)
	}
	return s.String()
}
