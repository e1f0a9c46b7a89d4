package conventions_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// Comments, texts and the names of tests avoid the words that pages avoid.
func TestSourceAvoidsWords(t *testing.T) {
	t.Parallel()
	for name, text := range repositoryFiles(t) {
		// These two hold the words themselves.
		if !strings.HasSuffix(name, ".go") || name == "integration_test/conventions/docs_language_test.go" || name == "integration_test/conventions/source_language_test.go" {
			continue
		}
		for place, w := range wordsOf(t, name, text) {
			t.Errorf("%s: %q", place, w)
		}
	}
}

// wordsOf returns the words to avoid in a Go file by the places where they stand.
func wordsOf(t *testing.T, name, text string) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	look := func(at token.Pos, s string) {
		if w := wordsToAvoid.FindString(s); w != "" {
			found[fset.Position(at).String()] = w
		}
	}
	for _, group := range f.Comments {
		look(group.Pos(), strings.Join(strings.Fields(group.Text()), " ")) // a phrase may go on in the next line
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				look(n.Pos(), n.Value)
			}
		case *ast.FuncDecl:
			look(n.Pos(), camel.ReplaceAllString(n.Name.Name, "$1 $2"))
		}
		return true
	})
	return found
}

func TestWordsOfASourceFile(t *testing.T) {
	t.Parallel()
	const text = "package p\n\n// f takes\n// in all.\nfunc f() string { return \"ask anew\" }\n\nfunc TestWhoeverWaits() {}\n\n// amend, a newer\nvar a int\n"
	got := wordsOf(t, "p.go", text)
	if len(got) != 3 || got["p.go:3:1"] != "takes in" || got["p.go:5:26"] != "anew" || got["p.go:7:1"] != "Whoever" {
		t.Errorf("found %q", got)
	}
}
