package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"tallystick.example/iso8583"
)

//go:embed interface.md.tmpl
var prose string

// document renders the whole interface description.
func document() ([]byte, error) {
	ex, err := makeExamples()
	if err != nil {
		return nil, fmt.Errorf("making the examples: %w", err)
	}
	t, err := template.New("interface").Option("missingkey=error").Funcs(template.FuncMap{
		"flows": flowTable, "transactions": transactionTable, "elements": elementTable, "unused": unusedTable,
		"tags": tagTable, "messages": messageTables, "codes": codeTable, "entryModes": entryTable,
		"networkCodes": networkTable, "reasons": reasonTable, "forbidden": forbiddenTags,
		"maxMessage": func() int { return iso8583.MaxMessage }, "maxChunk": func() int { return iso8583.MaxChunk },
		"example": ex.annotated,
	}).Parse(prose)
	if err != nil {
		return nil, fmt.Errorf("reading the prose: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, ex); err != nil {
		return nil, fmt.Errorf("filling in the prose: %w", err)
	}
	return b.Bytes(), nil
}

// A table is a Markdown table under construction.
type table struct{ b strings.Builder }

func newTable(heads ...string) *table {
	t := new(table)
	t.row(heads...)
	t.b.WriteString(strings.Repeat("|---", len(heads)) + "|\n")
	return t
}

func (t *table) row(cells ...string) {
	for _, c := range cells {
		t.b.WriteString("| " + strings.ReplaceAll(c, "|", "\\|") + " ")
	}
	t.b.WriteString("|\n")
}

func (t *table) String() string { return strings.TrimRight(t.b.String(), "\n") }
