package conventions_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A text of an error that names its package says next what was being done, and then
// why it failed. Only sentinels, which stand for the cause, name nothing but it.
func TestErrorTextsSayWhatWasBeingDone(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, text := range repositoryFiles(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		texts := errorTextsOf(t, name, text)
		seen += len(texts)
		for place, text := range texts {
			if !saysWhat.MatchString(text) {
				t.Errorf("%s: %q does not say what was being done", place, text)
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d texts were found; too few to be all", seen)
	}
}

// saysWhat is the package, what was being done, and a cause.
var saysWhat = regexp.MustCompile(`^[a-z]+: ([a-z][a-z0-9 ,%-]*|%s|[a-z ]+%q[a-z ]*): \S`)

// errorTextsOf returns the texts of errors made inside of functions that begin with
// the name of the file's package, by the places where they stand.
func errorTextsOf(t *testing.T, name, text string) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if lit, ok := errorText(n); ok {
				if s, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(s, f.Name.Name+": ") {
					found[fset.Position(lit.Pos()).String()] = s
				}
			}
			return true
		})
	}
	return found
}

// errorText returns the text of a call of errors.New or fmt.Errorf.
func errorText(n ast.Node) (*ast.BasicLit, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return nil, false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Errorf" && sel.Sel.Name != "New" {
		return nil, false
	}
	if pkg, ok := sel.X.(*ast.Ident); !ok || pkg.Name != "fmt" && pkg.Name != "errors" {
		return nil, false
	}
	arg := call.Args[0]
	for {
		sum, ok := arg.(*ast.BinaryExpr)
		if !ok {
			break
		}
		arg = sum.X // the text begins there
	}
	lit, ok := arg.(*ast.BasicLit)
	return lit, ok && lit.Kind == token.STRING
}

func TestErrorTextsOfASourceFile(t *testing.T) {
	t.Parallel()
	const text = "package p\n\nvar ErrA = errors.New(\"p: a\")\n\nfunc f() error { return fmt.Errorf(\"p: \"+\"%w\", errors.New(\"q: b\")) }\n\nfunc g() error { return errors.New(\"p: saving: full\") }\n"
	got := errorTextsOf(t, "p.go", text)
	if len(got) != 2 || saysWhat.MatchString(got["p.go:5:36"]) || !saysWhat.MatchString(got["p.go:7:36"]) {
		t.Errorf("%q", got)
	}
}
