package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Limits that keep the code readable.
const (
	maxFileLines = 700
	maxFuncLines = 70
)

// unfinished marks have no place in code: what is not done is not claimed.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b|[Nn]ot (yet )?implemented|[Uu]nimplemented`)

// TestStyle keeps files and functions short, exported names documented, and
// unfinished marks out.
func TestStyle(t *testing.T) {
	walk(t, func(_, file string, _ []string) {
		path := filepath.Join(root, file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", file, n, maxFileLines)
		}
		if m := unfinished.FindString(string(b)); m != "" {
			t.Errorf("%s has the mark %q", file, m)
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, b, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			checkDecl(t, fset, file, d)
		}
	})
}

func checkDecl(t *testing.T, fset *token.FileSet, file string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if n := fset.Position(d.End()).Line - fset.Position(d.Pos()).Line + 1; n > maxFuncLines {
			t.Errorf("%s: func %s has %d lines, more than %d", file, d.Name.Name, n, maxFuncLines)
		}
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			t.Errorf("%s: func %s has no doc comment", file, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
				t.Errorf("%s: type %s has no doc comment", file, s.Name.Name)
			}
		}
	}
}

// exportedReceiver reports whether d is a function or a method that outsiders
// can name.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if s, ok := typ.(*ast.StarExpr); ok {
		typ = s.X
	}
	if i, ok := typ.(*ast.IndexExpr); ok {
		typ = i.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// TestEveryPackageIsTested finds folders with code and no test file.
func TestEveryPackageIsTested(t *testing.T) {
	untested := map[string]bool{}
	walk(t, func(folder, _ string, _ []string) {
		tests, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if len(tests) == 0 && !mains[folder] {
			untested[folder] = true
		}
	})
	for folder := range untested {
		t.Errorf("%s has no test file", folder)
	}
}

// mains only hand over to an app package, which is tested.
var mains = map[string]bool{"agent": true, "host": true, "simulator": true}

// TestMainsAreThin: a program's main parses nothing and decides nothing.
func TestMainsAreThin(t *testing.T) {
	for folder := range mains {
		b, err := os.ReadFile(filepath.Join(root, folder, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > 40 {
			t.Errorf("%s/main.go has %d lines, want at most 40", folder, n)
		}
	}
}
