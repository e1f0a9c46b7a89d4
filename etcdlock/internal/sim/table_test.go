package sim_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table in the documentation of this package names what is there: steps and fields of
// the model on the left, functions and types of the code on the right.
func TestTable(t *testing.T) {
	t.Parallel()
	model := declared(t, "*.go")
	code := declared(t, "../../*.go", "../cohort/*.go", "../queue/*.go", "../session/*.go")
	row := regexp.MustCompile(`^\t([a-z][\w., ]*?) +((?:\w+\.)?\w+(?:, (?:\w+\.)?\w+)*)$`)
	doc, err := parser.ParseFile(token.NewFileSet(), "doc_test.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(doc.Doc.Text(), "package etcdlock\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) < 10 {
		t.Fatalf("the table has %d rows: the test sees nothing", len(rows))
	}
	for _, line := range rows {
		sides := row.FindStringSubmatch(line)
		if sides == nil {
			t.Errorf("%q is no row of the table", line)
			continue
		}
		for name := range strings.SplitSeq(sides[1], ", ") {
			if !model[name] {
				t.Errorf("the model has no %s", name)
			}
		}
		for name := range strings.SplitSeq(sides[2], ", ") {
			if !code[name] {
				t.Errorf("the code has no %s", name)
			}
		}
	}
}

// declared returns what the files declare: types, functions, constants and fields, and
// methods as Type.method.
func declared(t *testing.T, patterns ...string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if isTest := strings.HasSuffix(file, "_test.go"); isTest == strings.HasPrefix(file, "..") {
				continue // the model consists of tests, and the code of none
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.TypeSpec:
					names[n.Name.Name] = true
				case *ast.ValueSpec:
					add(names, n.Names)
				case *ast.StructType:
					for _, f := range n.Fields.List {
						add(names, f.Names)
					}
				case *ast.FuncDecl:
					names[receiver(n)+n.Name.Name] = true
					return false
				}
				return true
			})
		}
	}
	return names
}

func add(names map[string]bool, idents []*ast.Ident) {
	for _, ident := range idents {
		names[ident.Name] = true
	}
}

// receiver returns the type of the method's receiver and a dot, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
