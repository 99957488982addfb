package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/iso8583"
)

var update = flag.Bool("update", false, "write the document instead of comparing it")

const path = "../../../docs/terminal-interface.md"

// TestDocumentIsCurrent: the document in docs/ is what the tables say today.
func TestDocumentIsCurrent(t *testing.T) {
	want, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/terminal-interface.md is not what the message table says: go generate ./iso8583")
	}
}

// TestDocumentIsComplete: every row of every table is in the document.
func TestDocumentIsComplete(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	var names []string
	for _, e := range iso8583.Elements() {
		names = append(names, "| "+e.Name+" |")
	}
	for _, r := range iso8583.Tags() {
		names = append(names, "| "+r.Name+" |")
	}
	for _, r := range iso8583.ResponseCodes() {
		names = append(names, "| "+r.Code+" | "+r.Meaning+" |")
	}
	for _, r := range iso8583.Transactions() {
		names = append(names, "| "+r.Name+" |")
	}
	for _, r := range iso8583.NetworkCodes() {
		names = append(names, "| "+r.Code+" | "+r.Name+" |")
	}
	for _, f := range iso8583.Flows() {
		names = append(names, "| "+f.Request.String()+" |")
	}
	for _, n := range names {
		if !strings.Contains(text, n) {
			t.Errorf("%q is missing", n)
		}
	}
	if strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
		t.Error("the prose has a gap")
	}
}

// TestRunWrites writes the document where it is told, and says when it cannot.
func TestRunWrites(t *testing.T) {
	out := filepath.Join(t.TempDir(), "interface.md")
	if err := run(out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := document(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file is not the document: %v", err)
	}
	if err := run(filepath.Join(out, "below-a-file")); err == nil {
		t.Error("writing below a file succeeded")
	}
}

// TestAnnotationCoversEveryByte: the hex of an annotated example, put together,
// is the message.
func TestAnnotationCoversEveryByte(t *testing.T) {
	ex, err := makeExamples()
	if err != nil {
		t.Fatal(err)
	}
	for mti, raw := range ex.messages {
		text, err := ex.annotated(mti)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, l := range strings.Split(text, "\n") {
			if strings.HasPrefix(l, "        ") {
				all.WriteString(strings.TrimSpace(l))
			}
		}
		if all.String() != upper(raw) {
			t.Errorf("%s: the annotation holds %s, want %X", mti, all.String(), raw)
		}
	}
	if _, err := ex.annotated("9999"); err == nil {
		t.Error("an example that is not there was shown")
	}
}
