// Command gendoc writes docs/terminal-interface.md from the tables of package
// iso8583. Prose is in interface.md.tmpl; every table, number and example comes
// from the code, with real keys of a published test vector.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "docs/terminal-interface.md", "file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	doc, err := document()
	if err != nil {
		return err
	}
	return os.WriteFile(out, doc, 0o644)
}
